#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "api/types.h"
#include "application/service.h"
#include "delivery/send_request.h"
#include "net/router.h"
#include "store/dead_letters.h"

namespace sse::admin {

/// Converts a request of the API to one of the delivery module. Throws Error(kInvalidArgument).
delivery::SendRequest send_request(api::SendRequest&& api_request);

/// `POST /api/v1/send`: a single message, or with `application/x-ndjson` a request per line. It gets the requests that
/// AsyncSend leaves.
class SendRoutes {
 public:
  /// Registers the route. References must outlive it. `dead` gets the lines of exported dead letters.
  SendRoutes(net::Router& router, const std::vector<application::Service>& services, store::DeadLetters& dead);

 private:
  void send(const httplib::Request& req, httplib::Response& res);
  void send_bulk(const httplib::Request& req, httplib::Response& res);

  const std::vector<application::Service>& services_;
  store::DeadLetters& dead_;
  std::atomic<std::size_t> waiting_{0};  // workers waiting for a confirmation
};

}  // namespace sse::admin
