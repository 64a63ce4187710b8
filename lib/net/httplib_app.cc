#include "net/httplib_app.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/url.h"
#include "net/multipart.h"
#include "net/request_head.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

// One request and its response, both in memory. The virtual functions of Stream differ between httplib versions, so
// none says `override`: a function that a version does not have is an unused member there. GCC warns about that only
// where a base class has another overload.
class MemoryStream final : public httplib::Stream {
 public:
  MemoryStream(std::string_view request, const Peer& peer, int body) : request_(request), peer_(peer), body_(body) {}

  bool is_readable() const { return true; }           // NOLINT(modernize-use-override)
  bool wait_readable() const { return true; }         // NOLINT(modernize-use-override)
  bool is_writable() const { return !muted_; }        // NOLINT(modernize-use-override)
  bool wait_writable() const { return !muted_; }      // NOLINT(modernize-use-override)
  bool is_peer_alive() const { return true; }         // NOLINT(modernize-use-override)
  time_t duration() const { return 0; }               // NOLINT(modernize-use-override)
  socket_t socket() const { return INVALID_SOCKET; }  // NOLINT(modernize-use-override)

  ssize_t read(char* out, size_t size) {  // NOLINT(modernize-use-override)
    if (request_.empty() && body_ != -1) {
      const ssize_t got = ::pread(body_, out, size, body_read_);
      if (got > 0) body_read_ += got;
      return got;
    }
    const std::size_t n = std::min(size, request_.size());
    std::memcpy(out, request_.data(), n);
    request_.remove_prefix(n);
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* bytes, size_t size) {  // NOLINT(modernize-use-override)
    if (!muted_) reply_.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  using httplib::Stream::write;

  void get_remote_ip_and_port(std::string& ip, int& port) const {  // NOLINT(modernize-use-override)
    ip = peer_.address;
    port = peer_.port;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const {  // NOLINT(modernize-use-override)
    ip.clear();
    port = 0;
  }

  void mute() { muted_ = true; }
  std::string& reply() { return reply_; }

 private:
  std::string_view request_;
  const Peer& peer_;
  const int body_;
  off_t body_read_ = 0;
  std::string reply_;
  bool muted_ = false;
};

// One request while httplib handles it, with everything that httplib does not know.
struct Exchange {
  std::string_view request;
  const Peer& peer;
  const Admission* admission;
  std::optional<MultipartBody> multipart{};
  MemoryStream* stream = nullptr;
  HandOver hand_over{};
  bool head_written = false;
};

// httplib has no field for the data of a server's request. It never calls the response handler of a request that it
// serves: that field belongs to its client.
struct ExchangeReference {
  Exchange* exchange;
  bool operator()(const httplib::Response& /*unused*/) const { return true; }
};

Exchange* exchange_of(const httplib::Request& req) {
  const auto* reference = req.response_handler.target<ExchangeReference>();
  return reference != nullptr ? reference->exchange : nullptr;
}

using Setup = std::function<void(httplib::Request&)>;

// httplib percent-decodes header values, which are opaque (RFC 9110 §5.5): `X-Sse-User: a%64min` would be admin. The
// handlers therefore get the values as the client sent them.
void prepare(httplib::Request& req, Exchange& exchange) {
  req.response_handler = ExchangeReference{&exchange};
  req.headers.clear();
  for_each_header(exchange.request, [&](std::string_view name, std::string&& value) {
    req.headers.emplace(std::string(name), std::move(value));
  });
}

// httplib's protected process_request changed its signature; overload resolution picks the matching call(). Version
// 0.11:
template <class S>
void call(HttplibApp& app, bool (S::*process)(httplib::Stream&, bool, bool&, const Setup&), Exchange& exchange,
          bool close, bool& closed) {
  (app.*process)(*exchange.stream, close, closed, [&exchange](httplib::Request& req) {
    req.remote_addr = exchange.peer.address;
    req.remote_port = exchange.peer.port;
    prepare(req, exchange);
  });
}
// Version 0.18: addresses and ports became parameters.
template <class S>
void call(HttplibApp& app,
          bool (S::*process)(httplib::Stream&, const std::string&, int, const std::string&, int, bool, bool&,
                             const Setup&),
          Exchange& exchange, bool close, bool& closed) {
  (app.*process)(*exchange.stream, exchange.peer.address, exchange.peer.port, "", 0, close, closed,
                 [&exchange](httplib::Request& req) { prepare(req, exchange); });
}
// Version 0.33: also a flag that is set when the connection became a websocket.
template <class S>
void call(HttplibApp& app,
          bool (S::*process)(httplib::Stream&, const std::string&, int, const std::string&, int, bool, bool&,
                             const Setup&, bool*),
          Exchange& exchange, bool close, bool& closed) {
  (app.*process)(
      *exchange.stream, exchange.peer.address, exchange.peer.port, "", 0, close, closed,
      [&exchange](httplib::Request& req) { prepare(req, exchange); }, nullptr);
}

// Returns the multipart body of a request, or nullopt. `bare` is then the request without that body and its
// Content-Type.
std::optional<MultipartBody> take_multipart(std::string_view request, const RequestExtras& extras, std::string& bare) {
  const std::size_t head_end = std::min(request.find("\r\n\r\n"), request.size());
  std::string_view rest = request.substr(0, head_end);
  std::optional<std::string> type;
  std::string head;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(line.size() + 2, rest.size()));
    const std::string name = to_lower(line.substr(0, std::min(line.find(':'), line.size())));
    if (name == "content-type") {
      const std::string_view value = line.substr(name.size() + 1);
      // httplib percent-decodes header values before it checks them.
      if (is_multipart(value) || is_multipart(url_decode(value))) type = value;
      continue;
    }
    if (name != "content-length") head.append(line).append("\r\n");
  }
  if (!type) return std::nullopt;
  bare = head + "Content-Length: 0\r\n\r\n";
  if (extras.file != -1) return MultipartBody(std::move(*type), extras.file, extras.file_size);
  return MultipartBody(std::move(*type), request.substr(std::min(head_end + 4, request.size())));
}

