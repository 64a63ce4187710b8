#pragma once

#include <string>
#include <vector>

#include "delivery/message_repository.h"
#include "event/json.h"
#include "event/target.h"
#include "gateway/page_routes.h"
#include "gateway/router.h"
#include "hub/hub.h"

namespace sse::gateway {

/// A user as the admin API shows it: what its connections have in common. REQUIRES: `connections` is not empty and all
/// are the user's.
event::Json user_json(const std::vector<hub::ConnectionInfo>& connections);

/// Who is connected, in the admin API: connections, users, tenants, channels, tokens, and why somebody would or would
/// not get an event. Runs on worker threads.
class PresenceRoutes {
 public:
  /// Registers the routes. All references must outlive this.
  PresenceRoutes(Router& router, const std::vector<Service>& services, std::string server_id);

 private:
  void list_connections(const httplib::Request& req, httplib::Response& res) const;
  void list_users(const httplib::Request& req, httplib::Response& res) const;
  void list_user_ids(const httplib::Request& req, httplib::Response& res) const;
  void show_user(const httplib::Request& req, httplib::Response& res) const;
  void list_names(event::TargetKind kind, const httplib::Request& req, httplib::Response& res) const;
  void explain(const httplib::Request& req, httplib::Response& res) const;

  const std::vector<Service>& services_;
  const std::string server_id_;
};

}  // namespace sse::gateway
