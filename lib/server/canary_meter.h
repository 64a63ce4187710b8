#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "observe/metrics.h"

namespace sse::server {

/// What a canary has found: matches the events that arrive with those that were sent, counts and times them, and logs
/// when they begin to fail and when they arrive again. Thread safe.
///
/// A round is one event of this node and one of each other node. It fails if one of them does not arrive in time. After
/// a failure kRoundsToRecover good rounds are a recovery, so that a loss now and then does not fill the log.
/// Events of other nodes are counted as sent only when it is known what became of them.
class CanaryMeter {
 public:
  /// An event that takes longer is late: it is counted as received and as failed.
  static constexpr std::chrono::milliseconds kLate{1000};
  /// An event that takes longer is lost.
  static constexpr std::chrono::milliseconds kLost{10'000};
  static constexpr int kRoundsToRecover = 2;

  /// The node that has sent an event: this one, or another. The values of the label `origin`.
  enum class Origin : unsigned char { kOwn, kOther };

  /// `node`: the id of this node; `url`: of the public address, for the log. `in_cluster`: there may be other nodes.
  /// References must outlive this.
  CanaryMeter(std::string node, std::string url, bool in_cluster, observe::Registry& metrics, const Clock& clock);

  /// A round begins now, with events of this node and of `others`. Returns the id that they have.
  std::uint64_t begin(const std::vector<std::string>& others) EXCLUDES(mutex_);
  /// A round without a stream that could bring events: it has failed. `why`: there is none.
  void begin_without_stream(const std::string& why) EXCLUDES(mutex_);
  /// An event of the node `from` has arrived. False if it was not expected.
  bool arrived(std::uint64_t id, const std::string& from) EXCLUDES(mutex_);
  /// The events that are still on their way do not arrive, because the stream has ended.
  void stream_ended(const std::string& why) EXCLUDES(mutex_);
  /// Gives up events that are lost, but forgets those of nodes that are no longer among `others()`: they have left, or
  /// are dead, which other alerts say. To be called about once a second; calls `others` only if an event is lost.
  void expire(const std::function<std::vector<std::string>()>& others) EXCLUDES(mutex_);
  /// Forgets the events that are on their way: the server does not serve now.
  void pause() EXCLUDES(mutex_);

  /// What is known of one origin.
  struct State {
    bool measured = false;                      ///< a round has succeeded or failed
    bool failing = false;                       ///< as in the log
    std::string error{};                        ///< of the last failure, while it fails
    std::optional<WallTime> last_success{};     ///< the last event that was neither late nor lost
    std::chrono::microseconds last_duration{};  ///< of that event
  };
  State state(Origin origin) const EXCLUDES(mutex_);

 private:
  struct Round {
    SteadyTime sent;
    bool own_waits = true;
    std::set<std::string> others_wait;
    std::optional<std::string> other_failure{};
  };
  using Rounds = std::map<std::uint64_t, Round>;
  // The metrics and the state of an origin.
  struct Side {
    observe::Counter* sent = nullptr;
    observe::Counter* received = nullptr;
    std::map<std::string_view, observe::Counter*> failed;  // by reason
    observe::Histogram* time = nullptr;
    observe::Gauge* last_success = nullptr;
    State state;
    WallTime failing_since;
    int good_rounds = 0;  // since the last failure
  };

  void register_side(Origin origin, observe::Registry& metrics);
  Side& side(Origin origin) REQUIRES(mutex_) { return sides_[static_cast<std::size_t>(origin)]; }
  void note_failure(Origin origin, std::string_view reason) REQUIRES(mutex_);
  void end_round(Origin origin, const std::string& failure) REQUIRES(mutex_);
  void give_up(Round& round, const std::string& why) REQUIRES(mutex_);
  void log_change(Origin origin, const Side& of) const REQUIRES(mutex_);

  const std::string node_;
  const std::string url_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::array<Side, 2> sides_ GUARDED_BY(mutex_);
  Rounds rounds_ GUARDED_BY(mutex_);  // with events that are on their way
  // Not from 1: another server at that address should not guess it.
  std::uint64_t next_ GUARDED_BY(mutex_);
};

/// The value of the label `origin`: `own` or `other`.
std::string_view origin_name(CanaryMeter::Origin origin);

}  // namespace sse::server
