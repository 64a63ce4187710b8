#pragma once

#include <string>
#include <vector>

#include "admin/message_stores.h"
#include "application/service.h"
#include "event/json.h"
#include "net/router.h"
#include "store/message_repository.h"

namespace sse::admin {

/// The routes of the admin API for pending messages: list, show, delete, retry and trace.
class MessageRoutes {
 public:
  /// Registers the routes. References must outlive it.
  MessageRoutes(net::Router& router, const std::vector<application::Service>& services, MessageStores stores);

 private:
  void list(const httplib::Request& req, httplib::Response& res);
  void show(const httplib::Request& req, httplib::Response& res);
  void remove(const httplib::Request& req, httplib::Response& res);
  void purge(const httplib::Request& req, httplib::Response& res);
  void retry(const httplib::Request& req, httplib::Response& res);
  void trace(const httplib::Request& req, httplib::Response& res);

  /// Rows of any services as JSON with state and connection. `missing` gets the nodes that did not reply.
  event::Json described(const std::vector<store::PendingMessage>& rows, bool with_data,
                        std::vector<std::string>& missing) const;
  std::vector<store::PendingMessage> require_message(MessageId id) const;
  void flush_attempts() const;

  const std::vector<application::Service>& services_;
  const MessageStores stores_;
};

}  // namespace sse::admin
