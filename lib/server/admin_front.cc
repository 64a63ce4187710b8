#include "server/admin_front.h"

#include <algorithm>
#include <chrono>

#include "admin/async_send.h"
#include "admin/event_routes.h"
#include "server/admin_address.h"
#include "server/listeners.h"
#include "server/public_front.h"

namespace sse::server {
namespace {

/// Maximum body of a request.
constexpr ByteCount kMaxBody = mebibytes(64);
constexpr std::chrono::seconds kAdminThreadIdle{10};

}  // namespace

AdminFront::AdminFront(const ServerOptions& options, net::ByteBudget& disk)
    : options_(options),
      disk_(disk),
      listener_(open_admin_listener(options)),
      loop_("sse-admin", *options.clock),
      workers_("sse-admin-work", 1, 64, 20'000, kAdminThreadIdle, *options.clock),
      spoolers_("sse-admin-spool", 0, 1, 20'000, kAdminThreadIdle, *options.clock),
      memory_(std::max(options.max_body_memory, kMaxBody), "--max-body-memory") {}

void AdminFront::open(const Parts& parts, const admin::AdminRoutes::Dependencies& routes) {
  if (!listener_) return;
  routes_ = std::make_unique<admin::AdminRoutes>(app_, routes);
  feed_ = std::make_unique<admin::EventFeed>(loop_, parts.activity_log, parts.metrics);
  parts.activity_log.add_listener(*feed_);
  admin::add_event_routes(routes_->router(), parts.services, parts.activity_log, *feed_);
  app_.set_payload_max_length(kMaxBody.count());
  front_ = std::make_unique<net::HttpFront>(loop_, *listener_, app_, workers_, front_options(parts), parts.metrics,
                                            [this] { return feed_->followers(); });
  // Single sends bypass the workers; see AsyncSend.
  front_->set_fast_handler(admin::AsyncSend(parts.services, parts.token, workers_));
}

net::FrontOptions AdminFront::front_options(const Parts& parts) {
  net::FrontOptions front;
  front.name = "admin";
  if (options_.admin.starts_with(kAdminTls)) front.tls = parts.tls;
  front.max_body = kMaxBody;
  front.max_connections = options_.admin_max_connections;
  front.max_connections_option = "--admin-max-connections";
  front.memory = &memory_;
  front.disk = &disk_;
  front.spoolers = &spoolers_;
  front.spool_folder = upload_folder(options_);
  front.max_spooled = parts.max_spooled;
  front.refusal = &admin::AdminRoutes::refusal;
  front.plan = [this](const net::RequestHead& head, const net::Peer&) {
    net::RequestPlan plan{.max_body = kMaxBody};
    routes_->decide(head, plan);
    return plan;
  };
  front.content = [this](const net::RequestHead& head, bool keep_alive) {
    return routes_->console().answer(head, keep_alive, options_.clock->wall_now());
  };
  front.body_timeout = std::chrono::milliseconds(60'000);
  return front;
}

std::string AdminFront::address() const {
  if (!listener_) return {};
  return (options_.admin.starts_with(kAdminTls) ? std::string(kAdminTls) : "") + listener_->address().str();
}

void AdminFront::start() {
  loop_.start();
  if (front_) front_->start();
}

void AdminFront::drain() {
  if (front_) front_->drain();
  if (feed_) feed_->stop();
}

void AdminFront::stop_workers() {
  spoolers_.stop();
  workers_.stop();
}

}  // namespace sse::server
