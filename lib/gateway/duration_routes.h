#pragma once

#include <string>
#include <vector>

#include "delivery/message_repository.h"
#include "delivery/sender.h"
#include "gateway/page_routes.h"
#include "gateway/router.h"

namespace sse::gateway {

/// Session durations in the admin API: read, set, clear.
///
/// One set for a user or a token is a qos message, an `sse-set-duration` event: it reaches who is online at once and
/// waits on disk for who is not, with a time to live and within the limits of pending messages, a restart included.
/// Only the newest setting of a recipient is kept. One set for a connection is sent to that and kept nowhere. The hub
/// notes what it sends (hub/session_duration.h).
class DurationRoutes {
 public:
  /// Registers the routes. All references must outlive this.
  DurationRoutes(Router& router, const std::vector<Service>& services, delivery::MessageCatalog& catalog);

 private:
  void read(const httplib::Request& req, httplib::Response& res) const;
  void set(const httplib::Request& req, httplib::Response& res) const;
  void clear(const httplib::Request& req, httplib::Response& res) const;
  /// Settings that wait for the recipient, oldest first, without data.
  std::vector<delivery::PendingMessage> waiting(const ServiceName& service, event::TargetKind kind,
                                                const std::string& name) const;
  /// Deletes them, but for `newest`; returns how many there were.
  std::size_t forget(const ServiceName& service, event::TargetKind kind, const std::string& name,
                     MessageId newest) const;

  const std::vector<Service>& services_;
  delivery::MessageCatalog& catalog_;
};

}  // namespace sse::gateway
