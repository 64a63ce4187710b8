#pragma once

#include <map>
#include <string>
#include <string_view>

#include "event/json.h"
#include "support/socket.h"

namespace sse::testing {

using event::Json;

struct HttpResponse {
  int status = 0;                              ///< 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  Json json() const { return Json::parse(body); }
};

/// Parses one answer with its body out of the start of `bytes` and cuts it off; status 0 when it is not complete.
HttpResponse take_response(std::string& bytes);

/// One keep-alive HTTP connection that connects again when the server has closed it. Written from RFC 9112, not with
/// the library the server uses. Not thread safe.
class HttpClient {
 public:
  explicit HttpClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  /// Status 0 when the server is gone or says nothing for kPatience.
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
