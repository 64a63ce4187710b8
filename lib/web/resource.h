#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "net/reply.h"
#include "net/request_head.h"

namespace sse::web {

/// A file that is part of the program, with its compressed forms: answers GET and HEAD with conditional requests,
/// ranges and content coding (RFC 9110 §8.4, §13, §14). Thread safe.
class Resource {
 public:
  /// `bytes` must outlive this. `headers`: lines with their CRLF for every response.
  Resource(std::string_view type, std::string_view bytes, std::string headers)
      : type_(type), bytes_(bytes), headers_(std::move(headers)) {}

  /// `headers`: further lines with their CRLF.
  net::Reply answer(const net::RequestHead& head, const std::string& headers, bool keep_alive, WallTime now) const;

 private:
  const std::string type_;
  const std::string_view bytes_;
  const std::string headers_;
  // On first use, so that the server starts faster.
  mutable std::once_flag compressed_;
  mutable std::string tag_;
  mutable std::string gzip_;
  mutable std::string brotli_;
};

}  // namespace sse::web
