#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sse::cluster {

/// Takes the body of a response piece by piece and breaks it off where it gets larger than `most` bytes, so that what a
/// neighbour answers takes no more memory than it may. Made for one request, which it must outlive.
class BoundedBody {
 public:
  /// `request`: a httplib::Request, whose header is not needed here.
  template <class Request>
  BoundedBody(Request& request, std::size_t most) {
    request.content_receiver = [this, most](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
      too_large_ = body_.size() + size > most;
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
