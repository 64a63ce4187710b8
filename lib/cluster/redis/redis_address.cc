#include "cluster/redis/redis_address.h"

#include <charconv>

#include "base/error.h"
#include "base/url.h"

namespace sse::cluster {
namespace {

constexpr std::string_view kRedisScheme = "redis://";
constexpr unsigned kMaxDatabase = 1'000'000;

[[noreturn]] void bad_redis_address(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument,
              "the address of Redis " + what + "; write redis://HOST:PORT/DB or redis://:PASSWORD@HOST:PORT/DB");
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
  if (colon == std::string_view::npos) bad_redis_address("has text before '@' that is not USER:PASSWORD");
  address.user = percent_decode(login.substr(0, colon));
  address.password = percent_decode(login.substr(colon + 1));
  if (address.password.empty()) bad_redis_address("has an empty password before '@'");
}

void take_host(RedisAddress& address, std::string_view text) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) bad_redis_address("has a '[' without its ']'");
    address.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') bad_redis_address("has text between ']' and the port");
    if (!text.empty()) port = text.substr(1);
    if (!text.empty() && port.empty()) bad_redis_address("has no port after ':'");
  } else {
    const std::size_t colon = text.find(':');
    address.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty()) bad_redis_address("has no port after ':'");
    }
  }
  if (address.host.empty()) bad_redis_address("names no host");
  for (const char c : address.host) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f')
      bad_redis_address("has spaces or control characters in the host");
  }
  if (!port.empty()) address.port = static_cast<std::uint16_t>(number(port, 1, 65535, "port"));
}

}  // namespace

std::string RedisAddress::str() const {
  const bool v6 = host.find(':') != std::string::npos;
  return std::string(kRedisScheme) + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + "/" +
         std::to_string(database);
}

RedisAddress parse_redis_address(std::string_view text) {
  if (!text.starts_with(kRedisScheme)) bad_redis_address("does not begin with redis://");
  text.remove_prefix(kRedisScheme.size());
  RedisAddress address;
  // The last '@', because a password may contain one.
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    take_login(address, text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    if (const std::string_view database = text.substr(slash + 1); !database.empty())
      address.database = number(database, 0, kMaxDatabase, "database");
    text = text.substr(0, slash);
  }
  take_host(address, text);
  return address;
}

}  // namespace sse::cluster
