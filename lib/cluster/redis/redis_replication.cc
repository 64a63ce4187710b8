#include "cluster/redis/redis_replication.h"

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "observe/barrier.h"
#include "observe/metrics.h"

namespace sse::cluster {
namespace {

// A fail-over loses at most what was accepted in some seconds.
constexpr std::size_t kMaxAccepted = 65'536;

}  // namespace

void RedisReplication::await(Then then) {
  if (options_.replicas == 0) {
    then("");
    return;
  }
  std::vector<Then> group;
  {
    const MutexLock lock(mutex_);
    next_.push_back(std::move(then));
    if (std::exchange(waiting_, true)) return;
    group.swap(next_);
  }
  wait(std::move(group));
}

// Redis holds back this connection until the replicas have what it wrote, or the time is over.
void RedisReplication::wait(std::vector<Then> group) {
  // Shared, because a std::function must be copyable.
  const auto shared = std::make_shared<std::vector<Then>>(std::move(group));
  link_.call({"WAIT", std::to_string(options_.replicas), std::to_string(options_.timeout.count())},
             [this, shared](const RedisReply& reply) {
               std::string why;
               if (reply.is_error()) {
                 why = error_in(reply).what();
               } else if (reply.integer < static_cast<std::int64_t>(options_.replicas)) {
                 why = "only " + std::to_string(reply.integer) + " of " + std::to_string(options_.replicas) +
                       " replicas of Redis have the message within " + format_duration(options_.timeout) +
                       " (--qos-replicas); it is stored, and lost if the primary is";
               }
               for (const Then& then : *shared) observe::guarded("a stored message", [&] { then(why); });
               std::vector<Then> following;
               {
                 const MutexLock lock(mutex_);
                 following.swap(next_);
                 waiting_ = !following.empty();
               }
               if (!following.empty()) wait(std::move(following));
             });
}

void RedisReplication::accepted(std::string member) {
  const MutexLock lock(mutex_);
  // Nearly always the newest one: replies come in the order of the commits.
  const auto at = std::ranges::upper_bound(accepted_, member);
  accepted_.insert(at, std::move(member));
  if (accepted_.size() <= kMaxAccepted) return;
  accepted_.pop_front();
  forgot_ = true;
}

void RedisReplication::greeted(const RedisReply& last) {
  std::size_t missing = 0;
  bool more = false;
  {
    const MutexLock lock(mutex_);
    // A Redis that knows nothing of this node was emptied, which is noticed elsewhere.
    if (!last.is_nil() && !last.is_error()) {
      missing = static_cast<std::size_t>(accepted_.end() - std::ranges::upper_bound(accepted_, last.text));
      more = forgot_ && missing == accepted_.size();
    }
    accepted_.clear();
    forgot_ = false;
  }
  if (missing == 0) return;
  if (options_.lost != nullptr) options_.lost->add(missing);
  if (options_.report) {
    options_.report(
        (more ? "at least " : "") + std::to_string(missing) +
        " messages that this node accepted have not reached the Redis that it uses now: those that were not "
        "delivered before are lost (--qos-replicas 1 accepts a message only when a replica has it)");
  }
}

}  // namespace sse::cluster
