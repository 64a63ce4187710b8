#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "base/url.h"
#include "cluster/core/typed_json.h"
#include "cluster/mesh/bounded_http.h"
#include "cluster/nacos/nacos_client.h"

// The part of NacosClient that sends requests, and logs in.
namespace sse::cluster {
namespace {

using event::Json;

// A list of 1023 nodes with 1 KiB of metadata each, doubled.
constexpr std::size_t kMaxAnswer = std::size_t{4} << 20;
constexpr std::int64_t kMaxTokenSeconds = std::int64_t{365} * 24 * 3600;
// Until a log-in is tried again that was refused, but not needed.
constexpr std::chrono::seconds kRefusedLoginKept{60};

std::string base64_of(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::string hmac_sha1(const std::string& key, const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest.data(), &size) == nullptr)
    throw Error(ErrorCode::kInternal, "OpenSSL on this system has no SHA-1, with which requests to Nacos are signed");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

class NacosServer {
 public:
  NacosServer(const std::string& host, int port, const NacosClient::Options& options) {
    if (options.address.tls) {
      http_ = std::make_unique<httplib::SSLClient>(host, port);
      if (!options.ca_file.empty()) http_->set_ca_cert_path(options.ca_file.c_str());
    } else {
      http_ = std::make_unique<httplib::ClientImpl>(host, port);
    }
    const auto seconds = static_cast<time_t>(options.timeout.count() / 1000);
    const auto micros = static_cast<time_t>(options.timeout.count() % 1000 * 1000);
    http_->set_connection_timeout(seconds, micros);
    http_->set_read_timeout(seconds, micros);
    http_->set_write_timeout(seconds, micros);
    http_->set_keep_alive(true);
    http_->set_tcp_nodelay(true);
  }
  httplib::ClientImpl& http() { return *http_; }

