#include "server/canary_meter.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/units.h"
#include "observe/log.h"

namespace sse::server {
namespace {

constexpr std::string_view kConnectFailed = "connect";
constexpr std::string_view kEventLost = "lost";
constexpr std::string_view kEventLate = "late";

// In seconds. A bound at 0.2, for the objective in the alerts that come with the server, and one at kLate.
std::vector<double> canary_times() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10};
}

std::string after(SteadyTime::duration time) {
  return "an event arrived only after " + format_duration(std::chrono::ceil<std::chrono::milliseconds>(time));
}

}  // namespace

std::string_view origin_name(CanaryMeter::Origin origin) {
  return origin == CanaryMeter::Origin::kOwn ? "own" : "other";
}

CanaryMeter::CanaryMeter(std::string node, std::string url, bool in_cluster, observe::Registry& metrics,
                         const Clock& clock)
    : node_(std::move(node)),
      url_(std::move(url)),
      clock_(clock),
      next_((std::uint64_t{std::random_device()()} << 20) | 1) {
  register_side(Origin::kOwn, metrics);
  if (in_cluster) register_side(Origin::kOther, metrics);
}

void CanaryMeter::register_side(Origin origin, observe::Registry& metrics) {
  const MutexLock lock(mutex_);
  const std::string name(origin_name(origin));
  Side& of = side(origin);
  of.sent = &metrics.counter("sse_canary_sent_total",
                             "Events that the canary should have got through the public address, by who sent them",
                             {{"origin", name}});
  of.received = &metrics.counter("sse_canary_received_total", "Those of them that have arrived", {{"origin", name}});
  for (const std::string_view reason : {kConnectFailed, kEventLost, kEventLate}) {
    of.failed[reason] = &metrics.counter("sse_canary_failed_total",
                                         "Those of them for which there was no stream (connect), that did not arrive "
                                         "(lost) or took over a second (late)",
                                         {{"origin", name}, {"reason", std::string(reason)}});
  }
  of.time = &metrics.histogram("sse_canary_delivery_seconds",
                               "From the send of the canary's event until it has arrived through the public address",
                               canary_times(), {{"origin", name}});
  of.last_success =
      &metrics.gauge("sse_canary_last_success_timestamp_seconds",
                     "When the last event of the canary arrived in time; 0: none yet", {{"origin", name}});
}

std::uint64_t CanaryMeter::begin(const std::vector<std::string>& others) {
  const MutexLock lock(mutex_);
  const std::uint64_t id = next_++;
  rounds_.emplace(id, Round{.sent = clock_.steady_now(), .others_wait = {others.begin(), others.end()}});
  side(Origin::kOwn).sent->add();
  if (Side& of = side(Origin::kOther); others.empty() && of.state.failing) {
    of.state.failing = false;
    of.state.measured = false;
    of.state.error.clear();
    log_change(Origin::kOther, of);
  }
  return id;
}

void CanaryMeter::begin_without_stream(const std::string& why) {
  const MutexLock lock(mutex_);
  side(Origin::kOwn).sent->add();
  note_failure(Origin::kOwn, kConnectFailed);
  end_round(Origin::kOwn, why);
}

bool CanaryMeter::arrived(std::uint64_t id, const std::string& from) {
  const MutexLock lock(mutex_);
  const auto found = rounds_.find(id);
  if (found == rounds_.end()) return false;
  Round& round = found->second;
  const bool own = from == node_;
  if (own ? !round.own_waits : round.others_wait.erase(from) == 0) return false;
  const SteadyTime::duration took = clock_.steady_now() - round.sent;
  const Origin origin = own ? Origin::kOwn : Origin::kOther;
  Side& of = side(origin);
  if (!own) of.sent->add();
  of.received->add();
  of.time->observe(std::chrono::duration<double>(took).count());
  std::string failure;
  if (took > kLate) {
    note_failure(origin, kEventLate);
    failure = after(took) + (own ? "" : " from " + from);
  } else {
    of.state.last_success = clock_.wall_now();
    of.state.last_duration = std::chrono::duration_cast<std::chrono::microseconds>(took);
    of.last_success->set(to_millis(*of.state.last_success) / 1000);
  }
  if (own) {
    round.own_waits = false;
    end_round(Origin::kOwn, failure);
  } else {
    if (!failure.empty()) round.other_failure = failure;
    if (round.others_wait.empty()) end_round(Origin::kOther, round.other_failure.value_or(""));
  }
  if (!round.own_waits && round.others_wait.empty()) rounds_.erase(found);
  return true;
}

