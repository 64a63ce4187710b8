#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "net/http_front.h"
#include "net/worker_pool.h"

namespace sse::application {

struct BulkheadOptions {
  const Clock* clock = &Clock::system();  ///< outlives them
  std::vector<std::string> services;      ///< URL paths of the services
  bool connects_may_block = false;        ///< an external service decides which pages may connect
  std::size_t threads = 32;               ///< maximum per pool
  std::chrono::milliseconds max_wait{5000};
  ByteCount max_body;
  ByteCount max_upload;
};

/// Isolates requests that may wait for the application (bulkhead pattern): connects have their own threads, as have
/// messages and uploads. An application that hangs causes errors for its own pages only.
class Bulkheads {
 public:
  explicit Bulkheads(BulkheadOptions options);

  /// How the HTTP front handles a request: its worker pool and limits. Thread safe.
  net::RequestPlan plan(const net::RequestHead& head);
  void stop();
  /// The threads that write uploads to disk.
  net::WorkerPool& spoolers() { return spoolers_; }

 private:
  const BulkheadOptions options_;
  net::WorkerPool connects_;
  net::WorkerPool requests_;
  net::WorkerPool spoolers_;
};

}  // namespace sse::application
