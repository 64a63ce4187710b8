#include "api/transport.h"

#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"

namespace sse::api {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::size_t kMaxProblem = std::size_t{64} * 1024;
constexpr std::string_view kNdjson = "application/x-ndjson";

ErrorCode code_from_status(int status) {
  for (const ErrorCode code : {ErrorCode::kInvalidArgument, ErrorCode::kUnauthenticated, ErrorCode::kPermissionDenied,
                               ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kTooLarge,
                               ErrorCode::kLimitExceeded, ErrorCode::kUnavailable, ErrorCode::kTimeout}) {
    if (http_status(code) == status) return code;
  }
  return ErrorCode::kInternal;
}

// An RFC 9457 problem document with our member `code`; an unknown code falls back to the status.
Error problem(const Json& json, int status) {
  const auto text = [&](const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  std::string sentence = text("detail");
  if (sentence.empty()) sentence = text("title");
  if (sentence.empty()) sentence = "the server refused with status " + std::to_string(status);
  const std::string name = text("code");
  const ErrorCode code = error_from_name(name);
  return {error_name(code) == name ? code : code_from_status(status), sentence};
}

void require_token_characters(const std::string& token) {
  const bool fits = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!fits) {
    throw Error(ErrorCode::kInvalidArgument,
                "the admin token contains spaces, line breaks or characters outside ASCII; check the token file");
  }
}

httplib::Client make_http(const Address& address, std::chrono::milliseconds timeout) {
  const std::string host = address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
  httplib::Client http = address.tls ? httplib::Client("https://" + host + ":" + std::to_string(address.port))
                                     : httplib::Client(address.is_unix() ? address.path : address.host,
                                                       address.is_unix() ? 80 : address.port);
  if (address.is_unix()) http.set_address_family(AF_UNIX);
  const auto seconds = static_cast<time_t>(timeout.count() / 1000);
  const auto micros = static_cast<time_t>(timeout.count() % 1000 * 1000);
  http.set_connection_timeout(seconds, micros);
  http.set_read_timeout(seconds, micros);
  http.set_write_timeout(seconds, micros);
  return http;
}

// httplib writes a '+' as %2B, but in a query it stands for a space (WHATWG URL §5.1).
std::string relayed_target(std::string target) {
  for (std::size_t at = target.find('?'); (at = target.find('+', at)) != std::string::npos;)
    target.replace(at, 1, "%20");
  return target;
}

}  // namespace

Transport::Transport(ClientOptions options)
    : options_(std::move(options)),
      address_(options_.forwarder ? Address{"", "localhost", 80} : parse_address(options_.address)),
      http_(std::make_unique<httplib::Client>(make_http(address_, options_.timeout))) {
  require_token_characters(options_.token);
  if (options_.timeout <= std::chrono::milliseconds::zero()) {
    throw Error(ErrorCode::kInvalidArgument, "the timeout must be more than 0");
  }
}

Transport::~Transport() = default;

std::string Transport::Lines::header(std::string_view name) const {
  const std::vector<std::string> all = headers_named(name);
  return all.empty() ? std::string() : all.front();
}

std::vector<std::string> Transport::Lines::headers_named(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [one, value] : headers) {
    if (to_lower(one) == to_lower(name)) values.push_back(value);
  }
  return values;
}

Json Transport::call(const char* method, std::string path, const Json* body, const Headers& headers) {
  std::string body_read;
  const httplib::Response response = exchange(
      method, std::move(path), body == nullptr ? std::string() : event::dump_json(*body), kJson, headers, body_read);
  return answer(response, body_read);
}

Transport::Lines Transport::call_lines(const char* method, std::string path, std::string body, const Headers& headers) {
  std::string body_read;
  const httplib::Response response = exchange(method, std::move(path), std::move(body), kNdjson, headers, body_read);
  if (response.status != 200 || !to_lower(response.get_header_value("Content-Type")).starts_with(kNdjson)) {
    answer(response, body_read);  // throws
    throw Error(ErrorCode::kUnavailable, options_.address + " did not return lines of JSON; is it sse-serve?");
  }
  return {std::move(body_read), {response.headers.begin(), response.headers.end()}};
}

