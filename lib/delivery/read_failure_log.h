#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/ids.h"

namespace sse::delivery {

/// Logs that pending messages cannot be read, at most once a second: while the store fails, every stream that opens
/// fails to read. Thread safe.
class ReadFailureLog {
 public:
  /// `clock` must outlive this object.
  ReadFailureLog(ServiceName service, const Clock& clock) : service_(std::move(service)), clock_(clock) {}

  /// `error`: the sentence of the failure.
  void report(const std::string& error);

 private:
  const ServiceName service_;
  const Clock& clock_;
  std::atomic<std::int64_t> last_{0};  // when a failure was last logged
};

}  // namespace sse::delivery
