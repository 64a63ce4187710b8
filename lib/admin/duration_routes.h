#pragma once

#include <string>
#include <vector>

#include "application/service.h"
#include "delivery/sender.h"
#include "net/router.h"
#include "store/message_repository.h"

namespace sse::admin {

/// Session durations in the admin API: read, set, clear.
///
/// A duration for a user or a token is sent as a qos message with an `sse-set-duration` event: online recipients get it
/// immediately. For offline ones it is stored, also across a restart, with a time to live and within the limits of
/// pending messages. Only the newest setting of a recipient is stored. A duration for a connection is sent to it and
/// not stored. The hub records what it sends (hub/session_duration.h).
class DurationRoutes {
 public:
  /// Registers the routes. All references must outlive this.
  DurationRoutes(net::Router& router, const std::vector<application::Service>& services,
                 store::MessageCatalog& catalog);

 private:
  void read(const httplib::Request& req, httplib::Response& res) const;
  void set(const httplib::Request& req, httplib::Response& res) const;
  void clear(const httplib::Request& req, httplib::Response& res) const;
  /// Pending settings of the recipient, oldest first, without data.
  std::vector<store::PendingMessage> pending_settings(const ServiceName& service, event::TargetKind kind,
                                                      const std::string& name) const;
  /// Deletes the pending settings except `newest`; returns how many were deleted.
  std::size_t erase_pending(const ServiceName& service, event::TargetKind kind, const std::string& name,
                            MessageId newest) const;

  const std::vector<application::Service>& services_;
  store::MessageCatalog& catalog_;
};

}  // namespace sse::admin
