#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/admin_routes.h"
#include "net/http_front.h"

namespace sse::gateway {

/// `POST /api/v1/send` of a single message, handled on the admin listener's loop: it blocks on nothing, and on the way
/// through a worker, httplib's routing and back a thread is woken three times instead of once. With qos no thread waits
/// for the commit either: the answer is sent by whoever knows it. Whatever is out of the ordinary, malformed requests
/// and those that wait for a confirmation among them, is left to AdminRoutes. The references must outlive it.
class QuickSend {
 public:
  QuickSend(const std::vector<Service>& services, const AdminToken& token) : services_(services), token_(token) {}

  /// As HttpFront::Quick.
  bool operator()(const net::RequestHead& head, std::string_view body, net::HttpFront::Responder& responder) const;

 private:
  const std::vector<Service>& services_;
  const AdminToken& token_;
};

}  // namespace sse::gateway
