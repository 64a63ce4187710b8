#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/batched.h"
#include "base/mutex.h"
#include "delivery/sender.h"
#include "gateway/happening.h"
#include "hub/observer.h"

namespace sse::gateway {

/// Takes happenings as they come, on loop and worker threads: must be quick, must not block, must not throw. Where that
/// is not enough, it queues, with a bound.
class HappeningSink {
 public:
  virtual void offer(const HappeningRef& happening) = 0;
  /// False while nobody would look at every single send.
  virtual bool wants_sends() const { return false; }

 protected:
  ~HappeningSink() = default;
};

/// The one place where everything that happens passes: remembers the last of each and tells the sinks. Thread safe;
/// loop threads bring here in batches what happened there, and when somebody looks.
class Happenings final : public hub::Observer {
 public:
  /// `clock` outlives this.
  explicit Happenings(const Clock& clock = Clock::system()) : clock_(clock) {}
  Happenings(const Happenings&) = delete;
  Happenings& operator=(const Happenings&) = delete;

  /// Before anything happens; must outlive what publishes.
  void add_sink(HappeningSink& sink) { sinks_.push_back(&sink); }

  void publish(Happening happening) EXCLUDES(mutex_);
  /// A page's request and what it was answered.
  void requested(Happening::Type type, const ServiceName& service, hub::ConnectionInfo connection, std::string path,
                 int status);
  /// What Sender::send_all() did.
  void sent(const ServiceName& service, const std::vector<delivery::SendRequest>& requests,
            const std::vector<delivery::SendOutcome>& outcomes);

  /// The last happenings, oldest first; bounded in number and in bytes. Sends are kept apart: many of them do not push
  /// the others out.
  std::vector<HappeningRef> last() const EXCLUDES(mutex_);
  /// Of the latest happening.
  std::uint64_t sequence() const { return sequence_.load(); }

  void connected(const ServiceName& service, hub::ConnectionInfo connection) override;
  void disconnected(const ServiceName& service, hub::ConnectionInfo connection, net::CloseReason reason,
                    std::string note) override;
  void listening_changed(const ServiceName& service, hub::ConnectionInfo connection, std::vector<std::string> names,
                         bool added) override;

 private:
  static constexpr std::size_t kBatchItems = 16;
  static constexpr std::size_t kBatchBytes = std::size_t{32} * 1024;

  Happening about(Happening::Type type, const ServiceName& service, hub::ConnectionInfo connection) const;
  void take(std::vector<HappeningRef>& batch) const EXCLUDES(mutex_);

  const Clock& clock_;
  std::vector<HappeningSink*> sinks_;  // constant once things happen

  std::atomic<std::uint64_t> sequence_{0};
  // What is brought together when somebody looks is mutable.
  mutable Batched<HappeningRef> batched_{kBatchItems, kBatchBytes};
  mutable Mutex mutex_;  // taken with a part of batched_ held
  struct Kept {
    std::deque<HappeningRef> all;  // about oldest first
    std::size_t bytes = 0;
  };
  mutable Kept presence_ GUARDED_BY(mutex_);
  mutable Kept sends_ GUARDED_BY(mutex_);
};

}  // namespace sse::gateway
