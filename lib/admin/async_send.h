#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "admin/admin_routes.h"
#include "net/http_front.h"
#include "net/worker_pool.h"

namespace sse::admin {

/// The fast path of `POST /api/v1/send` for a single message: runs on the admin listener's loop and never blocks. The
/// way through a worker, httplib's routing and back wakes a thread three times instead of once. With qos no thread
/// waits for the commit; the thread that completes it sends the response. A send that waits for a confirmation starts
/// on a worker, which does not block until then. Everything else, including malformed requests, is left to AdminRoutes.
/// The references must outlive it.
class AsyncSend {
 public:
  AsyncSend(const std::vector<application::Service>& services, const AdminToken& token, net::WorkerPool& workers)
      : services_(services), token_(token), workers_(workers) {}

  /// Implements net::FastHandler.
  bool operator()(const net::RequestHead& head, std::string_view body, net::HttpFront::Responder& responder) const;

 private:
  const std::vector<application::Service>& services_;
  const AdminToken& token_;
  net::WorkerPool& workers_;
};

}  // namespace sse::admin
