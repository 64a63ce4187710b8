// Sender: synchronous sends, for callers that wait for the store and the streams.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "delivery/sender.h"
#include "delivery/sender_parts.h"
#include "event/event.h"

namespace sse::delivery {

SendResult Sender::send(const SendRequest& request) {
  SendOutcome outcome = std::move(send_all({request}).front());
  if (outcome.refusal) throw Error(outcome.refusal->code, outcome.refusal->sentence);
  return std::move(outcome.result);
}

struct Sender::Sending::State {
  State(Sender& by, SteadyTime since, std::vector<SendRequest> what, std::vector<SendOutcome> so_far)
      : sender(by), begin(since), requests(std::move(what)), outcomes(std::move(so_far)) {}

  Sender& sender;
  const SteadyTime begin;
  const std::vector<SendRequest> requests;
  std::vector<SendOutcome> outcomes;
  std::vector<Outgoing> outgoing;
  std::vector<std::size_t> indexes;  // into requests, one per outgoing event
  // The last member, because its destructor waits for the threads that use the others.
  std::optional<Publisher::InTransit> underway;
};

Sender::Sending::Sending(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sender::Sending::Sending(Sending&&) noexcept = default;
Sender::Sending::~Sending() = default;

Sender::Sending Sender::start_all(std::vector<SendRequest> requests) {
  const SteadyTime begin = clock_.steady_now();
  std::vector<SendOutcome> outcomes(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      event::validate({requests[i].event, requests[i].data, "", std::nullopt});
    } catch (const Error& e) {
      outcomes[i].refusal = {e.code(), e.what()};
    }
  }
  DeliveryOrder::Place place = store_messages(requests, outcomes);
  return deliver(std::move(requests), std::move(outcomes), begin, std::move(place));
}

Sender::Sending Sender::deliver(std::vector<SendRequest> requests, std::vector<SendOutcome> outcomes, SteadyTime begin,
                                DeliveryOrder::Place place) {
  auto state = std::make_unique<Sending::State>(*this, begin, std::move(requests), std::move(outcomes));
  state->outgoing.reserve(state->requests.size());
  for (std::size_t i = 0; i < state->requests.size(); ++i) {
    const SendOutcome& outcome = state->outcomes[i];
    if (outcome.refusal || outcome.result.repeated) continue;
    const SendRequest& request = state->requests[i];
    (request.qos ? sent_qos_ : sent_).add();
    state->outgoing.push_back({request.target, request.event, request.data,
                               request.qos ? MessageId(outcome.result.id) : MessageId(), outcome.result.id,
                               request.local});
    state->indexes.push_back(i);
  }
  state->underway.emplace(publisher_.start(state->outgoing, std::move(place)));
  return Sending(std::move(state));
}

std::vector<SendOutcome> Sender::Sending::finish() {
  State& state = *state_;
  std::vector<std::string> missing;
  const auto taken = state.underway->finish(missing);
  if (!taken.empty()) state.sender.send_seconds_.observe(seconds_since(state.begin, state.sender.clock_));
  for (std::size_t d = 0; d < taken.size(); ++d) {
    const SendRequest& request = state.requests[state.indexes[d]];
    SendResult& result = state.outcomes[state.indexes[d]].result;
    const std::uint64_t pending = result.pending;
    result = result_of(state.outgoing[d].id, request.target, taken[d]);
    result.pending = pending;
    if (!request.local) result.missing = missing;
  }
  const auto& on_sent = state.sender.options_.on_sent;
  if (on_sent) on_sent(state.requests, state.outcomes);
  return std::move(state.outcomes);
}

}  // namespace sse::delivery
