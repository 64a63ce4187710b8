// Opens the public and the admin listener and connects them to their request handlers.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "admin/async_send.h"
#include "admin/event_routes.h"
#include "base/descriptors.h"
#include "observe/log.h"
#include "pages/static_files.h"
#include "server/server_impl.h"

namespace sse::server {

namespace {

// Descriptors for everything except streams: listeners, database, log, admin connections, files being sent.
constexpr std::size_t kReservedDescriptors = 128 + pages::StaticFiles::kMaxOpen;
// Request bodies on disk at a time.
constexpr std::size_t kMaxSpooled = 256;

}  // namespace

net::RequestPlan Server::Impl::page_plan(const net::RequestHead& head) const {
  net::RequestPlan plan = application_bridge_->bulkheads().plan(head);
  page_routes_->planner().decide(head, plan);
  return plan;
}

void Server::Impl::open_fronts() {
  pages::PageOptions page;
  page.server_id = server_id_;
  page.serve_page = options_.page && options_.web_root.empty();
  page.web_root = options_.web_root;
  page.keepalive = options_.keepalive_time;
  page.cors_origins = options_.cors_origins;
  page.allowed_hosts = options_.allowed_hosts;
  page.allowed_hosts.push_back(net::ListenAddress::parse(options_.listen).host);
  // Any other authentication needs credentials, which a page reached through DNS rebinding does not have.
  page.check_hosts = demo_authentication_;
  if (options_.enable_get_json) page.queries = catalog_;
  page.upload_folder = upload_folder();
  page_routes_ =
      std::make_unique<pages::PageRoutes>(app_, services_, *authenticator_, &application_bridge_->application(),
                                          proxies_, application_bridge_->activity_log(), page, draining_);
  app_.set_payload_max_length(std::max(options_.max_body, options_.max_upload).count());

  const std::size_t descriptors = raise_descriptor_limit();
  net::FrontOptions front;
  front.name = "public";
  front.max_body = options_.max_body;
  front.spoolers = &application_bridge_->bulkheads().spoolers();
  front.spool_folder = page.upload_folder;
  front.refusal = [this](const auto& head, int status, const std::string& sentence) {
    return page_routes_->refusals().refusal(head, status, sentence);
  };
  front.content = [this](const net::RequestHead& head, bool keep_alive) {
    return page_routes_->content(head, keep_alive);
  };
  front.plan = [this](const net::RequestHead& head, const net::Peer&) { return page_plan(head); };
  front.memory = &body_memory_;
  front.disk = &body_disk_;
  // Each costs a descriptor; if descriptors are few, streams get most of them.
  front.max_spooled = std::min(kMaxSpooled, std::max<std::size_t>(descriptors / 16, 8));
  const std::size_t reserved =
      kReservedDescriptors + std::min(2 * front.max_spooled + options_.admin_max_connections, descriptors / 4);
  front.max_connections = options_.max_connections;
  if (front.max_connections == 0 && descriptors > 2 * reserved) front.max_connections = descriptors - reserved;
  if (front.max_connections > descriptors) {
    observe::log_warn("--max-connections is more than the descriptor limit (ulimit -n) allows",
                      {{"limit", std::to_string(descriptors)}});
  }
  front.max_per_address = options_.max_connections_per_ip;
  front.is_proxy = [this](const std::string& peer) { return proxies_.contains(peer); };
  front.client_address = [this](const std::string& peer, const net::RequestHead& head) {
    return proxies_.client_address(peer, net::joined_header(head, "X-Forwarded-For"),
                                   net::joined_header(head, "Forwarded"));
  };
  front.tls = tls_.get();
  front_ = std::make_unique<net::HttpFront>(front_loop_, *listener_, app_, workers_, front, metrics_,
                                            [this] { return open_sockets(); });

  if (!admin_listener_) return;
  admin_routes_ = std::make_unique<admin::AdminRoutes>(
      admin_app_, admin::AdminRoutes::Dependencies{
                      services_, *catalog_, *dead_, metrics_, token_, server_id_, [this] { return status(); },
                      [this] { return !draining_.load(); },
                      admin::NodeRoutes::Dependencies{server_id_, cluster_.get(), [this] { return facts(); },
                                                      [this](unsigned rate) { drain_streams(rate); }},
                      [this] { expire(); }});
  feed_ = std::make_unique<admin::EventFeed>(admin_loop_, application_bridge_->activity_log(), metrics_);
  application_bridge_->activity_log().add_listener(*feed_);
  admin::add_event_routes(admin_routes_->router(), services_, application_bridge_->activity_log(), *feed_);
  net::FrontOptions admin;
  admin.name = "admin";
  if (options_.admin.starts_with(kAdminTls)) admin.tls = tls_.get();
  admin.max_body = kMaxAdminBody;
  admin.max_connections = options_.admin_max_connections;
  admin.max_connections_option = "--admin-max-connections";
  admin.memory = &admin_body_memory_;
  admin.disk = &body_disk_;
  admin.spoolers = &admin_spoolers_;
  admin.spool_folder = page.upload_folder;
  admin.max_spooled = front.max_spooled;
  admin.refusal = &admin::AdminRoutes::refusal;
  admin.plan = [this](const net::RequestHead& head, const net::Peer&) {
    net::RequestPlan plan{.max_body = kMaxAdminBody};
    admin_routes_->decide(head, plan);
    return plan;
  };
  admin.body_timeout = std::chrono::milliseconds(60'000);
  admin_app_.set_payload_max_length(admin.max_body.count());
  admin_front_ = std::make_unique<net::HttpFront>(admin_loop_, *admin_listener_, admin_app_, admin_workers_, admin,
                                                  metrics_, [this] { return feed_->followers(); });
  // Single sends bypass the workers; see AsyncSend.
  admin_front_->set_fast_handler(admin::AsyncSend(services_, token_, admin_workers_));
}

}  // namespace sse::server
