#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "api/types.h"
#include "application/service.h"
#include "net/router.h"
#include "observe/metrics.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"

namespace sse::admin {

/// Converts a request of the API to one of the delivery module. Throws Error(kInvalidArgument).
delivery::SendRequest send_request(api::SendRequest&& api_request);

/// The routes of the admin API for messages: send, list, retry, delete, trace and export pending messages, and manage
/// dead letters.
class MessageRoutes {
 public:
  struct Stores {
    store::MessageCatalog& catalog;
    store::DeadLetters& dead;
    /// Moves expired messages to the dead letters, so that no message is shown as pending that cannot be delivered any
    /// more. May be empty.
    std::function<void()> expire{};
  };

  /// Registers the routes. References must outlive it.
  MessageRoutes(net::Router& router, const std::vector<application::Service>& services, Stores stores,
                observe::Registry& metrics);

 private:
  void send(const httplib::Request& req, httplib::Response& res);
  void send_bulk(const httplib::Request& req, httplib::Response& res);
  void list(const httplib::Request& req, httplib::Response& res);
  void show(const httplib::Request& req, httplib::Response& res);
  void remove(const httplib::Request& req, httplib::Response& res);
  void purge(const httplib::Request& req, httplib::Response& res);
  void retry(const httplib::Request& req, httplib::Response& res);
  void trace(const httplib::Request& req, httplib::Response& res);
  void export_lines(const httplib::Request& req, httplib::Response& res);
  void export_dead(const httplib::Request& req, httplib::Response& res, store::MessageFilter filter);
  void list_dead(const httplib::Request& req, httplib::Response& res);
  void requeue(const httplib::Request& req, httplib::Response& res);
  void purge_dead(const httplib::Request& req, httplib::Response& res);

  /// Reads the filter from `service`, `kind`, `recipient`, `tenant` and `event`. `also`: further allowed parameters.
  store::MessageFilter filter_of(const httplib::Request& req, std::initializer_list<std::string_view> also) const;
  /// Rows of any services as JSON with state and connection.
  event::Json described(const std::vector<store::PendingMessage>& rows, bool with_data,
                        std::vector<std::string>& missing) const;
  std::vector<store::PendingMessage> require_message(MessageId id) const;
  void flush_attempts() const;
  void expire() const {
    if (stores_.expire) stores_.expire();
  }

  const std::vector<application::Service>& services_;
  Stores stores_;
  std::atomic<std::size_t> waiting_{0};  // workers waiting for a confirmation
  observe::Counter& requeued_;
  observe::Counter& purged_dead_;
};

}  // namespace sse::admin
