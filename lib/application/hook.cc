#include "application/hook.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <utility>

#include "auth/hmac.h"
#include "base/fd.h"
#include "base/hex.h"
#include "observe/log.h"

namespace sse::application {
namespace {

using event::Json;

// RFC 7578 §4.2, WHATWG HTML "multipart/form-data encoding": quotes and line breaks are percent-encoded.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') {
      out += "%22";
    } else if (c == '\r') {
      out += "%0D";
    } else if (c == '\n') {
      out += "%0A";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// 128 unpredictable bits: an attacker that could predict the boundary could insert parts through an uploaded file. RFC
// 2046 §5.1.1 requires the sender to choose a boundary that does not occur in the parts.
std::string random_hex() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Error(ErrorCode::kInternal, "cannot generate a random boundary for an upload");
  return to_hex(bytes);
}

std::string header_safe(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return text;
}

// A request body made of texts and files, read piece by piece.
class Pieces {
 public:
  void add(std::string text) { pieces_.push_back({std::move(text), {}, 0}), length_ += pieces_.back().text.size(); }
  void add_file(const UploadedFile& file) {
    UniqueFd fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) throw system_error(errno, "cannot read the upload " + file.path);
    pieces_.push_back({"", std::move(fd), file.size.count()});
    length_ += file.size.count();
  }
  std::size_t length() const { return length_; }

  bool write(std::size_t offset, std::size_t length, const std::function<bool(const char*, std::size_t)>& sink) const {
    for (const Piece& piece : pieces_) {
      const std::size_t size = piece.fd.valid() ? piece.file_size : piece.text.size();
      if (offset >= size) {
        offset -= size;
        continue;
      }
      std::array<char, std::size_t{64} * 1024> buffer;
      const std::size_t n = std::min({length, size - offset, buffer.size()});
      if (!piece.fd.valid()) return sink(piece.text.data() + offset, n);
      const ssize_t got = ::pread(piece.fd.get(), buffer.data(), n, static_cast<off_t>(offset));
      return got > 0 && sink(buffer.data(), static_cast<std::size_t>(got));
    }
    return false;
  }

 private:
  struct Piece {
    std::string text;
    UniqueFd fd;
    std::size_t file_size = 0;
  };
  std::vector<Piece> pieces_;
  std::size_t length_ = 0;
};

void add_trace(net::HttpCaller::Request& request, const TraceHeaders& trace) {
  if (!trace.traceparent.empty()) request.headers.emplace_back("traceparent", trace.traceparent);
  if (!trace.tracestate.empty()) request.headers.emplace_back("tracestate", trace.tracestate);
}

}  // namespace

std::string sha256_of_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw system_error(errno, "cannot read the upload " + path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool good = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  std::array<char, std::size_t{64} * 1024> buffer;
  while (good) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw system_error(errno, "cannot read the upload " + path);
    if (n == 0) break;
    good = EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(n)) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1)
    throw Error(ErrorCode::kInternal, "cannot compute the SHA-256 of an upload");
  return to_hex(std::span(digest).first(size));
}

HookCaller::HookCaller(HookOptions options, std::string server_id, observe::Registry& metrics)
    : options_(std::move(options)),
      server_id_(std::move(server_id)),
      metrics_(metrics),
      seconds_(metrics.histogram("sse_hook_seconds", "Time a call of the application's hook took",
                                 {0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30})),
      requests_(options_.url, "--hook", options_.timeout, *options_.clock),
      notifications_(options_.url, "--hook", options_.timeout, *options_.clock),
      reports_(options_.url, "--hook", options_.timeout, *options_.clock),
      secret_(options_.secret) {}

void HookCaller::set_secret(std::string secret) {
  const MutexLock lock(mutex_);
  secret_ = std::move(secret);
}

void HookCaller::stop() {
  requests_.stop();
  notifications_.stop();
  reports_.stop();
}

net::HttpCaller::Answer HookCaller::call(const std::string& type, const std::string& delivery, WallTime time, Json body,
                                         const TraceHeaders& trace) {
  return send_json(requests_, type, delivery, time, std::move(body), trace);
}

net::HttpCaller::Answer HookCaller::notify(const std::string& type, const std::string& delivery, WallTime time,
                                           Json body) {
  return send_json(notifications_, type, delivery, time, std::move(body), {});
}

