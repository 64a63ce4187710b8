#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "load/peer.h"

namespace sse::load {

/// Posts over one keep-alive connection with as little work of its own as can be, so that what is measured is the
/// server. Knows only answers with Content-Length. One thread at a time.
class Poster {
 public:
  /// `address`: `unix:PATH` or `http://HOST:PORT`. Throws Error: kInvalidArgument for another one, kUnavailable.
  Poster(const std::string& address, const std::string& path, const std::string& content_type,
         const std::string& token = "");

  struct Answer {
    int status = 0;
    std::string_view body;  ///< until the next post()

    bool good() const { return status >= 200 && status < 300; }
  };
  /// Sends a request and reads its answer. Throws Error(kUnavailable) when the connection broke.
  Answer post(std::string_view body) { return post_to({}, body); }
  /// The same with `suffix` added to the path.
  Answer post_to(std::string_view suffix, std::string_view body);

  /// The two halves of post(), for one thread with many of these: finish() when fd() can be read.
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
  bool last_ = false;  // the server closes after this answer
  UniqueFd fd_;
};

}  // namespace sse::load
