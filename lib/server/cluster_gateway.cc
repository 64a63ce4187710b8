#include "server/cluster_gateway.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "admin/local_header.h"
#include "admin/node_operations.h"
#include "admin/waiting_send.h"
#include "api/send_reader.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/raw_http.h"
#include "observe/barrier.h"
#include "observe/log.h"
#include "server/canary_streams.h"

namespace sse::server {
namespace {

using cluster::DeliverCommand;
using cluster::RawRequest;

}  // namespace

ClusterGateway::ClusterGateway(cluster::Cluster& cluster, const std::vector<application::Service>& services,
                               net::HttplibApp& pages, net::HttplibApp& admin, const admin::AdminToken& token,
                               std::function<event::Json()> facts, ForwardedPages forwarded)
    : cluster_(cluster),
      services_(services),
      pages_(pages),
      admin_(admin),
      token_(token),
      facts_(std::move(facts)),
      forwarded_(std::move(forwarded)),
      limiter_(cluster, services),
      in_transit_(std::make_shared<InTransit>()) {}

// Counts the batches from other nodes that the loops have not delivered yet. The number is bounded: a node whose loops
// lag applies back-pressure to the bus instead of queueing without limit.
class ClusterGateway::InTransit {
 public:
  void begin() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (batches_ >= kMaxBatches) changed_.wait(mutex_);
    ++batches_;
  }
  void end() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (batches_-- == kMaxBatches) changed_.notify_one();
  }

 private:
  static constexpr std::size_t kMaxBatches = 16;

  Mutex mutex_;
  CondVar changed_;
  std::size_t batches_ GUARDED_BY(mutex_) = 0;
};

void ClusterGateway::deliver(std::vector<DeliverCommand> commands,
                             std::function<void(std::vector<std::uint32_t>)> done) {
  // The commands of one call; destroyed when every service has delivered its part.
  struct Batch {
    Batch(std::vector<DeliverCommand> all, std::function<void(std::vector<std::uint32_t>)> then)
        : commands(std::move(all)), taken(commands.size()), done(std::move(then)) {}
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() {
      observe::guarded("the answer to another node", [this] { done(std::move(taken)); });
    }

    const std::vector<DeliverCommand> commands;
    std::vector<std::uint32_t> taken;
    const std::function<void(std::vector<std::uint32_t>)> done;
  };
  // The part of one service. Completes in the destructor, because a stopped loop destroys its pending tasks unrun.
  struct Part {
    Part(std::shared_ptr<Batch> whole, std::shared_ptr<InTransit> counted)
        : batch(std::move(whole)), in_transit(std::move(counted)) {
      in_transit->begin();
    }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part() { in_transit->end(); }

    const std::shared_ptr<Batch> batch;
    const std::shared_ptr<InTransit> in_transit;
    std::vector<event::Target> targets;
    std::vector<std::size_t> numbers;
  };
  const auto batch = std::make_shared<Batch>(std::move(commands), std::move(done));
  // `start`: as Hub::start_delivery().
  const auto deliver_part = [&](const ServiceName& service, const auto& start) {
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < batch->commands.size(); ++i) {
      if (batch->commands[i].service == service) numbers.push_back(i);
    }
    if (numbers.empty()) return;
    const auto part = std::make_shared<Part>(batch, in_transit_);
    part->numbers = std::move(numbers);
    part->targets.reserve(part->numbers.size());
    std::vector<hub::Hub::Delivery> deliveries;
    deliveries.reserve(part->numbers.size());
    for (const std::size_t i : part->numbers) {
      const DeliverCommand& command = batch->commands[i];
      event::Target& target =
          part->targets.emplace_back(event::Target{command.kind, {}, command.listening, command.of_tenant});
      if (command.kind != event::TargetKind::kAll) target.names = {command.name};
      deliveries.push_back({target, command.event, command.frame, {}, command.again, command.several});
      deliveries.back().in_union = command.in_union;
      deliveries.back().except = command.except;
      if (command.trace) deliveries.back().trace = &*command.trace;
    }
    start(std::move(deliveries), [part](const std::vector<std::vector<std::uint32_t>>& counts) {
      for (std::size_t n = 0; n < counts.size(); ++n) part->batch->taken[part->numbers[n]] = counts[n].front();
    });
  };
  for (const application::Service& service : services_) {
    deliver_part(service.sender->service(), [&](auto deliveries, auto taken) {
      service.sender->deliver_local(std::move(deliveries), std::move(taken));
    });
  }
  if (CanaryStreams* canary = canary_.load()) {
    deliver_part(ServiceName(std::string(kCanaryService)),
                 [&](auto deliveries, auto taken) { canary->deliver(std::move(deliveries), std::move(taken)); });
  }
}

