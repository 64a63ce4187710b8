#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "net/http_front.h"
#include "net/worker_pool.h"

namespace sse::gateway {

struct BulkheadOptions {
  const Clock* clock = &Clock::system();  ///< outlives them
  std::vector<std::string> services;      ///< their paths
  bool connects_may_block = false;        ///< somebody outside is asked who may connect
  std::size_t threads = 32;               ///< most of each pool
  std::chrono::milliseconds most_wait{5000};
  ByteCount max_body;
  ByteCount max_upload;
};

/// Keeps requests that may wait for the application apart from the rest: connects have threads of their own, messages
/// and uploads, too. So an application that hangs costs its own pages an error, and nobody else anything.
class Bulkheads {
 public:
  explicit Bulkheads(BulkheadOptions options);

  /// What the front is to do with a request. Thread safe.
  net::RequestPlan plan(const net::RequestHead& head);
  void stop();
  /// Write uploads to disk.
  net::WorkerPool& spoolers() { return spoolers_; }

 private:
  const BulkheadOptions options_;
  net::WorkerPool connects_;
  net::WorkerPool requests_;
  net::WorkerPool spoolers_;
};

}  // namespace sse::gateway
