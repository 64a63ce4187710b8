#include "pages/static_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace sse::pages {
namespace {

// O_NONBLOCK: opening a FIFO does not wait for its writer. O_NOCTTY: a terminal does not become the controlling one.
constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

constexpr std::array<std::pair<std::string_view, std::string_view>, 40> kTypes{{
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"cjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"ts", "text/plain; charset=utf-8"},
    {"xml", "application/xml"},
    {"xhtml", "application/xhtml+xml"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"bmp", "image/bmp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"mp3", "audio/mpeg"},
    {"wav", "audio/wav"},
    {"ogg", "audio/ogg"},
    {"m4a", "audio/mp4"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"ogv", "video/ogg"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"jar", "application/java-archive"},
}};

// Splits a path into segments. False if a segment is empty or begins with a dot, which is never served.
bool split(std::string_view path, std::vector<std::string>& parts) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(end);
    if (part.empty() && path.empty()) break;
    const bool well_known = parts.empty() && part == ".well-known";
    if (part.empty() || (part.starts_with('.') && !well_known)) return false;
    parts.emplace_back(part);
  }
  return true;
}

// For kernels before 5.6, and for sandboxes that block openat2: follows no symbolic links at all.
UniqueFd open_stepwise(int folder, const std::vector<std::string>& parts) {
  UniqueFd at(::dup(folder));
  for (std::size_t i = 0; at.valid() && i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    at.reset(::openat(at.get(), parts[i].c_str(), (last ? kFlags : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW));
  }
  return at;
}

UniqueFd open_beneath(int folder, const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) path += (path.empty() ? "" : "/") + part;
  open_how how{};
  how.flags = static_cast<decltype(how.flags)>(kFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, folder, path.empty() ? "." : path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno == ENOSYS || errno == EPERM) return open_stepwise(folder, parts);
    // A concurrent rename interfered, see openat2(2).
    if (errno != EAGAIN || attempt == 3) return {};
  }
}

std::string etag_of(const struct stat& status) {
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "\"%llx-%llx-%llx\"", static_cast<unsigned long long>(status.st_ino),
                static_cast<unsigned long long>(status.st_size),
                static_cast<unsigned long long>(status.st_mtim.tv_sec) * 1'000'000'000 +
                    static_cast<unsigned long long>(status.st_mtim.tv_nsec));
  return text.data();
}

}  // namespace

StaticFiles::Result StaticFiles::find(const std::string& path, File& file) {
  std::vector<std::string> parts;
  if (!path.starts_with('/') || !split(path, parts)) return Result::kNone;
  const bool is_folder_path = path.ends_with('/');
  if (is_folder_path) parts.emplace_back("index.html");
  const UniqueFd folder(::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return errno == EMFILE || errno == ENFILE ? Result::kBusy : Result::kNone;
  UniqueFd fd = open_beneath(folder.get(), parts);
  if (!fd.valid()) return errno == EMFILE || errno == ENFILE ? Result::kBusy : Result::kNone;
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return Result::kNone;
  if (S_ISDIR(status.st_mode)) return is_folder_path ? Result::kNone : Result::kFolder;
  if (!S_ISREG(status.st_mode)) return Result::kNone;
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.modified =
      WallTime(std::chrono::seconds(status.st_mtim.tv_sec) +
               std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
  file.etag = etag_of(status);
  file.content_type = content_type_of(parts.back());
  file.fd = share(std::move(fd), {status.st_dev, status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                                  static_cast<std::uint64_t>(status.st_size)});
  return file.fd ? Result::kFile : Result::kBusy;
}

std::shared_ptr<const UniqueFd> StaticFiles::share(UniqueFd fd, const Identity& identity) {
  const MutexLock lock(mutex_);
  if (const auto found = open_.find(identity); found != open_.end()) {
    if (auto shared = found->second.lock()) return shared;
    open_.erase(found);
  }
  if (open_.size() >= kMaxOpen) std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
  if (open_.size() >= kMaxOpen) return nullptr;
  auto shared = std::make_shared<const UniqueFd>(std::move(fd));
  open_.emplace(identity, shared);
  return shared;
}

std::string content_type_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  const std::string ending = dot == std::string::npos ? "" : to_lower(path.substr(dot + 1));
  for (const auto& [name, type] : kTypes) {
    if (name == ending) return std::string(type);
  }
  return "application/octet-stream";
}

std::optional<std::string> decoded_path(std::string_view target) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string_view path = target.substr(0, target.find_first_of("?#"));
  std::string out;
  out.reserve(path.size());
  while (!path.empty()) {
    char c = path.front();
    path.remove_prefix(1);
    if (c == '%') {
      if (path.size() < 2 || digit(path[0]) < 0 || digit(path[1]) < 0) return std::nullopt;
      c = static_cast<char>(digit(path[0]) * 16 + digit(path[1]));
      path.remove_prefix(2);
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
    out += c;
  }
  return out;
}

}  // namespace sse::pages