std::string ClusterGateway::store_body_chunk(const cluster::BodyCommand& command) {
  try {
    forwarded_.bodies.append(command);
    return std::string(cluster::kBodyTaken);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kIo) observe::log_error("an upload was refused", {{"error", e.what()}});
    const int status = e.code() == ErrorCode::kIo              ? 507
                       : e.code() == ErrorCode::kLimitExceeded ? 503
                                                               : http_status(e.code());
    return std::to_string(status) + ' ' +
           (e.code() == ErrorCode::kIo ? "the node of that connection cannot store the request body" : e.what());
  }
}

std::string ClusterGateway::handle_page(const cluster::RequestCommand& command) {
  const auto refuse = [&](int status, const std::string& sentence) {
    return forwarded_.refuse(command.request, status, sentence);
  };
  std::size_t scanned = 0;
  const net::HeadScan scan = net::scan_head(command.request, scanned);
  if (scan.status != net::HeadScan::Status::kComplete) return refuse(400, "another node forwarded a malformed request");
  std::unique_ptr<pages::RelayedBodies::Body> body;
  std::uint64_t size = command.request.size() - scan.head.size;
  net::RequestExtras extras;
  if (!command.body.empty()) {
    try {
      body = forwarded_.bodies.take(command.body);
    } catch (const Error& e) {
      return refuse(http_status(e.code()), e.what());
    }
    size = body->spool.size();
    extras.file = body->spool.fd();
    extras.file_size = size;
  }
  if (size != scan.head.content_length)
    return refuse(400, "another node forwarded a body whose length differs from its Content-Length");
  const net::RequestPlan plan = forwarded_.plan(scan.head);
  if (size > plan.max_body.count()) {
    return refuse(413, "the node of that connection accepts a body of at most " + format_bytes(plan.max_body) +
                           (plan.in_file ? " (--max-upload)" : " (--max-body)"));
  }
  net::ByteBudget::Share memory(&forwarded_.memory);
  if (body != nullptr && !plan.in_file && !memory.raise_to(size)) {
    return refuse(503, "the node of that connection has reached its limit of request bodies in memory (" +
                           forwarded_.memory.option() + "); try again later");
  }
  extras.loadable = !plan.in_file;
  return pages_.process_locally(command.request, {command.peer, 0}, true, extras).bytes;
}

void ClusterGateway::authorize(RawRequest& request) const {
  request.remove_header("Authorization");
  if (const std::string mine = token_.authorization(); !mine.empty()) request.set_header("Authorization", mine);
}

std::string ClusterGateway::handle(const cluster::RequestCommand& command) {
  if (command.entry == cluster::RequestEntry::kPages) return handle_page(command);
  RawRequest request = RawRequest::parse(command.request);
  authorize(request);
  return admin_.process(request.text(), {command.peer, 0}, true).bytes;
}

cluster::AdminReply ClusterGateway::handle_admin(const cluster::AdminCommand& command) {
  if (tickets_) {
    if (auto reply = tickets_(command)) return std::move(*reply);
  }
  if (CanaryStreams* canary = canary_.load()) {
    if (auto reply = canary->handle(command)) return std::move(*reply);
  }
  RawRequest request;
  try {
    request = admin::request_of(command);
  } catch (const Error& e) {
    observe::log_error("refused an operation of another node",
                       {{"operation", printable(command.operation, 60)}, {"error", e.what()}});
    return cluster::refusal_reply(e.code(), e.what());
  }
  authorize(request);
  return admin::reply_of(
      cluster::RawResponse::parse(admin_.process_locally(request.text(), {command.peer, 0}, true).bytes));
}

// A program may use the cluster without being a node, and wait for a confirmation: that blocks no thread here.
void ClusterGateway::handle_async(const cluster::RequestCommand& command, std::function<void(std::string)> done) {
  if (command.entry == cluster::RequestEntry::kCluster && command.request.find("\"wait\"") != std::string::npos) {
    const RawRequest request = RawRequest::parse(command.request);
    const bool single = !to_lower(request.header("Content-Type")).starts_with("application/x-ndjson");
    if (request.method == "POST" && request.path == "/api/v1/send" && single) {
      std::optional<api::SendRequest> asked;
      try {
        asked = api::read_send_request(request.body, "the request body");
      } catch (const Error&) {
        // The routes report the error.
      }
      if (asked && admin::is_waiting_send(*asked)) {
        admin::send_waiting(services_, std::move(*asked), !request.header(admin::kLocalHeader).empty(),
                            parse_traceparent(request.header("traceparent")),
                            [done = std::move(done)](int status, std::string_view type, const std::string& body) {
                              done(cluster::RawResponse{status, std::string(type), body}.text());
                            });
        return;
      }
    }
  }
  done(handle(command));
}

}  // namespace sse::server
