#include "server/canary_streams.h"

#include <openssl/rand.h>

#include <array>
#include <utility>

#include "auth/base64url.h"
#include "base/error.h"
#include "base/text.h"
#include "cluster/core/cluster.h"
#include "cluster/core/typed_json.h"
#include "cluster/core/wire_version.h"
#include "event/event.h"
#include "event/frame.h"
#include "event/json.h"
#include "server/cluster_node.h"
#include "server/sender_options.h"

namespace sse::server {
namespace {

using cluster::AdminCommand;
using cluster::AdminReply;
using event::Json;

// On the wire: never changed, never used for something else.
constexpr const char* kCheckCanary = "check-canary";
constexpr const char* kSendCanary = "send-canary";

constexpr std::size_t kCanarySecretBytes = 32;
constexpr std::size_t kMaxCanaryText = 100;  // of a secret
constexpr std::size_t kMaxCanaryDocument = 1000;

constexpr const char* kCanaryRefused =
    "X-Sse-Canary is not the secret of a canary of this server or its cluster; do the nodes behind this address belong "
    "together?";

std::string new_canary_secret(unsigned number) {
  std::array<unsigned char, kCanarySecretBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Error(ErrorCode::kInternal, "OpenSSL has no random numbers for --canary");
  return std::to_string(number) + '.' + auth::base64url_encode(std::string(bytes.begin(), bytes.end()));
}

hub::HubOptions canary_hub_options(const ServerOptions& options, bool in_cluster) {
  hub::HubOptions hub = sender_options(options, std::string(kCanaryService)).hub;
  // A canary opens one stream at a time; one that its node has given up ends by itself.
  hub.client_max_connections = 0;
  hub.in_cluster = in_cluster;
  return hub;
}

// Counts one that is in progress.
class Turn {
 public:
  explicit Turn(std::atomic<std::size_t>& count) : count_(count), number_(count.fetch_add(1)) {}
  ~Turn() { count_.fetch_sub(1); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  std::size_t others() const { return number_; }

 private:
  std::atomic<std::size_t>& count_;
  const std::size_t number_;
};

}  // namespace

CanaryStreams::CanaryStreams(const ServerOptions& options, std::string server_id,
                             const std::vector<std::unique_ptr<net::EventLoop>>& loops, IdGenerator& ids,
                             ClusterNode* cluster)
    : server_id_(std::move(server_id)),
      cluster_(cluster),
      number_(cluster != nullptr ? cluster->cluster().number() : 0),
      secret_(new_canary_secret(number_)),
      hub_(canary_hub_options(options, cluster != nullptr), loops, ids, metrics_, *this) {}

CanaryStreams::~CanaryStreams() = default;

unsigned CanaryStreams::node_of(const std::string& secret) {
  std::string_view rest = secret;
  std::uint64_t node = 0;
  const bool complete = secret.size() <= kMaxCanaryText && take_number(rest, '.', node);
  if (complete && node == number_ && constant_time_equal(secret, secret_)) return number_;
  if (complete && cluster_ != nullptr && node < cluster::kNodeNumbers &&
      made_by_other(static_cast<unsigned>(node), secret))
    return static_cast<unsigned>(node);
  throw Error(ErrorCode::kUnauthenticated, kCanaryRefused);
}

bool CanaryStreams::made_by_other(unsigned node, const std::string& secret) {
  cluster::Cluster& cluster = cluster_->cluster();
  if (!cluster.is_other(node)) return false;
  const Turn turn(checks_);
  if (turn.others() >= kMaxChecks)
    throw Error(ErrorCode::kUnavailable, "too many canaries are being checked at the same time; try again");
  AdminCommand command{kCheckCanary};
  command.document = event::dump_json({{"secret", secret}});
  const AdminReply reply = cluster.pass_on(node, command);
  const auto json = cluster::read_json(reply.document, kMaxCanaryDocument);
  return reply.status == 200 && json && json->is_object() && cluster::flag_in(*json, "made");
}

void CanaryStreams::connect(unsigned node, net::HandedOverConnection connection) {
  hub::NewConnection fresh;
  fresh.identity.user = UserId(std::to_string(node));
  fresh.socket = std::move(connection.socket);
  fresh.response_head = std::move(connection.head.bytes);
  fresh.chunked = connection.head.chunked;
  fresh.ticket = std::move(connection.ticket);
  fresh.counted = std::move(connection.counted);
  hub_.connect(std::move(fresh));
}

void CanaryStreams::opening(const hub::Names& names, std::function<void()> proceed) {
  cluster_->gateway().subscribe(service_, names, std::move(proceed));
}

void CanaryStreams::left(const hub::Names& names) {
  if (cluster_ != nullptr) cluster_->gateway().unsubscribe(service_, names);
}

void CanaryStreams::send(unsigned to, const std::string& id) {
  const auto target =
      std::make_shared<const event::Target>(event::Target{event::TargetKind::kUser, {std::to_string(to)}});
  event::Event event;
  event.name = kCanaryEvent;
  event.data = event::dump_json({{"from", server_id_}, {"id", id}});
  const std::vector<hub::Hub::Delivery> deliveries{{*target, kCanaryEvent, event::Frame::make(event::encode(event))}};
  if (cluster_ != nullptr) cluster_->gateway().send(service_, deliveries);
  // The hub refers to the target.
  hub_.start_delivery(deliveries, [target](const auto&) {});
}

std::vector<std::string> CanaryStreams::other_nodes() const {
  std::vector<std::string> ids;
  if (cluster_ == nullptr) return ids;
  for (const cluster::Node& node : cluster_->cluster().nodes()) {
    if (node.number != number_ && cluster::why_refused(node.wire, node.id).empty()) ids.push_back(node.id);
  }
  return ids;
}

void CanaryStreams::request_others(const std::string& id) {
  if (cluster_ == nullptr) return;
  AdminCommand command{kSendCanary};
  command.document = event::dump_json({{"to", number_}, {"id", id}});
  // Their replies say less than the events that arrive.
  cluster_->cluster().pass_on(command);
}

std::optional<AdminReply> CanaryStreams::handle(const AdminCommand& command) {
  const bool check = command.operation == kCheckCanary;
  if (!check && command.operation != kSendCanary) return std::nullopt;
  const auto request = cluster::read_json(command.document, kMaxCanaryDocument);
  if (!request || !request->is_object())
    return cluster::refusal_reply(ErrorCode::kInvalidArgument, "a question of another node about a canary is invalid");
  if (check) {
    const bool made = constant_time_equal(cluster::text_in(*request, "secret"), secret_);
    return AdminReply{200, {}, event::dump_json(Json{{"made", made}})};
  }
  const std::uint64_t to = cluster::count_in(*request, "to");
  const std::string id = cluster::text_in(*request, "id");
  if (to >= cluster::kNodeNumbers || !whole_number(id))
    return cluster::refusal_reply(ErrorCode::kInvalidArgument, "another node asks for an invalid canary event");
  send(static_cast<unsigned>(to), id);
  return AdminReply{200, {}, "{}"};
}

}  // namespace sse::server
