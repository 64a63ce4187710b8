#include "application/report_dispatcher.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "application/activity_event.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::application {
namespace {

// Claimed and not yet called: a dead hook makes the outbox wait, not this process.
constexpr std::size_t kMaxUncalled = 512;
// Those that were called in vain are held as well, so that however many the hook refuses, others follow.
constexpr std::uint64_t kMaxHeldBytes = std::uint64_t{4} << 20;
constexpr std::chrono::milliseconds kFirstReportPause{200};
constexpr std::chrono::milliseconds kMaxReportPause{60'000};
// While no call succeeds, the callers begin anew after this long at most.
constexpr std::chrono::milliseconds kMaxHookPause{30'000};
// Reports of another node, whose claims have ended, are found then.
constexpr std::chrono::milliseconds kOutboxLook{1000};
constexpr std::chrono::milliseconds kReportStopGrace{1000};

}  // namespace

ReportDispatcher::ReportDispatcher(HookCaller& caller, store::Outbox& outbox, observe::Registry& metrics,
                                   const Clock& clock)
    : caller_(caller),
      outbox_(outbox),
      clock_(clock),
      accepted_(metrics.counter("sse_outbox_accepted_total", "Delivery reports that the application's hook accepted")),
      retries_(
          metrics.counter("sse_outbox_retries_total", "Calls with a delivery report that the hook did not accept")),
      renew_at_(clock.steady_now() + store::Outbox::kLease / 3),
      hook_pause_(kFirstReportPause) {}

void ReportDispatcher::start() {
  keeper_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-outbox");
    run_keeper();
  });
  for (std::thread& caller : callers_) {
    caller = std::thread([this] {
      pthread_setname_np(pthread_self(), "sse-report");
      run_caller();
    });
  }
}

void ReportDispatcher::wake() {
  const MutexLock lock(mutex_);
  more_ = true;
  keeper_changed_.notify_one();
}

void ReportDispatcher::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    keeper_changed_.notify_all();
    callers_changed_.notify_all();
    // By the system's clock: a test may have stopped the other.
    const SteadyTime until = Clock::system().steady_now() + kReportStopGrace;
    while (calling_ > 0 && keeper_changed_.wait_until(mutex_, until, Clock::system())) {
    }
  }
  caller_.stop_reports();
  for (std::thread& caller : callers_) {
    if (caller.joinable()) caller.join();
  }
  if (!keeper_.joinable()) return;
  keeper_.join();
  try {
    remove_accepted();
  } catch (const Error& e) {
    observe::log_warn("accepted delivery reports are still in the outbox, and will be repeated", {{"error", e.what()}});
  }
}

bool ReportDispatcher::may_claim() const {
  // Not a query of the store for each report.
  return more_ && uncalled_ <= kMaxUncalled / 2 && held_bytes_ < kMaxHeldBytes;
}

// False when it is time to stop.
bool ReportDispatcher::wait_for_work() {
  for (;;) {
    if (stopping_) return false;
    const SteadyTime now = clock_.steady_now();
    if (now >= renew_at_ && !held_.empty()) return true;
    if (now >= look_at_) {
      more_ = more_ || outbox_.waiting_reports() > held_.size() + removable_.size();
      if (may_claim() || !removable_.empty()) return true;
      look_at_ = now + kOutboxLook;
    } else if (!store_fails_ && (may_claim() || !removable_.empty())) {
      return true;
    }
    keeper_changed_.wait_until(mutex_, held_.empty() ? look_at_ : std::min(look_at_, renew_at_), clock_);
  }
}

void ReportDispatcher::run_keeper() {
  for (;;) {
    bool claims = false;
    bool renews = false;
    {
      const MutexLock lock(mutex_);
      if (!wait_for_work()) return;
      claims = may_claim();
      renews = clock_.steady_now() >= renew_at_;
    }
    observe::guarded("the delivery reports in the outbox", [&] {
      std::string failure;
      try {
        remove_accepted();
        if (claims) claim();
        if (renews) renew();
      } catch (const Error& e) {
        failure = e.what();
      }
      const MutexLock lock(mutex_);
      store_fails_ = !failure.empty();
      if (store_fails_) {
        look_at_ = clock_.steady_now() + kOutboxLook;
        log_failure("the outbox of delivery reports cannot be read or written; trying again", failure);
      }
    });
  }
}

