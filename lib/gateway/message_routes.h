#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "api/types.h"
#include "delivery/dead_letters.h"
#include "delivery/message_repository.h"
#include "gateway/page_routes.h"
#include "gateway/router.h"
#include "observe/metrics.h"

namespace sse::gateway {

/// What a request of the API asks a sender for.
delivery::SendRequest send_request(api::SendRequest&& asked);

/// The admin API's part about messages: send, see what is pending and why, decide over it, and over what has died.
class MessageRoutes {
 public:
  struct Stores {
    delivery::MessageCatalog& catalog;
    delivery::DeadLetters& dead;
    /// Makes dead letters of what has expired by now, so that nothing is shown as pending that no client gets any more.
    /// May be empty.
    std::function<void()> expire{};
  };

  /// Registers the routes. References must outlive it.
  MessageRoutes(Router& router, const std::vector<Service>& services, Stores stores, observe::Registry& metrics);

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
  void export_dead(const httplib::Request& req, httplib::Response& res, delivery::MessageFilter filter);
  void list_dead(const httplib::Request& req, httplib::Response& res);
  void requeue(const httplib::Request& req, httplib::Response& res);
  void purge_dead(const httplib::Request& req, httplib::Response& res);

  /// Of `service`, `kind`, `recipient` and `event`; further parameters in `also`.
  delivery::MessageFilter filter_of(const httplib::Request& req, std::initializer_list<std::string_view> also) const;
  /// Rows as JSON with state and connection, whatever services they belong to.
  event::Json described(const std::vector<delivery::PendingMessage>& rows, bool with_data,
                        std::vector<std::string>& missing) const;
  std::vector<delivery::PendingMessage> require_message(MessageId id) const;
  void flush_attempts() const;
  void expire() const {
    if (stores_.expire) stores_.expire();
  }

  const std::vector<Service>& services_;
  Stores stores_;
  std::atomic<std::size_t> waiting_{0};  // workers that wait for a confirmation
  observe::Counter& requeued_;
  observe::Counter& purged_dead_;
};

}  // namespace sse::gateway
