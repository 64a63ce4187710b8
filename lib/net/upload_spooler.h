#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "net/byte_budget.h"
#include "net/event_loop.h"
#include "net/front_options.h"
#include "net/worker_pool.h"

namespace sse::net {

class RequestBody;

/// Where the request bodies of a front go: the limits for those in memory and on disk, and the threads that write the
/// large ones to disk, for which the loop must not wait.
class UploadSpooler {
 public:
  /// `options` and everything that it refers to must outlive the spooler.
  UploadSpooler(EventLoop& loop, const FrontOptions& options) : loop_(loop), options_(options) {}
  UploadSpooler(const UploadSpooler&) = delete;
  UploadSpooler& operator=(const UploadSpooler&) = delete;

  /// False: bodies of any size stay in memory.
  bool enabled() const { return options_.spoolers != nullptr; }
  /// Null: no limit.
  ByteBudget* memory() const { return options_.memory; }
  ByteBudget* disk() const { return options_.disk; }

  /// Takes one of the places for bodies on disk; false when there is none. Any thread.
  bool take_place();
  void return_place() { places_taken_.fetch_sub(1, std::memory_order_relaxed); }

  /// What happened to a body on its way to disk; empty when it was written.
  using Written = std::function<void(const std::string& problem)>;
  /// Appends the received part of `body` to its file on another thread, then calls `then` on the loop thread. Until
  /// then, only that thread may use the body. Returns false, and does nothing, when too many bodies wait. Loop thread.
  bool write(RequestBody& body, Written then);

 private:
  EventLoop& loop_;
  const FrontOptions& options_;
  std::atomic<std::size_t> places_taken_{0};
};

}  // namespace sse::net
