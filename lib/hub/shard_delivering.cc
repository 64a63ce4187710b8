// Shard: deliveries, at once to a few streams and in passes to many.
#include <algorithm>
#include <string>
#include <utility>

#include "event/event.h"
#include "hub/channel_event.h"
#include "hub/names.h"
#include "hub/session_duration.h"
#include "hub/shard.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using net::CloseReason;

// Streams to prefetch in a pass: every write to a socket evicts the next streams from the CPU cache.
constexpr std::size_t kMembersAhead = 8;
// The streams of a batch of at most so many steps are written before everything else that waits.
constexpr std::size_t kUrgentSteps = 64;
constexpr SliceLimits kUnlimited{.time = std::chrono::hours(1)};

void prefetch_member(const Connection* connection) {
  __builtin_prefetch(connection, 1);
  __builtin_prefetch(reinterpret_cast<const char*>(connection) + 64, 1);
}

}  // namespace

const std::vector<std::string>& names_of(const event::Target& target) {
  static const std::vector<std::string> kAllNames{""};
  return target.kind == TargetKind::kAll ? kAllNames : target.names;
}

void Shard::start(std::shared_ptr<DeliveryBatch> batch) {
  loop_.assert_in_loop_thread();
  batches_.push_back(std::make_shared<BatchPart>(BatchPart{.batch = std::move(batch), .number = number_}));
  if (batches_.size() > 1) return;
  Slice slice(clock(), options_.slice);
  begin_steps(slice);
}

// Begins the steps of the batches in their order.
void Shard::begin_steps(Slice& slice) {
  bool over = false;
  while (!batches_.empty() && !over) {
    const std::shared_ptr<BatchPart> part = batches_.front();
    const std::vector<DeliveryBatch::Step>& plan = part->batch->plan[number_];
    const bool urgent = plan.size() <= kUrgentSteps;
    while (!part->started() && !over) {
      begin_step(part, plan[part->next_step++], urgent);
      over = slice.spend();
    }
    if (!part->started()) return;
    batches_.pop_front();
    if (part->passes == 0) end_part(*part);
  }
}

void Shard::begin_all_steps() {
  if (batches_.empty()) return;
  Slice all(clock(), kUnlimited);
  begin_steps(all);
}

void Shard::begin_step(const std::shared_ptr<BatchPart>& part, DeliveryBatch::Step step, bool urgent) {
  DeliveryBatch& batch = *part->batch;
  const Delivery& delivery = batch.delivery(step);
  published_ = std::max(published_, delivery.position);
  const ConnectionRegistry::Receivers receivers = registry_.receivers(delivery.target, batch.name(step));
  const std::span<Connection* const> members = receivers.members();
  if (members.empty()) return;
  const bool one_of_several =
      delivery.target.kind == TargetKind::kChannel && (delivery.target.names.size() > 1 || delivery.in_union);
  if (members.size() > options_.slice.direct_members) {
    if (passes_.exhausted()) restart_passes();
    passes_.add({.part = part,
                 .step = step,
                 .position = published_,
                 .frame = one_of_several ? delivery.frame->for_channel(batch.name(step)) : delivery.frame->alias()});
    ++part->passes;
    return;
  }
  const event::FrameRef frame = one_of_several ? delivery.frame->for_channel(batch.name(step)) : delivery.frame;
  std::uint32_t taken = 0;
  // Streams that overflow are only marked as closed: the group changes at the end of the turn.
  for (Connection* connection : members) {
    if (!receivers.include(*connection)) continue;
    settle(*connection);
    if (!give(*connection, delivery, frame, published_)) continue;
    ++taken;
    if (urgent) writes_.add_first(*connection);
  }
  count_taken(batch, step, taken);
}

bool Shard::has_sliced_work() const {
  return !batches_.empty() || !passes_.empty() || writes_.waits();
}

void Shard::run_deliveries(SteadyTime::duration other) {
  Slice slice(clock(), options_.slice, other);
  begin_steps(slice);
  run_passes(slice);
}

