#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sse::cluster {

/// Receives a response body of httplib in chunks and aborts it beyond `max_bytes` bytes, so that a peer's response
/// cannot use more memory than that. For one request, which must not outlive it.
class BoundedBody {
 public:
  /// `request` is a httplib::Request; a template, so that its header is not needed here.
  template <class Request>
  BoundedBody(Request& request, std::size_t max_bytes) {
    request.content_receiver = [this, max_bytes](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
      too_large_ = body_.size() + size > max_bytes;
      if (!too_large_) body_.append(data, size);
      return !too_large_;
    };
  }
  BoundedBody(const BoundedBody&) = delete;
  BoundedBody& operator=(const BoundedBody&) = delete;

  bool too_large() const { return too_large_; }
  std::string take() { return std::move(body_); }

 private:
  std::string body_;
  bool too_large_ = false;
};

}  // namespace sse::cluster
