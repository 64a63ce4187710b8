#pragma once

#include <httplib.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/file_body.h"
#include "net/socket.h"
#include "net/stream_head.h"

namespace sse::net {

/// Takes over a connection whose response is an endless stream.
using HandOver = std::function<void(Socket socket, StreamHead head)>;

/// Where a request came from.
struct Peer {
  std::string address;  ///< without port; empty for a unix socket
  int port = 0;
};

/// What handling one request led to.
struct Reply {
  std::string bytes;  ///< the response; or the head alone where `hand_over` is set
  bool keep_alive = false;
  FileBody file;  ///< of the response, behind `bytes`
  HandOver hand_over;
};

/// cpp-httplib as codec and router: routes are registered as with any httplib::Server (Get, Post, …), but requests come
/// from our front and answers go back to it. Register everything before the first process(). Handlers run on worker
/// threads, several at once, and may block.
class HttplibApp : public httplib::Server {
 public:
  HttplibApp();

  /// Sees every request of process() first that has no file for a body; what it returns is the answer, nullopt leaves
  /// it to the routes.
  using Interceptor = std::function<std::optional<Reply>(std::string_view request, const Peer& peer, bool keep_alive)>;
  void set_interceptor(Interceptor interceptor) { interceptor_ = std::move(interceptor); }

  /// Handles one complete request as normalized_request() writes it. `body`: unless -1, a file from whose begin the
  /// body is read, `request` then being the head alone. Thread safe. Never throws.
  Reply process(std::string_view request, const Peer& peer, bool keep_alive, int body = -1);
  /// As process(), by the routes alone.
  Reply process_here(std::string_view request, const Peer& peer, bool keep_alive, int body = -1);

  /// To be called by a handler: answer with `res`'s status and headers and an endless body of `content_type` that
  /// `take` writes. Nothing more of `res` is sent. REQUIRES: the headers say nothing about the body's framing.
  static void hand_over(httplib::Response& res, const std::string& content_type, HandOver take);

 private:
  Interceptor interceptor_;
};

}  // namespace sse::net