void ReportDispatcher::remove_accepted() {
  std::vector<Number> numbers;
  {
    const MutexLock lock(mutex_);
    numbers = std::exchange(removable_, {});
  }
  if (numbers.empty()) return;
  try {
    outbox_.remove_reports(numbers);
  } catch (const Error&) {
    const MutexLock lock(mutex_);
    removable_.insert(removable_.end(), numbers.begin(), numbers.end());
    throw;
  }
}

void ReportDispatcher::claim() {
  std::size_t room = 0;
  {
    const MutexLock lock(mutex_);
    room = kMaxUncalled - std::min(uncalled_, kMaxUncalled);
    more_ = false;
  }
  std::vector<store::StoredReport> claimed;
  try {
    claimed = outbox_.claim_reports(room);
  } catch (const Error&) {
    const MutexLock lock(mutex_);
    more_ = true;
    throw;
  }
  const MutexLock lock(mutex_);
  more_ = more_ || claimed.size() == room;
  const SteadyTime now = clock_.steady_now();
  for (store::StoredReport& one : claimed) {
    // Claimed anew after this node's claim has ended: it is held already.
    const std::uint64_t bytes = store::bytes_of(one.report);
    if (!held_.try_emplace(one.number, Held{std::move(one.report), kFirstReportPause}).second) continue;
    due_.emplace(now, one.number);
    ++uncalled_;
    held_bytes_ += bytes;
  }
  callers_changed_.notify_all();
}

void ReportDispatcher::renew() {
  std::vector<Number> numbers;
  {
    const MutexLock lock(mutex_);
    renew_at_ = clock_.steady_now() + store::Outbox::kLease / 3;
    for (const auto& [number, held] : held_) numbers.push_back(number);
  }
  outbox_.renew_claims(numbers);
}

void ReportDispatcher::run_caller() {
  while (const std::optional<store::StoredReport> next = next_due()) {
    const bool accepted = call(next->report);
    const MutexLock lock(mutex_);
    --calling_;
    if (accepted) {
      held_bytes_ -= store::bytes_of(next->report);
      held_.erase(next->number);
      removable_.push_back(next->number);
      hook_pause_ = kFirstReportPause;
      call_at_ = {};
    } else {
      failed(next->number);
    }
    keeper_changed_.notify_all();
  }
}

// Waits for a report to call the hook with; nothing when it is time to stop.
std::optional<store::StoredReport> ReportDispatcher::next_due() {
  const MutexLock lock(mutex_);
  for (;;) {
    if (stopping_) return std::nullopt;
    if (due_.empty()) {
      callers_changed_.wait(mutex_);
      continue;
    }
    const SteadyTime at = std::max(due_.begin()->first, call_at_);
    if (clock_.steady_now() >= at) break;
    callers_changed_.wait_until(mutex_, at, clock_);
  }
  const Number number = due_.begin()->second;
  due_.erase(due_.begin());
  ++calling_;
  Held& held = held_.at(number);
  if (!std::exchange(held.called, true)) --uncalled_;
  return store::StoredReport{number, held.report};
}

bool ReportDispatcher::call(const store::DeliveryReport& report) {
  bool accepted = false;
  observe::guarded("the call of the hook with a delivery report", [&] {
    const event::Json body{{"service", report.service.str()}, {"message", to_json(report)}};
    const std::string type(store::outcome_name(report.outcome));
    try {
      const int status = caller_.report(type, store::name_of(report), report.time, body).status;
      accepted = status >= 200 && status < 300;
      if (!accepted) {
        log_failure("the hook did not accept a delivery report; calling it again later",
                    "it answered with status " + std::to_string(status));
      }
    } catch (const Error&) {
      // The caller has logged and counted it.
    }
  });
  accepted ? accepted_.add() : retries_.add();
  return accepted;
}

void ReportDispatcher::failed(Number number) {
  Held& held = held_.at(number);
  const SteadyTime now = clock_.steady_now();
  due_.emplace(now + held.pause, number);
  held.pause = std::min(held.pause * 2, kMaxReportPause);
  // Once for the calls that failed at the same time.
  if (call_at_ > now) return;
  call_at_ = now + hook_pause_;
  hook_pause_ = std::min(hook_pause_ * 2, kMaxHookPause);
}

void ReportDispatcher::log_failure(const std::string& what, const std::string& why) {
  if (const auto left_out = log_throttle_.line(clock_.steady_now()))
    observe::log_warn(what, {{"error", why}, {"unreported", std::to_string(*left_out)}, {"see", "sse_outbox_reports"}});
}

}  // namespace sse::application
