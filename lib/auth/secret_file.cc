#include "auth/secret_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string_view>

#include "auth/file_kind.h"
#include "base/error.h"
#include "base/text.h"
#include "observe/log.h"

namespace sse::auth {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1024} * 1024;

Error refused(const std::string& path, const std::string& option, const std::string& why) {
  return {ErrorCode::kInvalidArgument, "cannot use '" + printable(path, 200) + "' of " + option + ": " + why};
}

}  // namespace

std::string read_secret_file(const std::string& path, const std::string& option) {
  const std::string all = read_whole_file(path, option);
  const FileKind kind = recognize(all);
  if (kind != FileKind::kOther && kind != FileKind::kEmpty) {
    throw refused(
        path, option,
        "it is " + std::string(describe(kind)) + ", not a file whose first line is a token, password or secret");
  }
  std::string_view line = std::string_view(all).substr(0, all.find('\n'));
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
  if (line.empty()) throw refused(path, option, "its first line is empty; it must be the token, password or secret");
  for (const char c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      throw refused(path, option, "its first line contains a control character");
  }
  warn_if_readable_by_others(path, option);
  return std::string(line);
}

std::string read_whole_file(const std::string& path, const std::string& option) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  const int reason = errno;
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.empty() && reason != 0) throw refused(path, option, system_error(reason, "it cannot be read").what());
  if (text.empty()) throw refused(path, option, "it is empty");
  if (text.size() > kMaxBytes) throw refused(path, option, "it is larger than 1 MiB");
  return text;
}

void warn_if_readable_by_others(const std::string& path, const std::string& option) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0077) != 0)
    observe::log_warn("a file with a secret can be read by others; chmod 600 it", {{"file", path}, {"option", option}});
}

}  // namespace sse::auth