// Reads at least one byte of a body on disk.
std::size_t read_some(int file, char* into, std::size_t size, std::uint64_t offset) {
  for (;;) {
    const ssize_t got = ::pread(file, into, size, static_cast<off_t>(offset));
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) throw Error(ErrorCode::kIo, "a request body stored on disk has become shorter");
    if (errno != EINTR) throw system_error(errno, "cannot read a request body stored on disk (--upload-dir)");
  }
}

bool has_connection_close(const std::string& reply) {
  const std::size_t found = reply.find("\r\nConnection: close\r\n");
  return found != std::string::npos && found < reply.find("\r\n\r\n");
}

// The 500 response; to be called within a catch block.
Reply failed(const char* what) {
  observe::note_exception(what);
  static constexpr std::string_view kBody = "the request could not be handled; the server's log says why\n";
  Reply reply;
  reply.bytes = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: " +
                std::to_string(kBody.size()) + "\r\nConnection: close\r\n\r\n" + std::string(kBody);
  return reply;
}

}  // namespace

HttplibApp::HttplibApp() {
  // httplib takes INVALID_SOCKET for "shutting down" and then silently skips content providers. It never uses the value
  // otherwise, because it does not listen.
  svr_sock_ = 0;
  set_tcp_nodelay(false);
  set_keep_alive_max_count(1'000'000);
  // httplib's default handler puts the exception's text into a response header.
  set_exception_handler([](const httplib::Request& req, httplib::Response& res, const std::exception_ptr& thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (...) {
      observe::note_exception("a request", req.path);
    }
    res.status = 500;
  });
}

std::string read_body_file(const RequestExtras& extras, std::uint64_t offset, std::size_t size) {
  std::string bytes(std::min<std::uint64_t>(size, extras.file_size - std::min(offset, extras.file_size)), '\0');
  for (std::size_t read = 0; read < bytes.size();)
    read += read_some(extras.file, bytes.data() + read, bytes.size() - read, offset + read);
  return bytes;
}

void MultipartBody::read(const std::function<void(std::string_view)>& use) const {
  if (file_ == -1) {
    if (!bytes_.empty()) use(bytes_);
    return;
  }
  std::array<char, 64 * 1024> buffer;
  for (std::uint64_t at = 0; at < size_;) {
    const std::size_t got = read_some(file_, buffer.data(), buffer.size(), at);
    at += got;
    use({buffer.data(), got});
  }
}

Reply HttplibApp::process(std::string_view request, const Peer& peer, bool keep_alive, const RequestExtras& extras) {
  try {
    if (interceptor_) {
      if (auto reply = interceptor_(request, peer, keep_alive, extras)) return std::move(*reply);
    }
  } catch (...) {
    return failed("a request to the whole cluster");
  }
  return process_locally(request, peer, keep_alive, extras);
}

Reply HttplibApp::process_locally(std::string_view request, const Peer& peer, bool keep_alive,
                                  const RequestExtras& extras) try {
  std::string bare;
  Exchange exchange{request, peer, extras.admission};
  if (!request.starts_with("GET ")) exchange.multipart = take_multipart(request, extras, bare);
  if (exchange.multipart) exchange.request = bare;
  MemoryStream stream(exchange.request, peer, exchange.multipart ? -1 : extras.file);
  exchange.stream = &stream;
  bool closed = false;
  call(*this, &HttplibApp::process_request, exchange, !keep_alive, closed);
  Reply reply;
  reply.bytes = std::move(stream.reply());
  // Not for HEAD, where httplib requests no body.
  if (exchange.head_written) reply.hand_over = std::move(exchange.hand_over);
  // httplib adds this header by itself.
  erase_header(reply.bytes, "Keep-Alive");
  // httplib never sees a Range header; responses that support ranges do not come from it.
  erase_header(reply.bytes, "Accept-Ranges");
  // RFC 9110 §8.6
  if (reply.bytes.starts_with("HTTP/1.1 204")) erase_header(reply.bytes, "Content-Length");
  reply.keep_alive = keep_alive && !closed && !reply.hand_over && !has_connection_close(reply.bytes);
  return reply;
} catch (...) {
  return failed("a request");
}

const MultipartBody* HttplibApp::multipart_body(const httplib::Request& req) {
  const Exchange* exchange = exchange_of(req);
  return exchange != nullptr && exchange->multipart ? &*exchange->multipart : nullptr;
}

const Admission* HttplibApp::admission(const httplib::Request& req) {
  const Exchange* exchange = exchange_of(req);
  return exchange != nullptr ? exchange->admission : nullptr;
}

void HttplibApp::hand_over(const httplib::Request& req, httplib::Response& res, const std::string& content_type,
                           HandOver take) {
  Exchange* exchange = exchange_of(req);
  exchange->hand_over = std::move(take);
  // httplib writes the head, then asks the provider for the body.
  res.set_content_provider(content_type, [exchange](size_t, httplib::DataSink& sink) {
    exchange->head_written = true;
    exchange->stream->mute();
    sink.done();
    return true;
  });
}

}  // namespace sse::net
