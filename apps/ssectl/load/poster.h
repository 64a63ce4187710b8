#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "ssectl/load/peer.h"

namespace sse::load {

/// A minimal HTTP client that sends POST requests over one keep-alive connection. It does as little work as possible,
/// so that a benchmark measures the server. Supports only responses with Content-Length. One thread at a time.
class Poster {
 public:
  /// `address`: `unix:PATH` or `http://HOST:PORT`. Throws Error: kInvalidArgument for any other form, kUnavailable.
  Poster(const std::string& address, const std::string& path, const std::string& content_type,
         const std::string& token = "");

  struct Answer {
    int status = 0;
    std::string_view body;  ///< valid until the next post()

    bool good() const { return status >= 200 && status < 300; }
  };
  /// Sends a request and reads the response. Throws Error(kUnavailable) if the connection breaks.
  Answer post(std::string_view body) { return post_to({}, body); }
  /// Like post(), with `suffix` appended to the path.
  Answer post_to(std::string_view suffix, std::string_view body);

  /// The two halves of post(), for a thread with many connections: call finish() when fd() is readable.
  void begin(std::string_view body) { begin_to({}, body); }
  Answer finish();
  int fd() const { return fd_.get(); }

 private:
  void connect();
  void begin_to(std::string_view suffix, std::string_view body);
  void send_all(std::string_view bytes);
  [[noreturn]] void broken(const char* what) const;

  const std::string address_;
  const Peer peer_;
  const std::string path_;
  std::string fields_;
  std::string request_;
  std::string answer_;
  bool last_ = false;  // the server closes the connection after this response
  UniqueFd fd_;
};

}  // namespace sse::load
