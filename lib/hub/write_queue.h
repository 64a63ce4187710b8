#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "hub/slice.h"

namespace sse::hub {

struct Connection;

/// The connections of a shard whose streams have something to write: those that a small delivery reached, which are
/// written first, and all others, in the order in which they got something, in slices. Loop thread only.
class WriteQueue {
 public:
  /// `destroy`: of a connection that was discarded while it was queued.
  explicit WriteQueue(std::function<void(Connection*)> destroy) : destroy_(std::move(destroy)) {}

  void add(Connection& connection);
  void add_first(Connection& connection);
  /// Whether write_some() has something to do.
  bool waits() const { return next_ < later_.size(); }
  /// Writes to those of add_first().
  void write_first();
  /// Writes to the others until the slice is over.
  void write_some(Slice& slice);
  /// Its stream is closed: destroys it, at once or, if it is queued, when its turn comes. REQUIRES: after
  /// write_first().
  void discard(Connection* connection);
  /// Frees memory that a burst has left.
  void trim();

 private:
  const std::function<void(Connection*)> destroy_;
  std::vector<Connection*> first_;
  std::vector<Connection*> later_;
  std::size_t next_ = 0;  // of later_
};

}  // namespace sse::hub
