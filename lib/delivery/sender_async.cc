// Sender: asynchronous sends, for callers that do not wait for the store and the streams.
#include <atomic>
#include <memory>
#include <utility>

#include "delivery/encode_frame.h"
#include "delivery/sender.h"
#include "delivery/sender_parts.h"
#include "event/event.h"
#include "event/frame.h"
#include "observe/barrier.h"

namespace sse::delivery {

void Sender::send_async(SendRequest request, std::function<void(const SendResult&)> done) {
  event::validate({request.event, request.data, "", std::nullopt});
  const SteadyTime begin = clock_.steady_now();
  const std::uint64_t id = ids_.next();
  sent_.add();
  event::FrameRef frame =
      encode_frame(std::to_string(id), request.event, request.data, MessageId(), request.target.kind);
  std::string event = options_.on_sent ? request.event : std::string();
  std::shared_ptr<void> open;
  if (in_cluster() && !request.local) {
    open = begin_async();
    if (!open) return;
  }
  hand_over(
      std::move(request.target), std::move(request.event), std::move(frame), std::move(open),
      [this, id, begin, event = std::move(event), done = std::move(done)](
          const event::Target& target, const std::vector<std::uint32_t>& taken, std::vector<std::string> missing) {
        send_seconds_.observe(seconds_since(begin, clock_));
        SendResult result = result_of(id, target, taken);
        result.missing = std::move(missing);
        report_sent(target, event, false, {result, std::nullopt});
        done(result);
      });
}

void Sender::hand_over(event::Target target, std::string event, event::FrameRef frame, std::shared_ptr<void> everywhere,
                       HandedOver done) {
  if (!everywhere) {
    hub_.deliver_async(std::move(target), std::move(event), std::move(frame),
                       [done = std::move(done)](const event::Target& to, const std::vector<std::uint32_t>& taken) {
                         done(to, taken, {});
                       });
    return;
  }
  // Combines the results of this node and of the others.
  struct CombinedSend {
    CombinedSend(HandedOver then, event::Target to, std::shared_ptr<void> until)
        : done(std::move(then)),
          target(std::move(to)),
          open(std::move(until)),
          here(std::max<std::size_t>(target.names.size(), 1)),
          away(here.size()) {}

    const HandedOver done;
    const event::Target target;
    const std::shared_ptr<void> open;
    std::vector<std::uint32_t> here, away;
    std::vector<std::string> missing;
    std::atomic<int> left{2};

    void part_done() {
      if (left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      for (std::size_t n = 0; n < here.size(); ++n) here[n] += away.at(n);
      done(target, here, std::move(missing));
    }
  };
  remote_sends_.fetch_add(1);
  const auto combined = std::make_shared<CombinedSend>(std::move(done), target, std::move(everywhere));
  // The other nodes first, because they take longer.
  const auto sent = options_.remote_nodes->send(service(), {{combined->target, event, frame, {}}});
  if (options_.remote_nodes->may_have_local_streams(service(), combined->target)) {
    hub_.deliver_async(std::move(target), std::move(event), std::move(frame),
                       [combined](const event::Target&, const std::vector<std::uint32_t>& taken) {
                         combined->here = taken;
                         combined->part_done();
                       });
  } else {
    combined->part_done();
  }
  sent->then([this, combined](const std::vector<std::uint32_t>& taken, std::vector<std::string> missing) {
    remote_sends_.fetch_sub(1);
    combined->away = taken;
    combined->missing = std::move(missing);
    combined->part_done();
  });
}

// Returns a token to hold until the callback has run: stop() waits for all tokens. Null when stop() was called already.
std::shared_ptr<void> Sender::begin_async() {
  const MutexLock lock(async_mutex_);
  if (stopping_) return nullptr;
  ++async_;
  return {this, [](Sender* sender) {
            const MutexLock in_time(sender->async_mutex_);
            if (--sender->async_ == 0) sender->async_changed_.notify_all();
          }};
}

void Sender::store_async(SendRequest request, std::function<void(const SendOutcome&)> done) {
  const SteadyTime begin = clock_.steady_now();
  std::shared_ptr<void> open = begin_async();
  if (!open) return;
  const auto shared = std::make_shared<std::function<void(const SendOutcome&)>>(std::move(done));
  repository_.add_async(message_of(std::move(request)), [this, begin, shared, open = std::move(open)](
                                                            store::NewMessage&& given, store::AddOutcome&& kept) {
    stored_async(std::move(given), std::move(kept), begin, open, shared);
  });
}

void Sender::stored_async(store::NewMessage&& message, store::AddOutcome&& kept, SteadyTime begin,
                          const std::shared_ptr<void>& open,
                          const std::shared_ptr<std::function<void(const SendOutcome&)>>& done) {
  // Messages committed earlier may not be ready yet.
  DeliveryOrder::Place place = publisher_.order().take();
  commit_seconds_.observe(seconds_since(begin, clock_));
  SendOutcome outcome;
  note_stored(std::move(kept), message.created, outcome);
  if (outcome.refusal || outcome.result.repeated) {
    report_sent(std::move(message.target), std::move(message.event), true, outcome);
    (*done)(outcome);
    return;
  }
  sent_qos_.add();
  const MessageId id(outcome.result.id);
  event::FrameRef frame = encode_frame(id.str(), message.event, message.data, id, message.target.kind);
  std::string event = options_.on_sent ? message.event : std::string();
  HandedOver then = [this, begin, done, event = std::move(event), pending = outcome.result.pending, id](
                        const event::Target& target, const std::vector<std::uint32_t>& taken,
                        std::vector<std::string> missing) {
    send_seconds_.observe(seconds_since(begin, clock_));
    SendOutcome sent{result_of(id.value(), target, taken), std::nullopt};
    sent.result.pending = pending;
    sent.result.missing = std::move(missing);
    report_sent(target, event, true, sent);
    (*done)(sent);
  };
  publisher_.order().run(std::move(place), [this, open, target = std::move(message.target),
                                            name = std::move(message.event), frame = std::move(frame),
                                            then = std::move(then)]() mutable {
    observe::guarded("the delivery of an event", [&] {
      hand_over(std::move(target), std::move(name), std::move(frame), in_cluster() ? open : nullptr, std::move(then));
    });
  });
}

}  // namespace sse::delivery
