#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/node_number.h"
#include "cluster/nacos/nacos_discovery.h"
#include "observe/log.h"

// The part of NacosDiscovery that registers a node which starts.
namespace sse::cluster {
namespace {

constexpr std::chrono::milliseconds kPollInterval{200};
constexpr std::chrono::milliseconds kFirstRetry{250};
constexpr std::chrono::milliseconds kLastRetry{2000};
constexpr unsigned kMaxAttempts = 20;

// Nacos knows a user that was just created, and its rights, only some seconds later.
bool may_be_over_soon(const Error& error) {
  return error.code() == ErrorCode::kUnavailable || error.code() == ErrorCode::kPermissionDenied;
}

}  // namespace

void NacosDiscovery::refuse_id() const {
  throw Error(ErrorCode::kConflict,
              "another node of this cluster has the id '" + printable(id_) + "'; give each node its own --server-id");
}

std::vector<NacosDiscovery::Entry> NacosDiscovery::remove_stale_entries() {
  const SteadyTime deadline = clock_.steady_now() + options_.join_timeout;
  for (;;) {
    std::vector<Entry> all = entries();
    bool in_the_way = false;
    for (const Entry& entry : all) {
      // An entry with this node's own address can only be of an earlier run.
      if (entry.node.id != id_ || entry.run == options_.run || entry.address == options_.address || !entry.live())
        continue;
      const Liveness life =
          options_.probe_liveness ? options_.probe_liveness(entry.address, id_, entry.run) : Liveness::kUnknown;
      if (life == Liveness::kAlive) refuse_id();
      if (life == Liveness::kDead) {
        client_.remove(entry.instance);
      } else {
        in_the_way = true;
      }
    }
    if (!in_the_way) return all;
    if (clock_.steady_now() > deadline) refuse_id();
    clock_.sleep_for(kPollInterval);
  }
}

// Waits until Nacos shows this node. The returned entries were read after this node was registered.
std::vector<NacosDiscovery::Entry> NacosDiscovery::wait_to_be_seen() {
  const SteadyTime deadline = clock_.steady_now() + options_.unlisted_after;
  for (;;) {
    std::vector<Entry> all = entries();
    const bool seen = std::ranges::any_of(all, [&, number = number_](const Entry& entry) {
      return entry.run == options_.run && entry.node.number == number && entry.address == options_.address;
    });
    if (seen) return all;
    const bool late = clock_.steady_now() > deadline;
    if (late || clock_.steady_now() - beaten_ > options_.beat) {
      const bool known = client_.beat(instance(false));
      if (known) beaten_ = clock_.steady_now();
      // Disabled in Nacos before it was started: nodes() says so.
      if (late && known) return all;
      if (late) {
        throw Error(ErrorCode::kUnavailable, "Nacos registered this node but does not list it within " +
                                                 format_duration(options_.unlisted_after) + "; see the log of Nacos");
      }
    }
    clock_.sleep_for(kPollInterval);
  }
}

unsigned NacosDiscovery::register_node() {
  std::vector<Entry> all = remove_stale_entries();
  for (unsigned attempt = 0; attempt < kMaxAttempts; ++attempt) {
    std::set<unsigned> taken;
    const auto others = [&, id = id_](const Entry& entry) {
      return entry.run != options_.run && entry.address != options_.address && entry.node.id != id;
    };
    for (const Entry& entry : all) {
      if (others(entry)) taken.insert(entry.node.number);
    }
    number_ = pick_number(id_, taken, attempt);
    enter(false);
    all = wait_to_be_seen();
    bool clash = false;
    for (const Entry& entry : all) {
      if (entry.node.id == id_ && entry.run != options_.run && entry.address != options_.address && entry.live()) {
        client_.remove(instance(false));
        refuse_id();
      }
      clash = clash || (others(entry) && entry.node.number == number_);
    }
    if (clash) continue;
    enter(true);
    registered_ = true;
    return number_;
  }
  client_.remove(instance(false));
  throw Error(ErrorCode::kConflict,
              "could not agree on a number with the nodes that start at the same time; "
              "start this node again");
}

unsigned NacosDiscovery::join(const std::string& id, const event::Json& facts) {
  const MutexLock lock(mutex_);
  id_ = id;
  facts_ = latest_ = facts;
  const SteadyTime deadline = clock_.steady_now() + options_.start_timeout;
  std::chrono::milliseconds pause = kFirstRetry;
  for (bool first = true;; first = false) {
    try {
      register_node();
      break;
    } catch (const Error& error) {
      if (!may_be_over_soon(error)) throw;
      if (clock_.steady_now() + pause > deadline) {
        if (error.code() != ErrorCode::kUnavailable) throw;
        number_ = pick_number(id_, {}, 0);
        break;
      }
      if (first) {
        observe::log_warn("Nacos cannot be used yet; trying again",
                          {{"for", format_duration(options_.start_timeout)}, {"error", error.what()}});
      }
    }
    clock_.sleep_for(pause);
    pause = std::min(2 * pause, kLastRetry);
  }
  joined_ = true;
  say_hello();
  return number_;
}

// After a start without Nacos. Nodes that were registered meanwhile may have the id or the number.
void NacosDiscovery::register_late() {
  look_for_conflict(entries());
  if (!conflict_.empty()) return;
  enter(true);
  registered_ = true;
}

}  // namespace sse::cluster