void Shard::run_passes(Slice& slice) {
  bool over = false;
  while (!passes_.empty() && !over) {
    if (!passes_.first_is_covered()) {
      over = visit_members(slice);
      if (passes_.first().left > 0) return;
    }
    const std::shared_ptr<BatchPart> part = std::move(passes_.first().part);
    passes_.end_first();
    if (--part->passes == 0 && part->started()) end_part(*part);
  }
}

// The first pass proceeds. Returns whether the slice is over.
bool Shard::visit_members(Slice& slice) {
  Pass& pass = passes_.first();
  const std::string& name = pass.part->batch->name(pass.step);
  const ConnectionRegistry::Receivers receivers =
      registry_.receivers(pass.part->batch->delivery(pass.step).target, name);
  const std::span<Connection* const> members = receivers.members();
  const std::uint32_t last = passes_.last_alike();
  if (!pass.begun) passes_.begin_first(members.size(), last);
  // A member that leaves is replaced by the last one, which has been visited; one that joins is put behind the last.
  pass.left = std::min(pass.left, members.size());
  bool over = false;
  while (pass.left > 0 && !over) {
    --pass.left;
    if (pass.left >= kMembersAhead) prefetch_member(members[pass.left - kMembersAhead]);
    over = slice.spend(visit(*members[pass.left], receivers, last));
  }
  passes_.for_each(0, last, [this](Pass& visited) {
    count_taken(*visited.part->batch, visited.step, std::exchange(visited.taken, 0));
  });
  return over;
}

// Gives a member the frames of the passes up to `last`, which are to its group. Returns the steps that it took.
std::size_t Shard::visit(Connection& connection, const ConnectionRegistry::Receivers& receivers, std::uint32_t last) {
  if (connection.passes_taken >= last) return 1;
  const std::uint32_t seen = std::exchange(connection.passes_taken, last);
  if (!receivers.include(connection)) return 1;
  std::size_t steps = 0;
  passes_.for_each(seen, last, [&](Pass& pass) {
    ++steps;
    if (give(connection, pass.part->batch->delivery(pass.step), pass.frame, pass.position)) ++pass.taken;
  });
  return steps;
}

void Shard::end_part(const BatchPart& part) {
  if (!part.batch->part_done()) return;
  // The streams of a small batch are written first; the caller can wait a moment longer.
  after_flush_.emplace_back([batch = part.batch] { batch->done(std::move(batch->taken)); });
}

void Shard::take_passes(Connection& connection) {
  const std::uint32_t seen = std::exchange(connection.passes_taken, passes_.newest());
  if (!connection.indexed) return;
  passes_.for_each(seen, passes_.newest(), [&](const Pass& pass) {
    DeliveryBatch& batch = *pass.part->batch;
    const Delivery& delivery = batch.delivery(pass.step);
    if (registry_.receivers(delivery.target, batch.name(pass.step)).contain(connection) &&
        give(connection, delivery, pass.frame, pass.position))
      count_taken(batch, pass.step, 1);
  });
}

// After four thousand million passes their numbers begin again.
void Shard::restart_passes() {
  Slice all(clock(), kUnlimited);
  run_passes(all);
  for (Connection* connection : registry_.all()) connection->passes_taken = 0;
  passes_.restart();
}

// Returns whether the connection takes the frame.
bool Shard::give(Connection& connection, const Delivery& delivery, const event::FrameRef& frame, MessageId position) {
  if (!connection.wants(delivery.target.listening, delivery.event)) return false;
  if (delivery.again) return !connection.replay && append(connection, frame);
  if (!delivery.except.empty() && connection.is_of_client(delivery.except)) [[unlikely]]
    return false;
  if (delivery.once != 0 && (delivery.in_union || connection.membership.further_channels() != 0)) [[unlikely]] {
    if (!take_once(connection, delivery.once, frame, position)) return false;
  } else if (!take(connection, frame, position)) {
    return false;
  }
  if (delivery.event == event::kSetDuration) note_duration(connection, frame);
  return true;
}

