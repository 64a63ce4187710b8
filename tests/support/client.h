#pragma once

#include <map>
#include <string>
#include <string_view>

#include "event/json.h"
#include "support/socket.h"

namespace sse::testing {

using event::Json;

/// A response as HttpClient received it.
struct HttpResponse {
  int status = 0;                              ///< 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  Json json() const { return Json::parse(body); }
};

/// Parses one complete response from the start of `bytes` and removes it; status 0 when it is incomplete.
HttpResponse take_response(std::string& bytes);

/// One keep-alive HTTP connection that reconnects when the server has closed it. Implemented from RFC 9112, without the
/// HTTP library that the server uses. Not thread safe.
class HttpClient {
 public:
  explicit HttpClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  /// Status 0 when the server closes the connection or does not answer within kTimeout.
  HttpResponse request(const std::string& method, const std::string& target, std::string_view body = {},
                       const std::string& type = "application/json");
  HttpResponse get(const std::string& target) { return request("GET", target); }
  HttpResponse post(const std::string& target, const Json& body) { return request("POST", target, body.dump()); }

 private:
  Endpoint endpoint_;
  UniqueFd fd_;
  std::string received_;
};

}  // namespace sse::testing
