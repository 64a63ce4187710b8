#pragma once

#include <string>

#include "base/error.h"

namespace sse::net {

/// An Error that is answered with its own status instead of the status of its code.
class StatusError : public Error {
 public:
  /// `status`: 400 to 599.
  StatusError(int status, const std::string& sentence)
      : Error(ErrorCode::kPermissionDenied, sentence), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

}  // namespace sse::net
