#include "cluster/redis/redis_address.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/url.h"

namespace sse::cluster {
namespace {

constexpr unsigned kMaxDatabase = 1'000'000;
constexpr std::uint16_t kSentinelPort = 26379;
// As in sockaddr_un, without the end.
constexpr std::size_t kMaxPath = 107;

struct Scheme {
  std::string_view begin;
  bool tls, sentinels, path;
};
constexpr std::array<Scheme, 5> kSchemes{{{"redis://", false, false, false},
                                          {"rediss://", true, false, false},
                                          {"redis-sentinel://", false, true, false},
                                          {"rediss-sentinel://", true, true, false},
                                          {"unix://", false, false, true}}};

[[noreturn]] void bad_redis_address(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument,
              "the address of Redis " + what +
                  "; write redis://HOST:PORT/DB or redis://USER:PASSWORD@HOST:PORT/DB, rediss:// with TLS, "
                  "unix:///PATH?db=DB, or redis-sentinel://HOST,HOST/NAME/DB");
}

unsigned number(std::string_view text, unsigned least, unsigned max, const char* what) {
  unsigned value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < least || value > max) {
    bad_redis_address(std::string("has a ") + what + " that is not a number from " + std::to_string(least) + " to " +
                      std::to_string(max));
  }
  return value;
}

void take_login(RedisAddress& address, std::string_view login) {
  const std::size_t colon = login.find(':');
  address.user = percent_decode(login.substr(0, colon));
  if (colon == std::string_view::npos) {
    if (address.user.empty()) bad_redis_address("has text before '@' that is not USER:PASSWORD");
    return;
  }
  address.password = percent_decode(login.substr(colon + 1));
  if (address.password.empty()) bad_redis_address("has an empty password before '@'");
}

void take_host(std::string& host, std::uint16_t& number_of_port, std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) bad_redis_address("has a '[' without its ']'");
    host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') bad_redis_address("has text between ']' and the port");
    if (!text.empty()) port = text.substr(1);
    if (!text.empty() && port.empty()) bad_redis_address("has no port after ':'");
  } else {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) bad_redis_address("has no port after ':'");
    }
  }
  if (host.empty()) bad_redis_address("names no host");
  for (const char c : host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
      bad_redis_address("has spaces or control characters in the host");
  }
  if (!port.empty()) number_of_port = static_cast<std::uint16_t>(number(port, 1, 65535, "port"));
}

std::string shown_host(const std::string& host, std::uint16_t port) {
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void take_database(RedisAddress& address, std::string_view text) {
  if (!text.empty()) address.database = number(text, 0, kMaxDatabase, "database");
}

void take_path(RedisAddress& address, std::string_view text) {
  constexpr std::string_view kDatabase = "db=";
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    const std::string_view query = text.substr(mark + 1);
    if (!query.starts_with(kDatabase)) bad_redis_address("has text after '?' that is not db=NUMBER");
    take_database(address, query.substr(kDatabase.size()));
    text = text.substr(0, mark);
  }
  address.path = percent_decode(text);
  if (!address.path.starts_with('/') || address.path.size() < 2 || address.path.size() > kMaxPath ||
      address.path.find('\0') != std::string::npos)
    bad_redis_address("has a path of a socket that does not begin with '/', or is longer than 107 bytes");
}

void take_sentinels(RedisAddress& address, std::string_view text) {
  const std::size_t slash = text.find('/');
  std::string_view hosts = text.substr(0, slash);
  do {
    const std::string_view one = hosts.substr(0, hosts.find(','));
    hosts.remove_prefix(std::min(one.size() + 1, hosts.size()));
    std::pair<std::string, std::uint16_t> sentinel{"", kSentinelPort};
    take_host(sentinel.first, sentinel.second, one);
    address.sentinels.push_back(std::move(sentinel));
  } while (!hosts.empty());
  std::string_view rest = slash == std::string_view::npos ? std::string_view() : text.substr(slash + 1);
  const std::size_t second = rest.find('/');
  address.primary = percent_decode(rest.substr(0, second));
  const auto plain = [](unsigned char c) { return c > ' ' && c != 0x7f && c != '/'; };
  if (address.primary.empty() || !std::ranges::all_of(address.primary, plain))
    bad_redis_address("has no name of a primary after the sentinels");
  if (second != std::string_view::npos) take_database(address, rest.substr(second + 1));
}

}  // namespace

std::string RedisAddress::str() const {
  const auto fits = [&](const Scheme& scheme) {
    return scheme.tls == tls && scheme.sentinels == !sentinels.empty() && scheme.path == !path.empty();
  };
  std::string text(std::ranges::find_if(kSchemes, fits)->begin);
  if (!path.empty()) return text + path + (database == 0 ? "" : "?db=" + std::to_string(database));
  if (sentinels.empty()) return text + shown_host(host, port) + "/" + std::to_string(database);
  for (const auto& [name, number_of_port] : sentinels)
    text += (text.ends_with('/') ? "" : ",") + shown_host(name, number_of_port);
  return text + "/" + primary + "/" + std::to_string(database);
}

RedisAddress parse_redis_address(std::string_view text) {
  const auto scheme = std::ranges::find_if(kSchemes, [&](const Scheme& one) { return text.starts_with(one.begin); });
  if (scheme == kSchemes.end())
    bad_redis_address("begins with none of redis://, rediss://, redis-sentinel://, rediss-sentinel:// and unix://");
  text.remove_prefix(scheme->begin.size());
  RedisAddress address;
  address.tls = scheme->tls;
  // The last '@', because a password may contain one.
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    take_login(address, text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  if (scheme->path) {
    take_path(address, text);
  } else if (scheme->sentinels) {
    take_sentinels(address, text);
  } else {
    if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
      take_database(address, text.substr(slash + 1));
      text = text.substr(0, slash);
    }
    take_host(address.host, address.port, text);
  }
  return address;
}

}  // namespace sse::cluster
