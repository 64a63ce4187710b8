#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/admin_routes.h"
#include "net/http_front.h"
#include "net/worker_pool.h"

namespace sse::gateway {

/// `POST /api/v1/send` of a single message, handled on the admin listener's loop: it blocks on nothing, and on the way
/// through a worker, httplib's routing and back a thread is woken three times instead of once. With qos no thread waits
/// for the commit either: the answer is sent by whoever knows it. One that waits for a confirmation is sent on a
/// worker, which does not wait for that. Whatever is out of the ordinary, malformed requests among it, is left to
/// AdminRoutes. The references must outlive it.
class QuickSend {
 public:
  QuickSend(const std::vector<Service>& services, const AdminToken& token, net::WorkerPool& workers)
      : services_(services), token_(token), workers_(workers) {}

  /// As HttpFront::Quick.
  bool operator()(const net::RequestHead& head, std::string_view body, net::HttpFront::Responder& responder) const;

 private:
  const std::vector<Service>& services_;
  const AdminToken& token_;
  net::WorkerPool& workers_;
};

}  // namespace sse::gateway