void Transport::follow(std::string path, const std::function<bool(const Json&)>& on_line,
                       const std::function<void(const std::string&)>& on_open) {
  if (options_.forwarder) {
    throw Error(ErrorCode::kInvalidArgument,
                "events can be followed on one server only, not over the cluster; name it with --server");
  }
  httplib::Request request;
  request.method = "GET";
  request.path = std::move(path);
  if (address_.is_unix()) request.set_header("Host", "localhost");
  if (!options_.token.empty()) request.set_header("Authorization", "Bearer " + options_.token);
  httplib::Response head;
  request.response_handler = [&](const httplib::Response& response) {
    head.status = response.status;
    head.headers = response.headers;
    if (response.status == 200 && on_open) on_open(response.get_header_value("X-Sse-Cursor"));
    return true;
  };
  std::string text;
  bool enough = false;
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    text.append(data, size);
    if (head.status != 200) return text.size() < kMaxProblem;
    std::size_t start = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos && !enough; end = text.find('\n', start)) {
      const std::string_view line = std::string_view(text).substr(start, end - start);
      start = end + 1;
      if (!line.empty()) enough = !on_line(event::parse_json(line, "an event of the server"));
    }
    text.erase(0, start);
    return !enough;
  };
  // The server sends something at least every 15 seconds.
  http_->set_read_timeout(60, 0);
  const SteadyTime begin = Clock::system().steady_now();
  const httplib::Result result = http_->send(request);
  if (enough) return;
  if (head.status != 0 && head.status != 200) {
    answer(head, text);
  } else if (head.status == 0) {
    throw failure(result.error(), Clock::system().steady_now() - begin);
  }
  throw Error(ErrorCode::kUnavailable, "sse-serve at " + options_.address + " ended the stream of events");
}

bool Transport::relay(const ForwardedRequest& request, std::chrono::seconds quiet,
                      const std::function<bool(const ForwardedResponse&)>& on_head,
                      const std::function<bool(std::string_view)>& on_bytes) {
  if (options_.forwarder)
    throw Error(ErrorCode::kInvalidArgument, "requests can be relayed to one server only; name it with --server");
  httplib::Request out;
  out.method = request.method;
  out.path = relayed_target(request.target);
  for (const auto& [name, value] : request.headers) {
    if (to_lower(name) == "accept" || to_lower(name) == "content-type") out.set_header(name, value);
  }
  out.body = request.body;
  if (address_.is_unix()) out.set_header("Host", "localhost");
  out.set_header("Accept-Encoding", "identity");
  if (!options_.token.empty()) out.set_header("Authorization", "Bearer " + options_.token);
  if (options_.local) out.set_header("X-Sse-Local", "1");
  bool answered = false;
  bool wanted = true;
  out.response_handler = [&](const httplib::Response& response) {
    answered = true;
    wanted = on_head({response.status, {response.headers.begin(), response.headers.end()}, {}});
    return wanted;
  };
  out.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    wanted = wanted && on_bytes({data, size});
    return wanted;
  };
  http_->set_read_timeout(static_cast<time_t>(quiet.count()), 0);
  const SteadyTime begin = Clock::system().steady_now();
  const httplib::Result result = http_->send(out);
  if (!answered) throw failure(result.error(), Clock::system().steady_now() - begin);
  return wanted && result;
}

void Transport::stop() {
  http_->stop();
}

httplib::Response Transport::exchange(const char* method, std::string path, std::string body, std::string_view type,
                                      const Headers& headers, std::string& body_read) {
  httplib::Request request;
  request.method = method;
  request.path = std::move(path);
  // httplib would send the socket's path.
  if (address_.is_unix()) request.set_header("Host", "localhost");
  request.set_header("Accept", "application/json, application/problem+json");
  if (!options_.token.empty()) request.set_header("Authorization", "Bearer " + options_.token);
  if (options_.local) request.set_header("X-Sse-Local", "1");
  for (const auto& [name, value] : headers) request.set_header(name, value);
  if (!body.empty()) {
    request.set_header("Content-Type", std::string(type));
    request.body = std::move(body);
  }
  if (options_.forwarder) return forward(request, body_read);
  const SteadyTime start = Clock::system().steady_now();
  // httplib's own limit applies to each read: a server that sends byte by byte could block the caller for ever.
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    body_read.append(data, size);
    return Clock::system().steady_now() - start < options_.timeout;
  };
  const httplib::Result result = http_->send(request);
  if (!result) throw failure(result.error(), Clock::system().steady_now() - start);
  return *result;
}

