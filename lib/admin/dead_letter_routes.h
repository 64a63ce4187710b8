#pragma once

#include <vector>

#include "admin/message_stores.h"
#include "application/service.h"
#include "net/router.h"
#include "observe/metrics.h"

namespace sse::admin {

/// The routes of the admin API for dead letters: list, requeue and purge.
class DeadLetterRoutes {
 public:
  /// Registers the routes. References must outlive it.
  DeadLetterRoutes(net::Router& router, const std::vector<application::Service>& services, MessageStores stores,
                   observe::Registry& metrics);

 private:
  void list(const httplib::Request& req, httplib::Response& res);
  void requeue(const httplib::Request& req, httplib::Response& res);
  void purge(const httplib::Request& req, httplib::Response& res);

  const std::vector<application::Service>& services_;
  const MessageStores stores_;
  observe::Counter& requeued_;
  observe::Counter& purged_;
};

}  // namespace sse::admin
