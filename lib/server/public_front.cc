#include "server/public_front.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "application/upload_reader.h"
#include "net/request_head.h"
#include "server/canary_streams.h"
#include "server/listeners.h"

namespace sse::server {
namespace {

constexpr std::chrono::seconds kWorkerIdle{10};

std::size_t max_workers(const ServerOptions& options) {
  return options.workers != 0 ? options.workers : std::max(4U, 8 * std::thread::hardware_concurrency());
}

}  // namespace

std::string upload_folder(const ServerOptions& options) {
  return options.upload_folder.empty() ? application::default_upload_folder() : options.upload_folder;
}

PublicFront::PublicFront(const ServerOptions& options, net::ByteBudget& disk)
    : options_(options),
      disk_(disk),
      listeners_(open_public_listeners(options)),
      loop_("sse-front", *options.clock),
      workers_("sse-worker", 1, max_workers(options), 20'000, kWorkerIdle, *options.clock),
      memory_(options.max_body_memory, "--max-body-memory") {}

void PublicFront::open(const Parts& parts, const FrontLimits& limits) {
  services_ = &parts.services;
  application_ = &parts.application;
  canary_ = parts.canary;
  routes_ = std::make_unique<pages::PageRoutes>(
      app_, parts.services, parts.authenticator, parts.channels, &parts.application.application(), parts.proxies,
      parts.application.activity_log(), parts.metrics, page_options(parts), parts.draining);
  app_.set_payload_max_length(std::max(options_.max_body, options_.max_upload).count());
  front_ = std::make_unique<net::HttpFront>(
      loop_, *listeners_.front(), app_, workers_, front_options(parts, limits), parts.metrics,
      [this] { return open_streams() + (canary_ == nullptr ? 0 : canary_->sockets()); });
  for (std::size_t i = 1; i < listeners_.size(); ++i) front_->listen_on(*listeners_[i]);
}

net::ListenAddress PublicFront::address() const {
  for (const auto& listener : listeners_) {
    if (!listener->address().is_unix()) return listener->address();
  }
  return listeners_.front()->address();
}

std::vector<std::string> PublicFront::urls() const {
  std::vector<std::string> urls;
  for (const auto& listener : listeners_) urls.push_back(public_url(options_, listener->address()));
  return urls;
}

std::size_t PublicFront::open_streams() const {
  std::size_t n = 0;
  for (const application::Service& service : *services_) n += service.sender->hub().directory().sockets();
  return n;
}

net::RequestPlan PublicFront::plan(const net::RequestHead& head) const {
  net::RequestPlan plan = application_->bulkheads().plan(head);
  routes_->planner().decide(head, plan);
  return plan;
}

pages::PageOptions PublicFront::page_options(const Parts& parts) const {
  pages::PageOptions page;
  page.server_id = parts.server_id;
  page.serve_page = options_.page && options_.web_root.empty();
  page.web_root = options_.web_root;
  page.health = options_.public_health;
  page.keepalive = options_.keepalive_time;
  page.cors_origins = options_.cors_origins;
  page.allowed_hosts = options_.allowed_hosts;
  for (const auto& listener : listeners_) {
    if (!listener->address().is_unix()) page.allowed_hosts.push_back(listener->address().host);
  }
  // Any other authentication needs credentials, which a page reached through DNS rebinding does not have.
  page.check_hosts = parts.demo_authentication;
  page.nameless_requests = parts.demo_authentication;
  if (options_.enable_get_json) page.queries = &parts.catalog;
  page.upload_folder = upload_folder(options_);
  page.tickets = &parts.tickets;
  page.canary = parts.canary;
  page.publishing = {&parts.publishing, options_.publish_rate, options_.max_publish};
  return page;
}

net::FrontOptions PublicFront::front_options(const Parts& parts, const FrontLimits& limits) {
  net::FrontOptions front;
  front.name = "public";
  front.max_body = options_.max_body;
  front.spoolers = &parts.application.bulkheads().spoolers();
  front.spool_folder = upload_folder(options_);
  front.refusal = [this](const auto& head, int status, const std::string& sentence) {
    return routes_->refusals().refusal(head, status, sentence);
  };
  front.content = [this](const net::RequestHead& head, bool keep_alive) { return routes_->content(head, keep_alive); };
  front.plan = [this](const net::RequestHead& head, const net::Peer&) { return plan(head); };
  front.memory = &memory_;
  front.disk = &disk_;
  front.max_spooled = limits.max_spooled;
  front.max_connections = limits.max_connections;
  front.max_per_address = options_.max_connections_per_ip;
  const auth::TrustedProxies& proxies = parts.proxies;
  front.is_proxy = [&proxies](const std::string& peer) { return proxies.contains(peer); };
  front.client_address = [&proxies](const std::string& peer, const net::RequestHead& head) {
    return proxies.client_address(peer, net::joined_header(head, "X-Forwarded-For"),
                                  net::joined_header(head, "Forwarded"));
  };
  front.proxy_protocol = options_.proxy_protocol;
  front.tls = parts.tls;
  return front;
}

}  // namespace sse::server
