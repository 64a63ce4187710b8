#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "application/activity_event.h"
#include "base/batched.h"
#include "base/mutex.h"
#include "delivery/sender.h"
#include "hub/observer.h"

namespace sse::application {

/// Receives activity events on loop and worker threads as they happen: must be quick, must not block or throw. An
/// implementation that needs longer uses a bounded queue.
class ActivityListener {
 public:
  virtual void offer(const ActivityEventRef& activity) = 0;
  /// False while the listener does not need every single send.
  virtual bool wants_sends() const { return false; }

 protected:
  ~ActivityListener() = default;
};

/// The log of all activity events: stores the latest of each kind and notifies the listeners. Thread safe. Each loop
/// thread collects its events in batches, which are merged when they are full or when the log is read.
class ActivityLog final : public hub::Observer {
 public:
  /// `clock` outlives this.
  explicit ActivityLog(const Clock& clock = Clock::system()) : clock_(clock) {}
  ActivityLog(const ActivityLog&) = delete;
  ActivityLog& operator=(const ActivityLog&) = delete;

  /// Call before the first event; the listener must outlive all publishers.
  void add_listener(ActivityListener& listener) { listeners_.push_back(&listener); }

  void publish(ActivityEvent activity) EXCLUDES(mutex_);
  /// Logs a page's request and the status of its answer.
  void requested(ActivityEvent::Type type, const ServiceName& service, hub::ConnectionInfo connection, std::string path,
                 int status);
  /// Logs that a request for a stream was refused. `connection`: what is known of it; it has no id.
  void refused(const ServiceName& service, hub::ConnectionInfo connection, int status, std::string_view reason,
               std::string sentence);
  /// Logs that a channel has its first stream on this node, or that its last one has been gone for the grace.
  void channel_occupied(const ServiceName& service, const std::string& channel, bool occupied);
  /// Logs the result of Sender::send_all().
  void sent(const ServiceName& service, const std::vector<delivery::SendRequest>& requests,
            const std::vector<delivery::SendOutcome>& outcomes);

  /// The latest activity events, oldest first; bounded in number and in bytes. Sends are stored separately, so that
  /// many of them do not displace the others; so are refusals, which strangers can cause.
  std::vector<ActivityEventRef> last() const EXCLUDES(mutex_);
  /// The sequence number of the latest activity event.
  std::uint64_t sequence() const { return sequence_.load(); }

  void connected(const ServiceName& service, hub::ConnectionInfo connection) override;
  void disconnected(const ServiceName& service, hub::ConnectionInfo connection, net::CloseReason reason,
                    std::string note) override;
  void listening_changed(const ServiceName& service, hub::ConnectionInfo connection, std::vector<std::string> names,
                         bool added) override;

 private:
  static constexpr std::size_t kBatchItems = 16;
  static constexpr std::size_t kBatchBytes = std::size_t{32} * 1024;

  ActivityEvent make_event(ActivityEvent::Type type, const ServiceName& service, hub::ConnectionInfo connection) const;
  void merge(std::vector<ActivityEventRef>& batch) const EXCLUDES(mutex_);

  const Clock& clock_;
  std::vector<ActivityListener*> listeners_;  // constant once events are published

  std::atomic<std::uint64_t> sequence_{0};
  // Mutable, because reading merges the batches.
  mutable Batched<ActivityEventRef> batched_{kBatchItems, kBatchBytes};
  mutable Mutex mutex_;  // acquired while a part of batched_ is locked
  struct StoredEvents {
    std::deque<ActivityEventRef> all;  // roughly oldest first
    std::size_t bytes = 0;
  };
  mutable StoredEvents presence_ GUARDED_BY(mutex_);
  mutable StoredEvents sends_ GUARDED_BY(mutex_);
  mutable StoredEvents refusals_ GUARDED_BY(mutex_);
};

}  // namespace sse::application
