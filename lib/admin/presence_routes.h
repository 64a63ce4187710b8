#pragma once

#include <string>
#include <vector>

#include "application/service.h"
#include "event/json.h"
#include "event/target.h"
#include "hub/hub.h"
#include "net/router.h"
#include "store/message_repository.h"

namespace sse::admin {

/// A user as the admin API shows it, merged from its connections. REQUIRES: `connections` is not empty and all are the
/// user's.
event::Json user_json(const std::vector<hub::ConnectionInfo>& connections);

/// The routes of the admin API for presence: list connections, users, tenants, channels and tokens, and explain which
/// connections would get an event. Runs on worker threads.
class PresenceRoutes {
 public:
  /// Registers the routes. All references must outlive this.
  PresenceRoutes(net::Router& router, const std::vector<application::Service>& services, std::string server_id);

 private:
  void list_connections(const httplib::Request& req, httplib::Response& res) const;
  void list_users(const httplib::Request& req, httplib::Response& res) const;
  void list_user_ids(const httplib::Request& req, httplib::Response& res) const;
  void show_user(const httplib::Request& req, httplib::Response& res) const;
  void list_names(event::TargetKind kind, const httplib::Request& req, httplib::Response& res) const;
  void show_channel(const httplib::Request& req, httplib::Response& res) const;
  void explain(const httplib::Request& req, httplib::Response& res) const;

  const std::vector<application::Service>& services_;
  const std::string server_id_;
};

}  // namespace sse::admin
