#include "cluster/nacos/nacos_address.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/url.h"

namespace sse::cluster {
namespace {

constexpr std::string_view kNacosScheme = "nacos://";
constexpr std::string_view kNacosTlsScheme = "nacos+https://";
constexpr std::uint16_t kPort = 8848;
constexpr std::size_t kMaxName = 200;

[[noreturn]] void bad_nacos_address(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, "the address of Nacos " + what +
                                               "; write nacos://HOST:8848/NAMESPACE/GROUP/SERVICE or "
                                               "nacos://USER:PASSWORD@HOST:8848/NAMESPACE/GROUP/SERVICE");
}

std::string_view cut(std::string_view& text, char separator) {
  const std::string_view piece = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(piece.size() + 1, text.size()));
  return piece;
}

std::pair<std::string, std::uint16_t> server(std::string_view text) {
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) bad_nacos_address("has a '[' without its ']'");
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) bad_nacos_address("has text between ']' and the port");
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (host.empty()) bad_nacos_address("names no host");
  for (const char c : host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
      bad_nacos_address("has spaces or control characters in the host");
  }
  std::uint16_t number = kPort;
  if (!port.empty()) {
    port.remove_prefix(1);
    const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || stop != port.data() + port.size() || number == 0)
      bad_nacos_address("has a port that is not a number from 1 to 65535");
  }
  return {std::string(host), number};
}

void take_name(std::string& into, std::string_view& path, const char* what) {
  const std::string name = percent_decode(cut(path, '/'));
  if (name.empty()) return;
  const bool fits = name.size() <= kMaxName && is_valid_utf8(name) && name.find("@@") == std::string::npos &&
                    name.find_first_of(" \t\r\n") == std::string::npos;
  if (!fits) bad_nacos_address(std::string("has a ") + what + " with spaces, with '@@', or of more than 200 bytes");
  into = name;
}

NacosApi api_from(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, NacosApi>, 3> kKnown{
      {{"v1", NacosApi::kV1}, {"v2", NacosApi::kV2}, {"v3", NacosApi::kV3}}};
  for (const auto& [known, api] : kKnown) {
    if (name == known) return api;
  }
  bad_nacos_address("has an api that is none of v1, v2, v3");
}

std::string context_from(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  const auto plain = [](unsigned char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#'; };
  if ((!path.empty() && path.front() != '/') || path.size() > kMaxName || !std::ranges::all_of(path, plain))
    bad_nacos_address("has a context that is not a path such as /nacos, or / for none");
  return path;
}

void take_query(NacosAddress& address, std::string_view query) {
  do {
    const std::string_view parameter = cut(query, '&');
    const std::size_t equals = parameter.find('=');
    const std::string_view name = parameter.substr(0, equals);
    std::string value = equals == std::string_view::npos ? "" : percent_decode(parameter.substr(equals + 1));
    if (value.empty() || (name != "api" && name != "cluster" && name != "context"))
      bad_nacos_address("has text after '?' that is none of api=v1|v2|v3, cluster=NAME, context=/PATH");
    if (name == "api") {
      address.api = api_from(value);
    } else if (name == "cluster") {
      // Nacos accepts these only, and commas separate names in its lists.
      const auto known = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; };
      if (value.size() > kMaxName || !std::ranges::all_of(value, known))
        bad_nacos_address("has a cluster that is not of letters, digits and '-'");
      address.cluster = std::move(value);
    } else {
      address.context = context_from(std::move(value));
    }
  } while (!query.empty());
}

}  // namespace

std::string NacosAddress::str() const {
  const NacosAddress standard;
  std::string text;
  for (const auto& [host, port] : servers) {
    if (!text.empty()) text += ',';
    text += (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  text += "/" + url_encode(space) + "/" + url_encode(group) + "/" + url_encode(service);
  char separator = '?';
  const auto add = [&](const char* name, const std::string& value) {
    text += std::exchange(separator, '&');
    text += name + std::string("=") + value;
  };
  if (cluster != standard.cluster) add("cluster", cluster);
  if (context != standard.context) add("context", context.empty() ? "/" : url_encode(context));
  return std::string(tls ? kNacosTlsScheme : kNacosScheme) + text;
}

bool is_nacos_address(std::string_view text) {
  return text.starts_with("nacos:") || text.starts_with("nacos+https:");
}

NacosAddress parse_nacos_address(std::string_view text) {
  NacosAddress address;
  address.tls = text.starts_with(kNacosTlsScheme);
  if (!address.tls && !text.starts_with(kNacosScheme))
    bad_nacos_address("begins with neither nacos:// nor nacos+https://");
  text.remove_prefix(address.tls ? kNacosTlsScheme.size() : kNacosScheme.size());
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    take_query(address, text.substr(mark + 1));
    text = text.substr(0, mark);
  }
  // The last '@', because a password may contain one, and a '/'.
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = text.substr(0, at);
    const std::size_t colon = login.find(':');
    if (colon == std::string_view::npos || colon == 0)
      bad_nacos_address("has text before '@' that is not USER:PASSWORD");
    address.user = percent_decode(login.substr(0, colon));
    address.password = percent_decode(login.substr(colon + 1));
    if (address.password.empty()) bad_nacos_address("has an empty password before '@'");
    text.remove_prefix(at + 1);
  }
  std::string_view servers = cut(text, '/');
  do {
    address.servers.push_back(server(cut(servers, ',')));
  } while (!servers.empty());
  take_name(address.space, text, "namespace");
  take_name(address.group, text, "group");
  take_name(address.service, text, "service name");
  if (!text.empty()) bad_nacos_address("has more than a namespace, a group and a service");
  return address;
}

}  // namespace sse::cluster
