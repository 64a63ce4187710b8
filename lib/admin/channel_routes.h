#pragma once

#include "auth/authenticator.h"
#include "auth/channel_access.h"
#include "auth/publish_access.h"
#include "net/httplib_app.h"
#include "net/router.h"

namespace sse::admin {

/// The route of the admin API that says which channels a user may join and publish to, and by what. It answers for this
/// node: its rules are those of its own configuration. Runs on worker threads; blocks as the authenticator does.
class ChannelRoutes {
 public:
  /// What the answers come from; both outlive the routes. Null: the route does not exist.
  struct Dependencies {
    const auth::ChannelAccess* access = nullptr;
    const auth::PublishAccess* publishing = nullptr;
    auth::Authenticator* authenticator = nullptr;  ///< for the credentials of a request
  };

  ChannelRoutes(net::Router& router, const Dependencies& dependencies);

 private:
  void explain(const httplib::Request& req, httplib::Response& res) const;

  const Dependencies deps_;
};

}  // namespace sse::admin