httplib::Response Transport::forward(const httplib::Request& request, std::string& body_read) const {
  ForwardedRequest out{request.method, request.path, {}, request.body};
  out.headers.assign(request.headers.begin(), request.headers.end());
  ForwardedResponse forward = options_.forwarder(out, options_.timeout);
  body_read = std::move(forward.body);
  httplib::Response response;
  response.status = forward.status;
  for (const auto& [name, value] : forward.headers) response.set_header(name, value);
  return response;
}

Error Transport::failure(httplib::Error error, std::chrono::steady_clock::duration taken) const {
  const std::string where = "sse-serve at " + options_.address;
  const bool connecting = error == httplib::Error::Connection || error == httplib::Error::ConnectionTimeout;
  if (connecting) {
    if (const std::string denied = missing_permission(address_); !denied.empty())
      return {ErrorCode::kPermissionDenied, "not allowed to reach " + where + ": " + denied};
    std::string why = connect_error(address_, std::min(options_.timeout, std::chrono::milliseconds(1000)));
    if (why.empty()) why = "it did not accept the connection";
    return {ErrorCode::kUnavailable, "cannot reach " + where + ": " + why +
                                         "; is it running? start it with 'sse-serve' or name another with --server"};
  }
  if (error == httplib::Error::SSLServerVerification) {
    return {ErrorCode::kUnavailable, "the certificate of " + where +
                                         " is not trusted, or is another host's; name the file with that of its "
                                         "issuer in the environment: SSL_CERT_FILE"};
  }
  if (error == httplib::Error::SSLConnection || error == httplib::Error::SSLLoadingCerts) {
    return {ErrorCode::kUnavailable,
            "the TLS handshake with " + where + " failed; does that port use TLS? Without TLS, write http://"};
  }
  if (taken >= options_.timeout || error == httplib::Error::Canceled) {
    return {ErrorCode::kTimeout, where + " did not answer within " + format_duration(options_.timeout) +
                                     "; the request may have been processed; raise the limit with --timeout"};
  }
  return {ErrorCode::kUnavailable, where + " closed the connection before it answered; see its log"};
}

void Transport::report_missing_nodes(const Json& document) const {
  const auto missing = document.find("missing");
  if (!options_.on_missing || missing == document.end() || !missing->is_array() || missing->empty()) return;
  std::vector<std::string> nodes;
  for (const Json& node : *missing) {
    if (node.is_string()) nodes.push_back(node.get<std::string>());
  }
  options_.on_missing(nodes);
}

Json Transport::answer(const httplib::Response& response, const std::string& body) const {
  const int status = response.status;
  const std::string type = to_lower(response.get_header_value("Content-Type"));
  const bool json = type.starts_with(kJson) || type.starts_with("application/problem+json");
  const bool good = status >= 200 && status < 300;
  Json document;
  try {
    if (json) document = event::parse_json(body, "the answer");
  } catch (const Error& e) {
    throw Error(ErrorCode::kUnavailable, "cannot read the response of " + options_.address + ": " + e.what() +
                                             "; is that the admin address of sse-serve?");
  }
  if (good && document.is_object()) {
    report_missing_nodes(document);
    return document;
  }
  // The envelope of the answers to pages.
  if (!good && document.is_object() && document.contains("success") && !document.contains("detail")) {
    throw Error(ErrorCode::kUnavailable,
                options_.address +
                    " is the public listener of an sse-serve, for pages; name its admin address with "
                    "--server: the last line that sse-serve prints when it starts");
  }
  if (!good && document.is_object()) throw problem(document, status);
  throw Error(ErrorCode::kUnavailable,
              options_.address + " answered with status " + std::to_string(status) + " and " +
                  (type.empty() ? "no content type" : "'" + printable(type, 60) + "'") +
                  ", which is not sse-serve's admin API; name its admin address with --server");
}

}  // namespace sse::api