net::HttpCaller::Answer HookCaller::report(const std::string& type, const std::string& delivery, WallTime time,
                                           Json body) {
  return send_json(reports_, type, delivery, time, std::move(body), {});
}

net::HttpCaller::Answer HookCaller::send_json(net::HttpCaller& http, const std::string& type,
                                              const std::string& delivery, WallTime time, Json&& body,
                                              const TraceHeaders& trace) {
  body["type"] = type;
  body["id"] = delivery;
  body["time"] = to_millis(time);
  body["serverId"] = server_id_;
  net::HttpCaller::Request request;
  request.body = event::dump_json(body);
  const std::string text = request.body;
  add_trace(request, trace);
  return send(http, type, delivery, text, std::move(request));
}

net::HttpCaller::Answer HookCaller::call_with_files(const std::string& type, const std::string& delivery, WallTime time,
                                                    Json body, const std::vector<UploadedFile>& files,
                                                    const TraceHeaders& trace) {
  body["type"] = type;
  body["id"] = delivery;
  body["time"] = to_millis(time);
  body["serverId"] = server_id_;
  const std::string text = event::dump_json(body);
  const std::string boundary = "sse-" + random_hex();
  Pieces pieces;
  pieces.add("--" + boundary +
             "\r\nContent-Disposition: form-data; name=\"event\"\r\nContent-Type: application/json\r\n\r\n" + text);
  for (const UploadedFile& file : files) {
    pieces.add("\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=" + quoted(file.field) +
               "; filename=" + quoted(file.filename) + "\r\nContent-Type: " +
               header_safe(file.content_type.empty() ? "application/octet-stream" : file.content_type) + "\r\n\r\n");
    pieces.add_file(file);
  }
  pieces.add("\r\n--" + boundary + "--\r\n");
  net::HttpCaller::Request request;
  request.content_type = "multipart/form-data; boundary=" + boundary;
  request.stream_length = pieces.length();
  add_trace(request, trace);
  request.stream = [&pieces](std::size_t offset, std::size_t length, const auto& sink) {
    return pieces.write(offset, length, sink);
  };
  return send(requests_, type, delivery, text, std::move(request));
}

net::HttpCaller::Answer HookCaller::send(net::HttpCaller& http, const std::string& type, const std::string& delivery,
                                         const std::string& signed_text, net::HttpCaller::Request request) {
  request.headers.emplace_back("X-Sse-Event", type);
  request.headers.emplace_back("X-Sse-Delivery", delivery);
  std::string secret;
  {
    const MutexLock lock(mutex_);
    secret = secret_;
  }
  if (!secret.empty()) {
    const std::string stamp = std::to_string(to_millis(options_.clock->wall_now()) / 1000);
    request.headers.emplace_back("X-Sse-Timestamp", stamp);
    request.headers.emplace_back("X-Sse-Signature",
                                 "sha256=" + auth::hmac_sha256_hex(secret, stamp + "." + signed_text));
  }
  const SteadyTime start = options_.clock->steady_now();
  const auto took = [&] { return std::chrono::duration<double>(options_.clock->steady_now() - start).count(); };
  try {
    net::HttpCaller::Answer answer = http.post(request);
    seconds_.observe(took());
    count(type, answer.status < 300 ? "ok" : answer.status < 500 ? "refused" : "failed");
    if (answer.status >= 500) log_failure(type, "it answered with status " + std::to_string(answer.status));
    return answer;
  } catch (const Error& e) {
    seconds_.observe(took());
    count(type, e.code() == ErrorCode::kTimeout ? "timeout" : e.code() == ErrorCode::kTooLarge ? "garbage" : "failed");
    log_failure(type, e.what());
    throw;
  }
}

void HookCaller::count(const std::string& type, const std::string& outcome) {
  metrics_.counter("sse_hook_calls_total", "Calls of the application's hook", {{"type", type}, {"outcome", outcome}})
      .add();
}

void HookCaller::count_invalid_answer(const std::string& type, const std::string& why) {
  count(type, "garbage");
  log_failure(type, why);
}

void HookCaller::log_failure(const std::string& type, const std::string& why) {
  const std::optional<std::uint64_t> unreported = log_throttle_.line(options_.clock->steady_now());
  if (!unreported) return;
  observe::log_warn("the application's hook failed (--hook)",
                    {{"type", type}, {"error", why}, {"unreported", std::to_string(*unreported)}});
}

}  // namespace sse::application
