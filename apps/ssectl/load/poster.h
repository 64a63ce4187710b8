#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"

namespace sse::load {

/// Posts over one keep-alive connection with as little work of its own as can be, so that what is measured is the
/// server. Knows only answers with Content-Length. One thread at a time.
class Poster {
 public:
  /// `address`: `unix:PATH` or `http://IPV4:PORT`. Throws Error(kUnavailable).
  Poster(const std::string& address, const std::string& path, const std::string& content_type,
         const std::string& token = "");

  /// Sends a request and reads its answer: the body of a 2xx one. Throws Error, kUnavailable when the connection broke.
  std::string_view post(std::string_view body);

 private:
  void connect(const std::string& address);
  [[noreturn]] void broken(const char* what) const;

  const std::string address_;
  std::string head_;
  std::string request_;
  std::string answer_;
  UniqueFd fd_;
};

}  // namespace sse::load
