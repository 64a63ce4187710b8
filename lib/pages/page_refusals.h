#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "net/http_front.h"
#include "pages/origin_policy.h"
#include "pages/service_paths.h"

namespace sse::pages {

/// Writes the responses that refuse a page's request before it reaches a route: in the JSON form of all responses, with
/// the CORS headers that the page needs to read it. Immutable, thread safe.
class PageRefusals {
 public:
  /// References must outlive this.
  PageRefusals(std::string server_id, const OriginPolicy& origins, const ServicePaths& paths)
      : server_id_(std::move(server_id)), origins_(origins), paths_(paths) {}

  /// Header lines of every response to this request: server id, version, CORS.
  std::string common_headers(const net::RequestHead& head) const;
  /// For FrontOptions::refusal.
  net::RefusalText refusal(const net::RequestHead& head, int status, const std::string& sentence) const;
  /// As refusal(): the complete response to a request in the form that normalized_request() writes.
  std::string response(std::string_view request, int status, const std::string& sentence) const;

 private:
  const std::string server_id_;
  const OriginPolicy& origins_;
  const ServicePaths& paths_;
};

}  // namespace sse::pages
