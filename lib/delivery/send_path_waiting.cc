// SendPath: for callers that wait.
#include <latch>
#include <memory>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "delivery/send_path.h"

namespace sse::delivery {

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
  StoredBatch(const ServiceName& service, const std::vector<store::PendingMessage>& rows, bool again,
              std::shared_ptr<void> token, std::shared_ptr<Answer> answer)
      : open_(std::move(token)), answer_(std::move(answer)) {
    targets_.reserve(rows.size());
    for (const store::PendingMessage& row : rows) {
      if (row.service != service || row.damaged) continue;
      event::Target& target = targets_.emplace_back(event::Target{row.recipient.kind, {}, row.listening});
      if (target.kind != event::TargetKind::kAll) target.names.push_back(row.recipient.name);
      events.push_back({target, row.event, row.data, row.id, 0, false, again});
    }
  }
  ~StoredBatch() override { answer_->there.count_down(); }

  bool empty() const { return events.empty(); }

 private:
  void published(std::vector<std::vector<std::uint32_t>> taken, std::vector<std::string> /*missing*/) override {
    for (const std::vector<std::uint32_t>& names : taken)
      answer_->taken = std::accumulate(names.begin(), names.end(), answer_->taken);
  }

  const std::shared_ptr<void> open_;  // see SendsInProgress
  const std::shared_ptr<Answer> answer_;
  std::vector<event::Target> targets_;
};

std::uint64_t SendPath::send_stored(const std::vector<store::PendingMessage>& rows, bool again) {
  hub_.check_may_wait();
  const auto answer = std::make_shared<StoredBatch::Answer>();
  auto batch = std::make_shared<StoredBatch>(options_.service, rows, again,
                                             options_.in_cluster ? in_progress_.begin_waiting() : nullptr, answer);
  if (batch->empty()) return 0;
  publisher_.start(std::move(batch));
  answer->there.wait();
  return answer->taken;
}

}  // namespace sse::delivery
