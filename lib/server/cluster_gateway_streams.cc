// ClusterGateway: what the hubs of all nodes ask each other about streams, presence and sends.
#include <algorithm>
#include <memory>
#include <utility>

#include "cluster/core/topics.h"
#include "server/cluster_gateway.h"

namespace sse::server {
namespace {

using cluster::DeliverCommand;

std::vector<std::string> topics_of(const ServiceName& service, const hub::Names& names) {
  std::vector<std::string> topics;
  topics.reserve(names.size());
  for (const auto& [kind, name] : names) topics.push_back(cluster::receiver_topic(service, kind, name));
  return topics;
}

class RemoteSend final : public delivery::RemoteNodes::Sent {
 public:
  RemoteSend(cluster::Cluster& cluster, std::shared_ptr<cluster::PendingCall> asked, std::size_t count)
      : cluster_(cluster), call_(std::move(asked)), count_(count) {}

  void then(Done done) override {
    cluster_.finish_async(call_, count_, [done = std::move(done)](cluster::Cluster::Delivered delivered) {
      done(delivered.taken, std::move(delivered.missing));
    });
  }

 private:
  cluster::Cluster& cluster_;
  const std::shared_ptr<cluster::PendingCall> call_;
  const std::size_t count_;
};

}  // namespace

std::vector<std::vector<ConnectionId>> ClusterGateway::connections_of(
    const std::vector<cluster::ClientCommand>& clients) {
  std::vector<std::vector<ConnectionId>> found(clients.size());
  for (const application::Service& service : services_) {
    std::vector<hub::ClientKey> keys;
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (clients[i].service != service.sender->service()) continue;
      keys.push_back({clients[i].user, clients[i].client, clients[i].origin, clients[i].tenant});
      numbers.push_back(i);
    }
    if (keys.empty()) continue;
    auto theirs = service.sender->hub().directory().connections_of(keys);
    for (std::size_t k = 0; k < numbers.size(); ++k) found[numbers[k]] = std::move(theirs[k]);
  }
  return found;
}

void ClusterGateway::replace(const cluster::ReplaceCommand& command) {
  for (const application::Service& service : services_) {
    if (service.sender->service() == command.service) service.sender->hub().replace(command.ids);
  }
}

std::vector<cluster::Place> ClusterGateway::find_delivery_states(
    const std::vector<cluster::DeliveryStateCommand>& messages) {
  std::vector<cluster::Place> places(messages.size());
  for (const application::Service& service : services_) {
    std::vector<hub::DeliveryState> ours;
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const cluster::DeliveryStateCommand& m = messages[i];
      if (m.service != service.sender->service()) continue;
      ours.push_back({m.kind, m.name, m.message, m.event, m.listening});
      numbers.push_back(i);
    }
    service.sender->hub().directory().find_delivery_states(ours);
    for (std::size_t n = 0; n < numbers.size(); ++n)
      places[numbers[n]] = {static_cast<std::uint64_t>(ours[n].state), ours[n].connection};
  }
  return places;
}

std::vector<std::string> ClusterGateway::find_delivery_states(const ServiceName& service,
                                                              std::vector<hub::DeliveryState>& messages) {
  using State = hub::DeliveryState::State;
  std::vector<cluster::DeliveryStateCommand> questions;
  questions.reserve(messages.size());
  for (const hub::DeliveryState& m : messages)
    questions.push_back({service, m.kind, m.name, m.message, m.event, m.listening});
  cluster::Cluster::FoundStates found_states = cluster_.find_delivery_states(questions);
  const std::vector<cluster::Place>& places = found_states.places;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].unread = found_states.unread.at(i);
    // A node of another version may report an unknown state.
    if (places.at(i).state > static_cast<std::uint64_t>(State::kInFlight)) continue;
    const State theirs = static_cast<State>(places[i].state);
    messages[i].state = std::max(messages[i].state, theirs);
    if (theirs == State::kInFlight) messages[i].connection = std::max(messages[i].connection, places[i].connection);
  }
  return std::move(found_states.missing);
}

std::vector<std::string> ClusterGateway::other_nodes() {
  std::vector<std::string> ids;
  for (const cluster::Node& node : cluster_.nodes()) {
    if (node.id != cluster_.options().node) ids.push_back(node.id);
  }
  return ids;
}

void ClusterGateway::send_presence(const std::string& node, std::string message,
                                   std::function<void(bool arrived)> done) {
  cluster_.send_presence(node, {std::move(message)}, std::move(done));
}

void ClusterGateway::take_presence(const std::string& node, const cluster::PresenceCommand& command) {
  if (presence::Tracker* tracker = presence_.load()) tracker->received(node, command.bytes);
}

void ClusterGateway::on_messages_missed() {
  if (presence::Tracker* tracker = presence_.load()) tracker->synchronize();
  for (const application::Service& service : services_) service.sender->hub().refresh_pending();
}

std::unique_ptr<delivery::RemoteNodes::Sent> ClusterGateway::send(const ServiceName& service,
                                                                  const std::vector<hub::Hub::Delivery>& deliveries) {
  std::vector<DeliverCommand> commands;
  commands.reserve(deliveries.size());
  for (const hub::Hub::Delivery& delivery : deliveries) {
    const auto add = [&](const std::string& name) {
      commands.push_back({service,
                          delivery.target.kind,
                          name,
                          delivery.target.listening,
                          std::string(delivery.event),
                          delivery.frame,
                          delivery.again,
                          delivery.target.kind == event::TargetKind::kChannel && delivery.target.names.size() > 1,
                          delivery.in_union,
                          delivery.target.of_tenant,
                          std::string(delivery.except),
                          {}});
      if (delivery.trace != nullptr) commands.back().trace = *delivery.trace;
    };
    if (delivery.target.kind == event::TargetKind::kAll) {
      add("");
    } else {
      for (const std::string& name : delivery.target.names) add(name);
    }
  }
  return std::make_unique<RemoteSend>(cluster_, cluster_.deliver(commands), commands.size());
}

bool ClusterGateway::may_have_local_streams(const ServiceName& service, const event::Target& target) {
  const auto wants = [&](const std::string& name) {
    return cluster_.interest().wants(cluster::receiver_topic(service, target.kind, name));
  };
  return target.kind == event::TargetKind::kAll ? wants("") : std::ranges::any_of(target.names, wants);
}

void ClusterGateway::subscribe(const ServiceName& service, const hub::Names& names, std::function<void()> proceed) {
  cluster_.interest().acquire(topics_of(service, names), std::move(proceed));
}

void ClusterGateway::unsubscribe(const ServiceName& service, const hub::Names& names) {
  cluster_.interest().release(topics_of(service, names));
}

}  // namespace sse::server