void CanaryMeter::give_up(Round& round, const std::string& why) {
  if (round.own_waits) {
    note_failure(Origin::kOwn, kEventLost);
    end_round(Origin::kOwn, why);
  }
  if (round.others_wait.empty()) return;
  side(Origin::kOther).sent->add(round.others_wait.size());
  for (std::size_t i = 0; i < round.others_wait.size(); ++i) note_failure(Origin::kOther, kEventLost);
  const std::size_t more = round.others_wait.size() - 1;
  end_round(Origin::kOther, why + " (of " + *round.others_wait.begin() +
                                (more == 0 ? "" : " and " + std::to_string(more) + " other nodes") + ")");
}

void CanaryMeter::stream_ended(const std::string& why) {
  const MutexLock lock(mutex_);
  for (auto& [id, round] : rounds_) give_up(round, "the stream ended before an event had arrived: " + why);
  rounds_.clear();
}

void CanaryMeter::expire(const std::function<std::vector<std::string>()>& others) {
  const MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady_now();
  std::optional<std::vector<std::string>> listed;
  // Ids ascend in time.
  while (!rounds_.empty() && now - rounds_.begin()->second.sent > kLost) {
    Round& round = rounds_.begin()->second;
    if (!round.others_wait.empty() && !listed) listed = others();
    std::erase_if(round.others_wait,
                  [&](const std::string& node) { return std::ranges::find(*listed, node) == listed->end(); });
    give_up(round, "an event did not arrive within " + format_duration(kLost));
    rounds_.erase(rounds_.begin());
  }
}

void CanaryMeter::pause() {
  const MutexLock lock(mutex_);
  rounds_.clear();
}

CanaryMeter::State CanaryMeter::state(Origin origin) const {
  const MutexLock lock(mutex_);
  return sides_[static_cast<std::size_t>(origin)].state;
}

void CanaryMeter::note_failure(Origin origin, std::string_view reason) {
  side(origin).failed.at(reason)->add();
}

void CanaryMeter::end_round(Origin origin, const std::string& failure) {
  Side& of = side(origin);
  of.state.measured = true;
  const bool was_failing = of.state.failing;
  if (!failure.empty()) {
    of.good_rounds = 0;
    of.state.failing = true;
    of.state.error = failure;
    if (!was_failing) of.failing_since = clock_.wall_now();
  } else if (was_failing && ++of.good_rounds == kRoundsToRecover) {
    of.state.failing = false;
    of.state.error.clear();
  }
  if (of.state.failing != was_failing) log_change(origin, of);
}

void CanaryMeter::log_change(Origin origin, const Side& of) const {
  const bool own = origin == Origin::kOwn;
  if (of.state.failing) {
    observe::log_warn(own ? "the canary fails: events of this server do not arrive through its public address in time"
                          : "the canary fails: events of other nodes do not arrive through the public address in time",
                      {{"origin", std::string(origin_name(origin))}, {"url", url_}, {"error", of.state.error}});
    return;
  }
  observe::log_info("the canary has recovered", {{"origin", std::string(origin_name(origin))},
                                                 {"url", url_},
                                                 {"failed", format_age(clock_.wall_now() - of.failing_since)}});
}

}  // namespace sse::server
