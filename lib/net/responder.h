#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "net/request_head.h"

namespace sse::net {

class HttpConnection;

/// Answers one request, once, from any thread. Destroyed without an answer, it sends 503: the server is shutting down.
class Responder {
 public:
  explicit Responder(HttpConnection& connection) : connection_(&connection) {}
  Responder(Responder&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Responder& operator=(Responder&&) = delete;
  ~Responder();

  /// `status`: 200 or an error status.
  void answer(int status, std::string_view content_type, std::string_view body);

 private:
  friend class HttpConnection;
  /// Takes the duty to answer back; false when the responder has none any more.
  bool withdraw() { return std::exchange(connection_, nullptr) != nullptr; }

  HttpConnection* connection_;
};

/// Handles a complete request on the loop thread. It moves the responder out and returns true when it will answer, or
/// returns false to leave the request to the workers. For frequent requests that never block; must be quick and must
/// not throw.
using FastHandler = std::function<bool(const RequestHead& head, std::string_view body, Responder& responder)>;

}  // namespace sse::net