// Of an event to several channels or to a union, and a stream that several of them may reach.
bool Shard::take_once(Connection& connection, std::uint64_t event, const event::FrameRef& frame, MessageId position) {
  if (channels_.has_through_other(connection, event, *frame) || !take(connection, frame, position)) return false;
  channels_.sent_once(connection, event, *frame);
  return true;
}

void Shard::count_taken(DeliveryBatch& batch, DeliveryBatch::Step step, std::uint32_t streams) {
  if (streams == 0) return;
  batch.add_taken(step, streams);
  const Delivery& delivery = batch.delivery(step);
  metrics_.deliveries.add(streams);
  if (delivery.again) {
    metrics_.resent.add(streams);
  } else {
    metrics_.delivered_bytes.add(streams * delivery.frame->size());
  }
}

bool Shard::take(Connection& connection, const event::FrameRef& frame, MessageId position) {
  if (!connection.open()) return false;
  const MessageId message = frame->message();
  // A node sends a message again of which it does not know whether this one has got it.
  if (message.valid() && acks_.has_in_flight(connection, message)) return true;
  if (message.valid() && replayed_.has(connection, message)) {
    // Only now the message's place in the order is known.
    if (options_.resumable && message < position && !connection.replay)
      connection.net::Stream::append(event::Frame::make(event::encode_cursor(position.str())));
    return true;
  }
  if (!connection.replay) return append(connection, frame);
  switch (connection.replay->hold(frame, connection.size_of(*frame), options_.stream.max_backlog)) {
    case ReplaySession::Held::kHeld:
      return true;
    case ReplaySession::Held::kLeftToStore:
      // The replay will read the message from the repository, unless another stream (of another user, for a tenant or
      // for all) has confirmed it by then. It is not counted as taken, because every counted event must be delivered.
      return false;
    case ReplaySession::Held::kOverflow:
      if (options_.stream.overflow == net::Stream::Overflow::kDrop) {
        metrics_.dropped.add();
        ++connection.rare().dropped;
      } else {
        connection.abort(CloseReason::kSlowConsumer);
      }
      return false;
  }
  return false;
}

bool Shard::deliver_to(Connection& connection, std::string_view event, const event::FrameRef& frame) {
  loop_.assert_in_loop_thread();
  finish_earlier(connection);
  if (!take(connection, frame, published_)) return false;
  writes_.add_first(connection);
  if (event == event::kSetDuration) note_duration(connection, frame);
  metrics_.deliveries.add();
  metrics_.delivered_bytes.add(frame->size());
  return true;
}

void Shard::note_duration(const Connection& connection, const event::FrameRef& frame) {
  if (const auto seconds = duration_in(frame->bytes())) registry_.set_duration(connection, *seconds);
}

void Shard::note_sent(Connection& connection, const event::Frame& frame) {
  connection.had_messages = true;
  if (has_channel(frame)) channels_.note_sent(connection, frame);
  delegate_.sent(frame.recipient(), recipient_name(connection, frame), frame.message(), connection.id);
}

bool Shard::append(Connection& connection, const event::FrameRef& frame) {
  // Sent even if the message is then not taken: a mark alone causes a superfluous acknowledgement, but a message
  // without a mark is acknowledged too late.
  if (connection.marks && frame->message().valid()) connection.net::Stream::append(mark_);
  switch (connection.net::Stream::append(connection.channel_marks ? channels_.marked(frame) : frame)) {
    case net::Stream::Append::kTaken:
      ++connection.messages;
      if (frame->message().valid()) note_sent(connection, *frame);
      if (connection.confirms && acks_.sent(connection, *frame, loop_.now()) >= InFlight::kMaxUnconfirmedSends &&
          connection.listens(event::name_of(frame->bytes())))
        acks_.expect_confirmation(connection);
      return true;
    case net::Stream::Append::kDropped:
      metrics_.dropped.add();
      ++connection.rare().dropped;
      return false;
    case net::Stream::Append::kOverflow:
      connection.abort(CloseReason::kSlowConsumer);
      return false;
    case net::Stream::Append::kClosed:
      return false;
  }
  return false;
}

}  // namespace sse::hub
