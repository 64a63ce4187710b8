#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "cluster/core/cluster.h"
#include "cluster/core/topics.h"

// The part of Cluster that sends commands and reads the replies.
namespace sse::cluster {
namespace {

// Whether a node that may have data did not reply.
bool is_partial(const Replies& answers) {
  return !answers.failure.empty() || answers.silent != 0;
}

}  // namespace

std::shared_ptr<PendingCall> Cluster::deliver(const std::vector<DeliverCommand>& commands) {
  std::vector<Command> out;
  out.reserve(commands.size());
  for (const DeliverCommand& command : commands)
    out.push_back({receiver_topic(command.service, command.kind, command.name), encode(command)});
  sent_.add(out.size());
  return bus_->start_call(out);
}

// A bus may not name silent nodes: then every known node that has not replied may be one.
std::vector<std::string> Cluster::unanswering_nodes(const std::vector<Replies>& all) const {
  if (std::ranges::none_of(all, is_partial)) return {};
  std::set<std::string> named;
  bool any_silent = false;
  const std::vector<std::string> known = others();
  for (const Replies& answers : all) {
    if (!is_partial(answers)) continue;
    if (!answers.missing.empty()) {
      for (const std::string& name : answers.missing) named.insert(node_of(name));
      continue;
    }
    any_silent = any_silent || answers.silent != 0;
    std::set<std::string> replied;
    for (const auto& [node, bytes] : answers.answers) replied.insert(node_of(node));
    for (const std::string& id : known) {
      if (!replied.contains(id)) named.insert(id);
    }
  }
  if (any_silent && named.empty()) named.insert("(a node that is gone or frozen)");
  return {named.begin(), named.end()};
}

void Cluster::finish_async(const std::shared_ptr<PendingCall>& pending_call, std::size_t count,
                           std::function<void(Delivered)> done) {
  pending_call->then(options_.timeout, [this, count, done = std::move(done)](const std::vector<Replies>& all) {
    done(delivered_of(all, count));
  });
}

Cluster::Delivered Cluster::delivered_of(const std::vector<Replies>& all, std::size_t count) {
  Delivered delivered;
  delivered.taken.resize(count);
  for (std::size_t i = 0; i < all.size() && i < count; ++i) {
    for (const auto& [node, bytes] : all[i].answers) delivered.taken[i] += decode_taken(bytes);
    unanswered_.add(all[i].silent);
  }
  delivered.missing = unanswering_nodes(all);
  return delivered;
}

std::shared_ptr<PendingCall> Cluster::call_all(std::string command) {
  sent_.add();
  return bus_->start_call({{broadcast_topic(), std::move(command)}});
}

Cluster::Responses Cluster::finish(PendingCall& pending_call) {
  Replies answers = std::move(pending_call.wait(options_.timeout).front());
  unanswered_.add(answers.silent);
  Responses responses;
  std::set<std::string> replied;
  for (auto& [node, bytes] : answers.answers) {
    replied.insert(node_of(node));
    responses.responses.push_back({node_of(node), std::move(bytes)});
  }
  // A registered node that did not receive the request is missing, too.
  for (const std::string& id : others()) {
    if (!replied.contains(id)) responses.missing.push_back(id);
  }
  // So is a node that is no longer registered but still subscribed.
  for (const std::string& name : answers.missing) {
    if (std::ranges::find(responses.missing, node_of(name)) == responses.missing.end())
      responses.missing.push_back(node_of(name));
  }
  std::ranges::sort(responses.missing);
  std::ranges::sort(responses.responses, {}, &Replies::One::node);
  return responses;
}

std::string Cluster::pass_on(unsigned number, const RequestCommand& command, std::chrono::milliseconds timeout) {
  return call_node(number, encode(command), timeout);
}

AdminReply Cluster::pass_on(unsigned number, const AdminCommand& command) {
  AdminReply reply = decode_admin_reply(call_node(number, encode(command), options_.timeout));
  if (reply.status == 0) {
    throw Error(ErrorCode::kUnavailable,
                "the reply of that node to '" + command.operation + "' is invalid; do all nodes run the same version?");
  }
  return reply;
}

std::string Cluster::pass_on(unsigned number, const BodyCommand& command) {
  return call_node(number, encode(command), options_.timeout);
}

std::string Cluster::new_transfer() {
  return run_ + "-" + std::to_string(transfers_.fetch_add(1, std::memory_order_relaxed));
}

std::string Cluster::call_node(unsigned number, std::string command, std::chrono::milliseconds timeout) {
  if (const std::string why = refusal_of(number); !why.empty()) throw Error(ErrorCode::kUnavailable, why);
  sent_.add();
  const auto pending_call = bus_->start_call({{node_topic(number), std::move(command)}});
  Replies answers = std::move(pending_call->wait(timeout).front());
  if (!answers.answers.empty()) return std::move(answers.answers.front().bytes);
  if (!answers.failure.empty()) throw Error(ErrorCode::kUnavailable, answers.failure);
  if (answers.silent != 0) {
    unanswered_.add(answers.silent);
    throw Error(ErrorCode::kTimeout, "the node of that connection did not answer within " + format_duration(timeout) +
                                         "; the request may have been carried out");
  }
  throw Error(ErrorCode::kUnavailable, "the node of that connection is gone");
}

std::vector<Cluster::Streams> Cluster::connections_of(const std::vector<ClientCommand>& clients) {
  std::vector<Command> out;
  out.reserve(clients.size());
  for (const ClientCommand& client : clients)
    out.push_back({receiver_topic(client.service, event::TargetKind::kUser, client.user), encode(client)});
  sent_.add(out.size());
  const std::vector<Replies> all = bus_->start_call(out)->wait(options_.timeout);
  std::vector<Streams> found(clients.size());
  for (std::size_t i = 0; i < all.size() && i < found.size(); ++i) {
    found[i].unread = is_partial(all[i]);
    for (const auto& [node, bytes] : all[i].answers) {
      const std::vector<ConnectionId> ids = decode_ids(bytes);
      found[i].ids.insert(found[i].ids.end(), ids.begin(), ids.end());
    }
  }
  return found;
}

Cluster::FoundStates Cluster::find_delivery_states(const std::vector<DeliveryStateCommand>& messages) {
  FoundStates found_states;
  std::vector<Place>& places = found_states.places;
  places.resize(messages.size());
  found_states.unread.resize(messages.size());
  if (messages.empty()) return found_states;
  std::vector<Command> out;
  out.reserve(messages.size());
  for (const DeliveryStateCommand& message : messages)
    out.push_back({receiver_topic(message.service, message.kind, message.name), encode(message)});
  sent_.add(out.size());
  const std::vector<Replies> all = bus_->start_call(out)->wait(options_.timeout);
  std::set<std::string> failed;
  for (std::size_t i = 0; i < all.size() && i < places.size(); ++i) {
    found_states.unread[i] = is_partial(all[i]);
    unanswered_.add(all[i].silent);
    for (const auto& [node, bytes] : all[i].answers) {
      const std::optional<Place> theirs = decode_place(bytes);
      if (!theirs) {
        found_states.unread[i] = true;
        failed.insert(node_of(node));
        continue;
      }
      places[i].state = std::max(places[i].state, theirs->state);
      places[i].connection = std::max(places[i].connection, theirs->connection);
    }
  }
  for (std::string& node : unanswering_nodes(all)) failed.insert(std::move(node));
  found_states.missing.assign(failed.begin(), failed.end());
  return found_states;
}

void Cluster::send_presence(const std::string& node, const PresenceCommand& command,
                            std::function<void(bool arrived)> done) {
  const std::vector<Node> known = nodes();
  const auto found = std::ranges::find(known, node, &Node::id);
  if (found == known.end()) return done(false);
  sent_.add();
  bus_->start_call({{node_topic(found->number), encode(command)}})
      ->then(options_.timeout, [done = std::move(done)](const std::vector<Replies>& all) {
        done(!all.empty() && !all.front().answers.empty());
      });
}

void Cluster::replace(unsigned number, const ReplaceCommand& command) {
  sent_.add();
  bus_->start_call({{node_topic(number), encode(command)}});
}

}  // namespace sse::cluster
