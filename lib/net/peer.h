#pragma once

#include <string>

namespace sse::net {

/// Where a request came from.
struct Peer {
  std::string address;  ///< without port; empty for a unix socket
  int port = 0;
};

/// What is known about the sender of a request before its body is read. Subclasses hold the details.
class Admission {
 public:
  virtual ~Admission() = default;
};

}  // namespace sse::net
