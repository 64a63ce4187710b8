#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/address.h"
#include "api/client.h"
#include "base/error.h"
#include "event/json.h"

namespace httplib {
class Client;
struct Request;
struct Response;
enum class Error;
}  // namespace httplib

namespace sse::api {

/// Sends requests of a Client to the server, or forwards them, and turns its responses into documents and errors. One
/// thread at a time. All functions block, and throw Error as Client says.
class Transport {
 public:
  /// Does not connect yet. Throws Error(kInvalidArgument) for an invalid address, token or timeout.
  explicit Transport(ClientOptions options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  using Headers = std::vector<std::pair<std::string, std::string>>;
  /// `body`: null for none. `headers`: further ones.
  Json call(const char* method, std::string path, const Json* body = nullptr, const Headers& headers = {});

  /// Lines of JSON, unparsed, and the headers of the response.
  struct Lines {
    std::string text;
    std::vector<std::pair<std::string, std::string>> headers;

    /// The first header of that name; empty when absent.
    std::string header(std::string_view name) const;
    std::vector<std::string> headers_named(std::string_view name) const;
  };
  Lines call_lines(const char* method, std::string path, std::string body, const Headers& headers = {});

  /// Reads an endless response with one JSON object in each line, until `on_line` returns false or the server closes it
  /// (kUnavailable). `on_open`, which may be empty, gets the header X-Sse-Cursor once the server has accepted.
  void follow(std::string path, const std::function<bool(const Json&)>& on_line,
              const std::function<void(const std::string&)>& on_open = {});

  /// For programs that relay requests of others: sends one with the token of this client, and passes the response on as
  /// it arrives: status and headers once, then each piece of the body, until one of the functions returns false.
  /// Returns true if the whole response was passed on. Of the headers of the request only Accept and Content-Type are
  /// sent. Waits at most `quiet` for the next piece. Throws Error if there is no response.
  bool relay(const ForwardedRequest& request, std::chrono::seconds quiet,
             const std::function<bool(const ForwardedResponse&)>& on_head,
             const std::function<bool(std::string_view)>& on_bytes);
  /// Makes a call of another thread fail soon. Any thread.
  void stop();

 private:
  httplib::Response exchange(const char* method, std::string path, std::string body, std::string_view type,
                             const Headers& headers, std::string& body_read);
  httplib::Response forward(const httplib::Request& request, std::string& body_read) const;
  /// The error of a request without a response, which took that long.
  Error failure(httplib::Error error, std::chrono::steady_clock::duration taken) const;
  void report_missing_nodes(const Json& document) const;
  /// The document of a response. Throws Error for a problem document, and for anything that is no document.
  Json answer(const httplib::Response& response, const std::string& body) const;

  const ClientOptions options_;
  const Address address_;
  const std::unique_ptr<httplib::Client> http_;
};

}  // namespace sse::api
