#include "ssectl/bench/sending.h"

#include <sys/prctl.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "event/json.h"
#include "ssectl/load/poster.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl::bench {

SendCount count_results(std::string_view body) {
  SendCount count;
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.empty()) continue;
    const event::Json result = event::parse_json_or_null(line);
    if (result.is_object() && result.contains("delivered")) {
      ++count.accepted;
      count.delivered += count_in(result, "delivered");
    } else if (count.refusal.empty()) {
      count.refusal = result.is_object() ? text_cell(result, "detail") : printable(line);
      if (count.refusal.empty()) count.refusal = printable(line);
    }
  }
  return count;
}

Sent Sending::run() {
  Sent sent;
  sent.first = start_ = steady_now();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < options_.senders; ++i) threads.emplace_back([this, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
  sent.seconds = std::chrono::duration<double>(steady_now() - start_).count();
  sent.events = events_.load();
  sent.accepted = accepted_.load();
  sent.delivered = delivered_.load();
  sent.refusal = refusal_;
  sent.failure = failure_;
  return sent;
}

void Sending::stop(const std::string& why) {
  const std::scoped_lock lock(mutex_);
  if (failure_.empty()) failure_ = why;
  stopping_.store(true);
}

void Sending::work(unsigned number) {
  // The kernel rounds sleeps up by 50 µs by default, which would count as latency.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  try {
    const bool bulk = options_.burst > 1;
    load::Poster poster(address_, "/api/v1/send", bulk ? "application/x-ndjson" : "application/json", token_);
    Sender sender(plan_, number);
    for (std::uint64_t group = number; group < plan_.groups() && !stopping_.load(); group += options_.senders) {
      // With a rate, latency counts from the moment an event was due, even if it is sent later.
      const SteadyTime due = options_.rate > 0 ? start_ + plan_.due(group) : steady_now();
      if (!wait_until(due)) return;
      const load::Poster::Answer answer = poster.post(sender.group(group, due));
      count_answer(answer.status, answer.body, plan_.size_of(group));
    }
  } catch (const Error& e) {
    stop(e.what());
  }
}

// Sleeps in short intervals, so that a slow run notices stop().
bool Sending::wait_until(SteadyTime due) const {
  constexpr std::chrono::milliseconds kPiece{100};
  while (!stopping_.load()) {
    const SteadyTime now = steady_now();
    if (now >= due) return true;
    std::this_thread::sleep_until(std::min(due, now + kPiece));
  }
  return false;
}

void Sending::count_answer(int status, std::string_view body, std::uint64_t events) {
  if (status == 401 || status == 403 || status == 404) {
    throw Error(status == 404 ? ErrorCode::kNotFound : ErrorCode::kPermissionDenied, count_results(body).refusal);
  }
  const SendCount count = count_results(body);
  if (!count.refusal.empty()) {
    const std::scoped_lock lock(mutex_);
    if (refusal_.empty()) refusal_ = count.refusal;
  }
  accepted_.fetch_add(count.accepted);
  delivered_.fetch_add(count.delivered);
  events_.fetch_add(events);
}

}  // namespace sse::ctl::bench
