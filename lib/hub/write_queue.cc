#include "hub/write_queue.h"

#include "hub/connection.h"

namespace sse::hub {
namespace {

// Streams to prefetch: every write to a socket evicts the next streams from the CPU cache.
constexpr std::size_t kStreamsAhead = 8;
// Written entries that the list keeps at its beginning, at least.
constexpr std::size_t kMinWritten = 4096;
constexpr std::size_t kMaxIdle = 1024;

void prefetch_stream(const std::vector<Connection*>& list, std::size_t i) {
  if (i + kStreamsAhead < list.size()) __builtin_prefetch(static_cast<net::Stream*>(list[i + kStreamsAhead]), 1);
}

}  // namespace

void WriteQueue::add(Connection& connection) {
  if (connection.writes_later) return;
  connection.writes_later = true;
  later_.push_back(&connection);
}

void WriteQueue::add_first(Connection& connection) {
  if (connection.writes_first) return;
  connection.writes_first = true;
  first_.push_back(&connection);
}

void WriteQueue::write_first() {
  // No iterators: flush() may add to the lists (a replay that continues).
  for (std::size_t i = 0; i < first_.size(); ++i) {
    prefetch_stream(first_, i);
    first_[i]->writes_first = false;
    first_[i]->flush();
  }
  first_.clear();
}

void WriteQueue::write_some(Slice& slice) {
  bool over = false;
  while (waits() && !over) {
    prefetch_stream(later_, next_);
    Connection* connection = later_[next_++];
    connection->writes_later = false;
    if (connection->discarded) {
      destroy_(connection);
      continue;
    }
    // A full socket reports when it takes bytes again.
    if (!connection->blocked()) connection->flush();
    over = slice.spend();
  }
  if (!waits()) {
    later_.clear();
    next_ = 0;
  } else if (next_ >= kMinWritten && next_ >= later_.size() / 2) {
    later_.erase(later_.begin(), later_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
  }
}

void WriteQueue::discard(Connection* connection) {
  connection->discarded = connection->writes_later;
  if (!connection->discarded) destroy_(connection);
}

void WriteQueue::trim() {
  if (first_.empty() && first_.capacity() > kMaxIdle) first_.shrink_to_fit();
  if (later_.empty() && later_.capacity() > kMaxIdle) later_.shrink_to_fit();
}

}  // namespace sse::hub
