#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/trace_context.h"
#include "event/frame.h"
#include "event/target.h"

namespace sse::hub {

/// One frame to deliver.
struct Delivery {
  const event::Target& target;
  std::string_view event;
  event::FrameRef frame;
  MessageId position{};  ///< in the order of events, with HubOptions::resumable
  bool again = false;    ///< also to streams that already had the message, but not to those that are replaying pending
                         ///< messages: they read it from the store
  bool several = false;  ///< in a cluster: the node that accepted the event sends it to other channels, too
  std::uint64_t once = 0;  ///< set by the hub: the id of an event that was sent to several channels, or to a union, of
                           ///< which a stream that several of them reach gets it through the first
  bool in_union = false;   ///< the event is for other targets, too, whose streams need not be in any channel
  std::string_view except{};            ///< clientId or clientInstanceId of streams that do not get it; empty: all do
  const TraceContext* trace = nullptr;  ///< for other nodes; null: none
};

/// The names of a target; a single empty one for kAll.
const std::vector<std::string>& names_of(const event::Target& target);

/// Frames that were handed to the hub in one call, on their way through its shards, which share it. Each shard runs the
/// steps of its own plan in their order, on its loop; the counts are for all.
struct DeliveryBatch {
  /// One name of the target of one delivery.
  struct Step {
    std::uint32_t delivery = 0;  ///< index in `deliveries`
    std::uint32_t name = 0;      ///< index in its names
  };
  using Taken = std::vector<std::vector<std::uint32_t>>;

  const Delivery& delivery(Step step) const { return deliveries[step.delivery]; }
  const std::string& name(Step step) const { return names_of(delivery(step).target)[step.name]; }
  /// Adds streams that took the frame of a step. Any loop.
  void add_taken(Step step, std::uint32_t streams) {
    std::atomic_ref(taken[step.delivery][step.name]).fetch_add(streams, std::memory_order_relaxed);
  }
  /// A shard has run its plan. Returns true for the last one, which calls `done`.
  bool part_done() { return left.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  std::vector<Delivery> deliveries;
  std::vector<std::vector<Step>> plan;  ///< by shard
  std::vector<std::size_t> numbers;     ///< of the shards with a plan
  Taken taken;                          ///< for each delivery and name, the streams that took it
  std::atomic<std::size_t> left{0};     ///< shards that have not run their plan yet
  std::function<void(Taken)> done;
};

}  // namespace sse::hub
