#include "server/canary_options.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "api/address.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "net/tls_client_context.h"
#include "pages/canary_entry.h"

namespace sse::server {
namespace {

constexpr std::chrono::milliseconds kMinCanaryInterval = std::chrono::seconds(1);
constexpr std::chrono::milliseconds kMaxCanaryInterval = std::chrono::hours(1);
constexpr std::size_t kMaxCanaryUrl = 500;

[[noreturn]] void bad_canary(const std::string& sentence) {
  throw Error(ErrorCode::kInvalidArgument, sentence);
}

}  // namespace

net::StreamRequest canary_request(const ServerOptions& options, const std::string& secret) {
  const std::string& url = options.canary_url;
  const auto bad = [&](const std::string& why) {
    bad_canary("--canary-url '" + printable(url, 80) + "' " + why +
               "; write the public URL of a service, such as https://push.example.org/my-sse");
  };
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0) bad("begins with neither http:// nor https://");
  if (url.size() > kMaxCanaryUrl ||
      std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~' || c == '?' || c == '#'; }))
    bad("is not the URL of a service");
  const std::size_t slash = std::min(url.find('/', scheme), url.size());
  api::Address address;
  try {
    address = api::parse_address(url.substr(0, slash));
  } catch (const Error& e) {
    bad(std::string("names no server: ") + e.what());
  }
  std::string path = url.substr(slash);
  if (path.ends_with('/')) path.pop_back();
  if (path.empty()) bad("has no path");
  net::StreamRequest request{address.host, address.port, path + "/connect", {{pages::kCanaryHeader, secret}}};
  if (address.tls) {
    request.tls = std::make_shared<net::TlsClientContext>(
        net::TlsClientContext::Options{.ca_file = options.canary_ca_file, .ca_option = "--canary-ca"});
  } else if (!options.canary_ca_file.empty()) {
    bad("has no TLS, for which --canary-ca is");
  }
  return request;
}

void check_canary(const ServerOptions& options) {
  if (!has_canary(options)) {
    if (!options.canary_url.empty()) bad_canary("--canary-url needs --canary, which says how often an event is sent");
    if (!options.canary_ca_file.empty()) bad_canary("--canary-ca needs --canary and --canary-url");
    return;
  }
  if (options.canary_interval < kMinCanaryInterval || options.canary_interval > kMaxCanaryInterval) {
    bad_canary("--canary must be 0 or from " + format_duration(kMinCanaryInterval) + " to " +
               format_duration(kMaxCanaryInterval));
  }
  if (options.canary_url.empty())
    bad_canary("--canary sends events through the public address; give the URL of a service there with --canary-url");
  canary_request(options, "");
}

}  // namespace sse::server
