#include "gateway/cluster_gateway.h"

#include <utility>

#include "cluster/raw_http.h"
#include "cluster/topics.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

using cluster::DeliverCommand;
using cluster::RawRequest;

std::vector<std::string> topics_of(const ServiceName& service, const hub::Names& names) {
  std::vector<std::string> topics;
  topics.reserve(names.size());
  for (const auto& [kind, name] : names) topics.push_back(cluster::receiver_topic(service, kind, name));
  return topics;
}

class OnItsWay final : public delivery::Elsewhere::Sent {
 public:
  OnItsWay(cluster::Cluster& cluster, std::shared_ptr<cluster::Asked> asked, std::size_t count)
      : cluster_(cluster), asked_(std::move(asked)), count_(count) {}

  std::vector<std::string> finish(std::vector<std::vector<std::uint32_t>>& taken) override {
    cluster::Cluster::Delivered delivered = cluster_.finish(*asked_, count_);
    std::size_t next = 0;
    for (auto& names : taken) {
      for (std::uint32_t& count : names) count += delivered.taken.at(next++);
    }
    return std::move(delivered.missing);
  }

 private:
  cluster::Cluster& cluster_;
  const std::shared_ptr<cluster::Asked> asked_;
  const std::size_t count_;
};

}  // namespace

ClusterGateway::ClusterGateway(cluster::Cluster& cluster, const std::vector<Service>& services, net::HttplibApp& pages,
                               net::HttplibApp& admin, const AdminToken& token, std::function<event::Json()> facts)
    : cluster_(cluster), services_(services), pages_(pages), admin_(admin), token_(token), facts_(std::move(facts)) {}

std::vector<std::uint32_t> ClusterGateway::deliver(const std::vector<DeliverCommand>& commands) {
  std::vector<std::uint32_t> taken(commands.size());
  for (const Service& service : services_) {
    std::vector<event::Target> targets;
    std::vector<std::size_t> numbers;
    targets.reserve(commands.size());
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const DeliverCommand& command = commands[i];
      if (command.service != service.sender->service()) continue;
      event::Target target{command.kind, {}, command.listening};
      if (command.kind != event::TargetKind::kAll) target.names = {command.name};
      targets.push_back(std::move(target));
      numbers.push_back(i);
    }
    if (targets.empty()) continue;
    std::vector<hub::Hub::Delivery> deliveries;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const DeliverCommand& command = commands[numbers[t]];
      deliveries.push_back(
          {targets[t], command.event, event::Frame::make(command.frame, command.message, command.kind)});
    }
    const auto counts = service.sender->deliver_here(deliveries);
    for (std::size_t t = 0; t < counts.size(); ++t) taken[numbers[t]] = counts[t].front();
  }
  return taken;
}

std::string ClusterGateway::handle(const cluster::RequestCommand& command) {
  if (command.door == cluster::Door::kPages) return pages_.process_here(command.request, {command.peer, 0}, true).bytes;
  // The node that took it has checked its own token; ours may be another.
  RawRequest request = RawRequest::parse(command.request);
  request.remove_header("Authorization");
  if (const std::string mine = token_.authorization(); !mine.empty()) request.set_header("Authorization", mine);
  const std::string text = request.text();
  return command.door == cluster::Door::kCluster ? admin_.process(text, {command.peer, 0}, true).bytes
                                                 : admin_.process_here(text, {command.peer, 0}, true).bytes;
}

void ClusterGateway::missed_something() {
  for (const Service& service : services_) service.sender->hub().look_again();
}

std::unique_ptr<delivery::Elsewhere::Sent> ClusterGateway::send(const ServiceName& service,
                                                                const std::vector<hub::Hub::Delivery>& deliveries) {
  std::vector<DeliverCommand> commands;
  for (const hub::Hub::Delivery& delivery : deliveries) {
    const auto add = [&](const std::string& name) {
      commands.push_back({service, delivery.target.kind, name, delivery.target.listening, std::string(delivery.event),
                          delivery.frame->message(), std::string(delivery.frame->bytes())});
    };
    if (delivery.target.kind == event::TargetKind::kAll) {
      add("");
    } else {
      for (const std::string& name : delivery.target.names) add(name);
    }
  }
  return std::make_unique<OnItsWay>(cluster_, cluster_.deliver(commands), commands.size());
}

void ClusterGateway::expect(const ServiceName& service, const hub::Names& names, std::function<void()> go_on) {
  cluster_.interest().acquire(topics_of(service, names), std::move(go_on));
}

void ClusterGateway::gone(const ServiceName& service, const hub::Names& names) {
  cluster_.interest().release(topics_of(service, names));
}

}  // namespace sse::gateway
