#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
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
  explicit ActivityLog(const Clock& clock = Clock::system());
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
  /// Logs what became of messages that were sent with `notify`.
  void reported(const std::vector<DeliveryReport>& reports);
  /// Logs the result of Sender::send_all().
  void sent(const ServiceName& service, const std::vector<delivery::SendRequest>& requests,
            const std::vector<delivery::SendOutcome>& outcomes);

  /// The latest activity events, oldest first; bounded in number and in bytes. Sends are stored separately, so that
  /// many of them do not displace the others; so are refusals, which strangers can cause, and delivery reports.
  std::vector<ActivityEventRef> last() const EXCLUDES(mutex_);
  /// The sequence number of the latest activity event.
  std::uint64_t sequence() const { return sequence_.load(); }

  /// What a client gets that has had all activity events up to a cursor.
  struct Resumed {
    std::vector<ActivityEventRef> events;  ///< all later ones that are stored, in order
    bool gap = false;                      ///< there were later ones, of the types in question, that are not stored
    bool restarted = false;                ///< the cursor is that of another run of the server, or of another server
    /// How many later ones are not stored, of all types; nothing: unknown.
    std::optional<std::uint64_t> lost{};
  };
  /// `types`: those that count for `gap`; empty: all. Throws Error(kInvalidArgument) for a text that is no cursor.
  Resumed since(std::string_view cursor, const std::set<ActivityEvent::Type>& types) const EXCLUDES(mutex_);
  /// The cursor of a client that has had all activity events up to this sequence number: with a word for this run of
  /// the server, as the numbers begin anew.
  std::string cursor_of(std::uint64_t sequence) const { return run_ + "-" + std::to_string(sequence); }

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
    std::uint64_t lost = 0;  // up to this sequence number one or more are no longer stored
    bool skipped = false;    // some never were, so that there is no count
  };
  enum Kind : unsigned char { kPresence, kSends, kRefusals, kReports, kKinds };
  static Kind kind_of(ActivityEvent::Type type);
  void skip_sends() EXCLUDES(mutex_);
  std::vector<ActivityEventRef> in_order() const REQUIRES(mutex_);

  const std::string run_;
  mutable std::array<StoredEvents, kKinds> stored_ GUARDED_BY(mutex_);
};

}  // namespace sse::application
