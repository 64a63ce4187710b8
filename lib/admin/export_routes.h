#pragma once

#include <vector>

#include "admin/message_stores.h"
#include "application/service.h"
#include "net/router.h"

namespace sse::admin {

/// `GET /api/v1/export`: pending messages or dead letters as lines that `POST /api/v1/send` accepts, page by page.
class ExportRoutes {
 public:
  /// Registers the route. References must outlive it.
  ExportRoutes(net::Router& router, const std::vector<application::Service>& services, MessageStores stores);

 private:
  void export_pending(const httplib::Request& req, httplib::Response& res);
  void export_dead(const httplib::Request& req, httplib::Response& res, store::MessageFilter filter);

  const std::vector<application::Service>& services_;
  const MessageStores stores_;
};

}  // namespace sse::admin
