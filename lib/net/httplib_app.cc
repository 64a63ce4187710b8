#include "net/httplib_app.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "net/request_head.h"

namespace sse::net {
namespace {

// One request and its answer, both in memory. The Stream virtuals changed between httplib versions, so none says
// `override`: what a version does not know is an unused member there. GCC warns of that only where a base has another
// overload.
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

struct Exchange {
  MemoryStream* stream = nullptr;
  HandOver hand_over;
  bool head_written = false;
};
thread_local Exchange* current_exchange = nullptr;

using Setup = std::function<void(httplib::Request&)>;

// httplib percent-decodes header values, which are opaque (RFC 9110 §5.5): `X-Sse-User: a%64min` would be admin. So the
// handlers get those that the client sent.
void set_headers(httplib::Request& req, std::string_view request) {
  req.headers.clear();
  for_each_header(request, [&](std::string_view name, std::string&& value) {
    req.headers.emplace(std::string(name), std::move(value));
  });
}

// httplib's protected process_request changed its signature; the overload that fits the one found is taken.
// 0.11
template <class S>
void call(HttplibApp& app, bool (S::*process)(httplib::Stream&, bool, bool&, const Setup&), httplib::Stream& stream,
          std::string_view request, const Peer& peer, bool close, bool& closed) {
  (app.*process)(stream, close, closed, [&](httplib::Request& req) {
    req.remote_addr = peer.address;
    req.remote_port = peer.port;
    set_headers(req, request);
  });
}
// 0.18: addresses and ports became parameters.
template <class S>
void call(HttplibApp& app,
          bool (S::*process)(httplib::Stream&, const std::string&, int, const std::string&, int, bool, bool&,
                             const Setup&),
          httplib::Stream& stream, std::string_view request, const Peer& peer, bool close, bool& closed) {
  (app.*process)(stream, peer.address, peer.port, "", 0, close, closed,
                 [&](httplib::Request& req) { set_headers(req, request); });
}
// 0.33: and a flag that is set when the connection became a websocket.
template <class S>
void call(HttplibApp& app,
          bool (S::*process)(httplib::Stream&, const std::string&, int, const std::string&, int, bool, bool&,
                             const Setup&, bool*),
          httplib::Stream& stream, std::string_view request, const Peer& peer, bool close, bool& closed) {
  (app.*process)(
      stream, peer.address, peer.port, "", 0, close, closed, [&](httplib::Request& req) { set_headers(req, request); },
      nullptr);
}

bool says_close(const std::string& reply) {
  const std::size_t found = reply.find("\r\nConnection: close\r\n");
  return found != std::string::npos && found < reply.find("\r\n\r\n");
}

}  // namespace

HttplibApp::HttplibApp() {
  // httplib takes INVALID_SOCKET for "shutting down" and then skips content providers without a word. It never uses the
  // value otherwise, as we do not listen through it.
  svr_sock_ = 0;
  set_tcp_nodelay(false);
  set_keep_alive_max_count(1'000'000);
  // httplib's own way puts the text into a header for all to see.
  set_exception_handler(
      [](const httplib::Request&, httplib::Response& res, const std::exception_ptr&) { res.status = 500; });
}

Reply HttplibApp::process(std::string_view request, const Peer& peer, bool keep_alive, int body) {
  // A body that is in a file stays here.
  if (interceptor_ && body == -1) {
    if (auto reply = interceptor_(request, peer, keep_alive)) return std::move(*reply);
  }
  return process_here(request, peer, keep_alive, body);
}

Reply HttplibApp::process_here(std::string_view request, const Peer& peer, bool keep_alive, int body) {
  MemoryStream stream(request, peer, body);
  Exchange exchange{&stream, nullptr, false};
  current_exchange = &exchange;
  bool closed = false;
  call(*this, &HttplibApp::process_request, stream, request, peer, !keep_alive, closed);
  current_exchange = nullptr;
  Reply reply;
  reply.bytes = std::move(stream.reply());
  // Not for HEAD, where httplib asks for no body.
  if (exchange.head_written) reply.hand_over = std::move(exchange.hand_over);
  // httplib adds it by itself.
  erase_header(reply.bytes, "Keep-Alive");
  // httplib never sees a range; what can be had in parts does not come from it.
  erase_header(reply.bytes, "Accept-Ranges");
  // RFC 9110 §8.6
  if (reply.bytes.starts_with("HTTP/1.1 204")) erase_header(reply.bytes, "Content-Length");
  reply.keep_alive = keep_alive && !closed && !reply.hand_over && !says_close(reply.bytes);
  return reply;
}

void HttplibApp::hand_over(httplib::Response& res, const std::string& content_type, HandOver take) {
  Exchange* exchange = current_exchange;
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
