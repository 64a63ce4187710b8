// SendPath: for callers that wait.
#include <algorithm>
#include <latch>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "base/error.h"
#include "delivery/send_path.h"

namespace sse::delivery {
namespace {

// Of one call of send_unreached().
constexpr std::size_t kUnreachedAtOnce = 500;
constexpr std::uint64_t kUnreachedBytes = std::uint64_t{8} << 20;

}  // namespace

struct SendPath::Sending::Answer {
  std::latch there{1};
  std::vector<SendOutcome> outcomes;
};

std::vector<SendOutcome> SendPath::Sending::finish() {
  answer_->there.wait();
  return std::move(answer_->outcomes);
}

SendPath::Sending SendPath::start_all(std::vector<SendRequest> requests, const Stored& stored) {
  hub_.check_may_wait();
  auto answer = std::make_shared<Sending::Answer>();
  start(
      std::move(requests),
      [answer](std::vector<SendOutcome> outcomes) {
        answer->outcomes = std::move(outcomes);
        answer->there.count_down();
      },
      stored, true);
  return Sending(std::move(answer));
}

SendResult SendPath::send(SendRequest request) {
  std::vector<SendRequest> requests;
  requests.push_back(std::move(request));
  SendOutcome outcome = std::move(send_all(std::move(requests)).front());
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  return std::move(outcome.result);
}

// Messages that are stored already.
class SendPath::StoredBatch final : public Publication {
 public:
  struct Answer {
    std::latch there{1};
    std::uint64_t taken = 0;
  };

  // `rows` must outlive it.
  StoredBatch(SendPath& path, const std::vector<store::PendingMessage>& rows, bool again, std::shared_ptr<void> token,
              std::shared_ptr<Answer> answer)
      : path_(path), open_(std::move(token)), answer_(std::move(answer)) {
    targets_.reserve(rows.size());
    for (const store::PendingMessage& row : rows) {
      if (row.service != path.options_.service || row.damaged) continue;
      event::Target& target = targets_.emplace_back(event::Target{row.recipient.kind, {}, row.listening});
      if (target.kind != event::TargetKind::kAll) target.names.push_back(row.recipient.name);
      events.push_back({target, row.event, row.data, row.id, 0, false, again});
    }
    for (auto first = events.begin(); first != events.end();) first = join(first);
  }
  ~StoredBatch() override { answer_->there.count_down(); }

  bool empty() const { return events.empty(); }

 private:
  // The rows of one message that may be for the same stream are a union: it gets the message once, and confirms it for
  // all of them. Returns the next message.
  std::vector<Outgoing>::iterator join(std::vector<Outgoing>::iterator first) {
    const auto next =
        std::find_if(first, events.end(), [&](const Outgoing& one) { return one.message != first->message; });
    const bool may_meet =
        first->target.kind == event::TargetKind::kChannel || first->target.kind != (next - 1)->target.kind;
    for (auto one = first; may_meet && one + 1 != next; ++one) one->goes_on = true;
    return next;
  }
  void published(std::vector<std::vector<std::uint32_t>> taken, std::vector<std::string> missing) override {
    if (!missing.empty()) path_.note_unreached(events);
    for (const std::vector<std::uint32_t>& names : taken)
      answer_->taken = std::accumulate(names.begin(), names.end(), answer_->taken);
  }

  SendPath& path_;
  const std::shared_ptr<void> open_;  // see SendsInProgress
  const std::shared_ptr<Answer> answer_;
  std::vector<event::Target> targets_;
};

std::uint64_t SendPath::send_stored(const std::vector<store::PendingMessage>& rows, bool again) {
  hub_.check_may_wait();
  const auto answer = std::make_shared<StoredBatch::Answer>();
  auto batch = std::make_shared<StoredBatch>(*this, rows, again,
                                             options_.in_cluster ? in_progress_.begin_waiting() : nullptr, answer);
  if (batch->empty()) return 0;
  publisher_.start(std::move(batch));
  answer->there.wait();
  return answer->taken;
}

void SendPath::note_unreached(const std::vector<Outgoing>& events) {
  if (options_.catalog == nullptr) return;
  std::vector<MessageId> messages;
  for (const Outgoing& event : events) {
    if (event.message.valid() && !event.local) messages.push_back(event.message);
  }
  unreached_.add(messages, clock_.steady_now());
}

void SendPath::send_unreached() {
  const std::vector<MessageId> messages = unreached_.take(kUnreachedAtOnce, clock_.steady_now());
  std::vector<store::PendingMessage> rows;
  std::uint64_t bytes = 0;
  std::size_t read = 0;
  try {
    for (; read < messages.size() && bytes < kUnreachedBytes; ++read) {
      for (store::PendingMessage& row : options_.catalog->find(messages[read])) {
        bytes += row.data_size;
        rows.push_back(std::move(row));
      }
    }
  } catch (...) {
    unreached_.add(messages, clock_.steady_now());
    throw;
  }
  unreached_.add(std::span(messages).subspan(read), clock_.steady_now());
  if (!rows.empty()) send_stored(rows, false);
}

}  // namespace sse::delivery