 private:
  std::unique_ptr<httplib::ClientImpl> http_;
};

NacosClient::NacosClient(Options options) : options_(std::move(options)), api_(options_.address.api) {
  for (const auto& [host, port] : options_.address.servers)
    servers_.push_back(std::make_unique<NacosServer>(host, port, options_));
}

NacosClient::~NacosClient() = default;

bool NacosClient::Response::no_such_path() const {
  // If Nacos itself does not find an object, its reply has an error code of its own.
  const bool own_words = json.is_object() && json.contains("code");
  return (status == 404 && !own_words) || status == 405 || status == 410 || status == 501;
}

bool NacosClient::Response::denied() const {
  const std::int64_t code = number_in(json, "code", 0);
  return status == 401 || status == 403 || code == 401 || code == 403;
}

std::string NacosClient::Response::message() const {
  std::string text = text_in(json, "message");
  // For an API that it no longer has, Nacos 3 puts a document of its own into that of Spring.
  if (text.starts_with('{')) {
    if (const std::string inner = text_in(read_json(text, kMaxAnswer).value_or(Json()), "message"); !inner.empty())
      text = inner;
  }
  if (const std::string data = text_in(json, "data"); !data.empty() && data != "ok") text += ": " + data;
  if (text.empty()) text = body;
  return "status " + std::to_string(status) + (text.empty() ? "" : ", " + printable(trim_blanks(text)));
}

void NacosClient::refused(const Response& response) {
  const NacosAddress& address = options_.address;
  std::string advice;
  if (!login_refusal_.empty()) {
    throw Error(ErrorCode::kPermissionDenied, "Nacos at " + address.str() + " refuses the log-in of user '" +
                                                  printable(address.user, 60) + "': " + login_refusal_ +
                                                  "; check user and password of --discovery");
  }
  if (!options_.access_key.empty()) {
    advice = "check the access key, and its right to the namespace";
  } else if (address.user.empty()) {
    advice = "it requires a log-in: give USER:PASSWORD@ in --discovery, or --discovery-password-file";
  } else {
    advice = "the log-in was accepted, but user '" + printable(address.user, 60) +
             "' needs the right to read and write in the namespace '" + printable(address.space, 60) + "'";
  }
  throw Error(ErrorCode::kPermissionDenied,
              "Nacos at " + address.str() + " refuses: " + response.message() + "; " + advice);
}

void NacosClient::require(const Response& response, const char* what) {
  if (response.denied()) refused(response);
  const bool good = response.status == 200 && (!response.json.is_object() || number_in(response.json, "code", 0) == 0);
  if (good) return;
  throw Error(response.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kIo,
              "Nacos at " + options_.address.str() + " does not " + what + ": " + response.message());
}

// Sends one request to the current server. Returns the reason without a response.
std::string NacosClient::attempt(const char* method, const std::string& path, const std::string& form, Place place,
                                 Response& response) {
  httplib::Request request;
  request.method = method;
  request.path = path;
  if (place == Place::kBody) {
    request.body = form;
    request.set_header("Content-Type", "application/x-www-form-urlencoded");
  } else if (!form.empty()) {
    request.path += '?' + form;
  }
  request.set_header("User-Agent", "sse-server");
  if (!token_.empty()) {
    // Each generation of the API reads one of these headers; headers do not appear in access logs.
    request.set_header("Authorization", "Bearer " + token_);
    request.set_header("accessToken", token_);
  }
  BoundedBody body(request, kMaxAnswer);
  // The timeouts are httplib's, which uses the system's clock.
  const SteadyTime begin = Clock::system().steady_now();
  const httplib::Result result = servers_[current_]->http().send(request);
  if (result) {
    response = {result->status, body.take(), nullptr};
    response.json = read_json(response.body, kMaxAnswer).value_or(Json());
    return "";
  }
  if (body.too_large()) return "its response is larger than " + format_bytes(ByteCount(kMaxAnswer));
  // httplib calls every end of a read the same.
  if (Clock::system().steady_now() - begin >= options_.timeout * 9 / 10)
    return "it did not answer within " + format_duration(options_.timeout);
  if (result.error() == httplib::Error::Connection) return "no server accepts connections there";
  return httplib::to_string(result.error());
}

NacosClient::Response NacosClient::call_once(const char* method, const std::string& path, const Parameters& parameters,
                                             Place place) {
  const std::string form = form_encode(parameters);
  std::string why;
  Response response;
  const SteadyTime begin = Clock::system().steady_now();
  // One attempt more than there are servers, because the server may just have closed a keep-alive connection. All
  // requests here are idempotent.
  for (std::size_t tried = 0; tried <= servers_.size(); ++tried) {
    if (tried == servers_.size() && Clock::system().steady_now() - begin > options_.timeout / 2) break;
    why = attempt(method, path, form, place, response);
    if (why.empty()) return response;
    current_ = (current_ + 1) % servers_.size();
  }
  throw Error(ErrorCode::kUnavailable, "cannot use Nacos at " + options_.address.str() + ": " + why);
}

void NacosClient::log_in() {
  static constexpr std::array<const char*, 3> kPaths{"/v3/auth/user/login", "/v1/auth/login", "/v1/auth/users/login"};
  token_.clear();
  login_refusal_.clear();
  const Parameters login{{"username", options_.address.user}, {"password", options_.address.password}};
  for (const char* path : kPaths) {
    const Response response = call_once("POST", options_.address.context + path, login, Place::kBody);
    if (response.no_such_path()) continue;
    // Under "data" if a proxy wraps all replies.
    const Json& told = response.json.is_object() && response.json.contains("data") && response.json["data"].is_object()
                           ? response.json["data"]
                           : response.json;
    token_ = response.status == 200 ? text_in(told, "accessToken") : "";
    if (token_.empty()) {
      // The first path that exists decides: the others answer with a sentence about other versions.
      login_refusal_ = response.message();
      token_ends_ = options_.clock->steady_now() + kRefusedLoginKept;
      return;
    }
    const std::chrono::seconds ttl(std::clamp<std::int64_t>(number_in(told, "tokenTtl", 18'000), 1, kMaxTokenSeconds));
    token_ends_ = options_.clock->steady_now() + ttl - ttl / 10;
    return;
  }
  // A server without a login API requires no login.
  token_ends_ = SteadyTime::max();
}

// As the clients of Alibaba Cloud sign: HMAC-SHA1 over the time and the grouped name of the service.
void NacosClient::sign(Parameters& parameters) const {
  if (options_.access_key.empty()) return;
  const std::string data = std::to_string(to_millis(options_.clock->wall_now())) + "@@" + options_.address.group +
                           "@@" + options_.address.service;
  parameters.insert(
      parameters.end(),
      {{"ak", options_.access_key}, {"data", data}, {"signature", base64_of(hmac_sha1(options_.secret_key, data))}});
}

NacosClient::Response NacosClient::call(const char* method, const std::string& path, const Parameters& parameters,
                                        Place place) {
  const bool logs_in = !options_.address.user.empty();
  bool fresh = false;
  if (logs_in && options_.clock->steady_now() >= token_ends_) {
    log_in();
    fresh = true;
  }
  Parameters all = parameters;
  sign(all);
  // Also if the log-in was refused: with authentication off Nacos may refuse it, and needs none.
  Response response = call_once(method, path, all, place);
  if (response.denied() && logs_in && !fresh) {
    log_in();
    response = call_once(method, path, all, place);
  }
  // The server may have been replaced by another version: detect it again with the next call.
  if (response.no_such_path()) api_ = options_.address.api;
  return response;
}

}  // namespace sse::cluster
