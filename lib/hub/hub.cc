#include "hub/hub.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <utility>

#include "base/version.h"
#include "event/event.h"
#include "event/json.h"
#include "hub/channel_event.h"
#include "hub/spread.h"

namespace sse::hub {

using event::TargetKind;
using net::CloseReason;

Hub::Hub(HubOptions options, const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
         observe::Registry& metrics, HubDelegate& delegate)
    : options_(std::move(options)),
      ids_(ids),
      delegate_(delegate),
      metrics_(metrics, options_.service),
      expected_resumes_(options_),
      shards_(loops, options_, metrics_, delegate, ids_, expected_resumes_),
      directory_(shards_, ids_.clock()) {
  metrics.gauge_callback("sse_backlog_bytes", "Bytes queued for slow streams",
                         [this] { return static_cast<double>(directory_.backlog_bytes()); },
                         {{"service", options_.service.str()}});
}

Hub::~Hub() = default;

ConnectionId Hub::connect(NewConnection request, Resumption resumption) {
  // An id from reserve_id() is older than the stream, and so has no place in the order of retained events: then the
  // first event gets an id of its own.
  if (!resumption.id.valid()) resumption.id = request.id.valid() ? request.id : reserve_id();
  const ConnectionId id = request.id.valid() ? request.id : resumption.id;
  event::Event first;
  first.name = event::kConnectFinish;
  first.id = resumption.id.str();
  const std::chrono::milliseconds reconnect_after =
      options_.reconnect_time + spread_over(id, options_.reconnect_jitter);
  first.retry = reconnect_after;
  // Field order of the Java library, which its clients expect.
  std::vector<std::pair<std::string_view, event::Json>> data{{"connectionId", id.str()},
                                                             {"serverTime", to_millis(clock().wall_now())},
                                                             {"reconnectTime", reconnect_after.count()},
                                                             {"name", options_.service.str()},
                                                             {"enableCluster", options_.in_cluster},
                                                             {"version", base::kVersion}};
  // Tells the client that the server expects ack.do, and only for marked events: an acknowledgement of every broadcast
  // would cost one request per recipient.
  if (request.confirms && !request.identity.user.empty()) {
    data.emplace_back("ack", true);
    if (request.marks) data.emplace_back("ackMarks", true);
  }
  if (request.channel_marks) data.emplace_back("channelMarks", true);
  if (!request.refused_channels.empty()) {
    event::Json refused = event::Json::array();
    for (const RefusedChannel& one : request.refused_channels)
      refused.push_back({{"channel", one.channel.str()}, {"reason", one.reason}});
    data.emplace_back("refused", std::move(refused));
  }
  // The client detects a dead path by the silence; a server that promises no ping is not watched.
  if (request.pings && options_.heartbeat.count() != 0) data.emplace_back("pingInterval", options_.heartbeat.count());
  if (!request.request_key.empty()) data.emplace_back("requestKey", request.request_key);
  first.data = event::dump_fields(data);
  Shard& shard = shards_.at(request.identity.user.empty() ? id.value() % shards_.size()
                                                          : shards_.number_of(request.identity.user));
  std::string bytes = event::encode(first);
  if (!resumption.cursor.empty()) {
    // A second id in the same event replaces the connection's: the client must not resume from that one before it has
    // received the missed events.
    const std::string line = event::encode_cursor(resumption.cursor);
    bytes.replace(bytes.size() - 1, 1, line);
  }
  bytes += resumption.notice;
  for (const RefusedChannel& one : request.refused_channels) bytes += encode_channel_refused(one);
  if (options_.in_cluster) {
    const Names names = names_of(request);
    // Shared, because a std::function must be copyable.
    const auto shared =
        std::make_shared<std::pair<NewConnection, Resumption>>(std::move(request), std::move(resumption));
    delegate_.opening(names, [&shard, id, shared, frame = event::Frame::make(bytes)] {
      shard.loop().post([&shard, id, shared, frame] {
        shard.connect(id, std::move(shared->first), frame, std::move(shared->second));
      });
    });
    return id;
  }
  shard.loop().post([&shard, id, moved = std::move(request), resumption = std::move(resumption),
                     frame = event::Frame::make(bytes)]() mutable {
    shard.connect(id, std::move(moved), frame, std::move(resumption));
  });
  return id;
}

bool Hub::was_closed_by_server(const NewConnection& request) {
  if (expected_resumes_.closed.empty()) return false;
  const std::string key = reconnect_key(request.identity, request.attributes, request.last_event_id, false);
  if (!expected_resumes_.closed.take(key, clock().steady_now())) return false;
  metrics_.reconnects_refused.add();
  return true;
}

bool Hub::is_renewed(const NewConnection& request) {
  if (expected_resumes_.renewed.empty()) return false;
  return expected_resumes_.renewed.take(
      reconnect_key(request.identity, request.attributes, request.last_event_id, true), clock().steady_now());
}

std::shared_ptr<DeliveryBatch> Hub::plan(std::vector<Delivery> deliveries) const {
  auto shared = std::make_shared<DeliveryBatch>();
  DeliveryBatch& batch = *shared;
  batch.deliveries = std::move(deliveries);
  batch.taken.resize(batch.deliveries.size());
  batch.plan.resize(shards_.size());
  for (std::uint32_t i = 0; i < batch.deliveries.size(); ++i) {
    Delivery& delivery = batch.deliveries[i];
    const std::vector<std::string>& names = names_of(delivery.target);
    const bool channels = delivery.target.kind == TargetKind::kChannel && (names.size() > 1 || delivery.several);
    if ((channels || delivery.in_union) && !delivery.again) delivery.once = event::id_of(delivery.frame->bytes());
    batch.taken[i].resize(names.size());
    for (std::uint32_t n = 0; n < names.size(); ++n) {
      if (delivery.target.kind == TargetKind::kUser) {
        batch.plan[shards_.number_of(UserId(names[n]))].push_back({i, n});
      } else if (delivery.target.kind == TargetKind::kMember) {
        batch.plan[shards_.number_of(UserId(std::string(event::member_of(names[n]).user)))].push_back({i, n});
      } else {
        for (auto& steps : batch.plan) steps.push_back({i, n});
      }
    }
  }
  for (std::size_t number = 0; number < batch.plan.size(); ++number) {
    if (!batch.plan[number].empty()) batch.numbers.push_back(number);
  }
  return shared;
}

void Hub::start(std::shared_ptr<DeliveryBatch> batch, std::function<void(DeliveryBatch::Taken)> done) {
  for (const Delivery& delivery : batch->deliveries) {
    if (delivery.target.kind != TargetKind::kChannel || delivery.again) continue;
    const SteadyTime now = clock().steady_now();
    for (const std::string& name : delivery.target.names) rates_.note(name, now);
  }
  batch->done = std::move(done);
  batch->left = batch->numbers.size();
  if (batch->numbers.empty()) {
    batch->done(std::move(batch->taken));
    return;
  }
  for (const std::size_t number : batch->numbers) {
    Shard& shard = shards_.at(number);
    shard.loop().post([batch, &shard] { shard.start(batch); });
  }
}

void Hub::start_delivery(std::vector<Delivery> deliveries, std::function<void(DeliveryBatch::Taken)> done) {
  start(plan(std::move(deliveries)), std::move(done));
}

DeliveryBatch::Taken Hub::deliver(std::vector<Delivery> deliveries) {
  check_may_wait();
  std::shared_ptr<DeliveryBatch> batch = plan(std::move(deliveries));
  const auto taken = std::make_shared<DeliveryBatch::Taken>(batch->taken);
  const auto finished = std::make_shared<std::latch>(1);
  // Loops that stop destroy the batch uncalled, and the guard with it; then all counts are 0.
  auto guard = std::make_shared<std::optional<LatchGuard>>(LatchGuard(finished));
  start(std::move(batch), [taken, guard = std::move(guard)](DeliveryBatch::Taken counts) {
    *taken = std::move(counts);
    guard->reset();
  });
  finished->wait();
  return std::move(*taken);
}

void Hub::refresh_pending() {
  shards_.post_to_all([](Shard& shard) { shard.refresh_pending(); });
}

void Hub::replay(const ReplayRequest& request, ReplayPage page) {
  Shard& shard = shards_.at(request.shard);
  shard.loop().post(
      [&shard, id = request.connection, moved = std::move(page)]() mutable { shard.replay(id, std::move(moved)); });
}

}  // namespace sse::hub
