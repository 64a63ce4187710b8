#include "net/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sse::net {
namespace {

constexpr std::size_t kMaxAddressText = INET6_ADDRSTRLEN;
constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

// An IPv4-mapped IPv6 address becomes the IPv4 address.
std::vector<unsigned char> unmapped(const std::array<unsigned char, 16>& bytes) {
  const bool mapped = std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
  return {bytes.begin() + (mapped ? kMapped.size() : 0), bytes.end()};
}

std::string text_of(const std::vector<unsigned char>& bytes) {
  if (bytes.empty()) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

// RFC 7239 §6: digits, or an obfuscated port.
bool is_port(std::string_view text) {
  if (text.starts_with('_')) return text.size() > 1;
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Cuts the text before the next `separator` outside of quotes off `rest`.
std::string_view next_part(std::string_view& rest, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < rest.size(); ++end) {
    if (quoted && rest[end] == '\\') {
      ++end;
    } else if (rest[end] == '"') {
      quoted = !quoted;
    } else if (rest[end] == separator && !quoted) {
      break;
    }
  }
  end = std::min(end, rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trim_blanks(part);
}

}  // namespace

std::vector<unsigned char> address_bytes(std::string_view text) {
  if (text.size() > kMaxAddressText || text.find('\0') != std::string_view::npos) return {};
  const std::string copy(text);
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, copy.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.begin() + 4};
  if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) return unmapped(bytes);
  return {};
}

std::string normalized_address(std::string_view text) {
  return text_of(address_bytes(text));
}

std::string address_text(std::string_view bytes) {
  if (bytes.size() == 4) return text_of({bytes.begin(), bytes.end()});
  if (bytes.size() != 16) return {};
  std::array<unsigned char, 16> all{};
  std::copy(bytes.begin(), bytes.end(), all.begin());
  return text_of(unmapped(all));
}

std::string address_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET)
    return address_text({reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr), 4});
  if (address.ss_family == AF_INET6)
    return address_text({reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr), 16});
  return {};
}

std::string counted_address(const std::string& address) {
  std::vector<unsigned char> bytes = address_bytes(address);
  if (bytes.size() != 16) return address;
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return text_of(bytes) + "/64";
}

std::string node_address(std::string_view node) {
  node = trim_blanks(node);
  if (node.size() >= 2 && node.front() == '"' && node.back() == '"') node = node.substr(1, node.size() - 2);
  if (node.starts_with('[')) {
    const std::size_t end = node.find(']');
    if (end == std::string_view::npos) return {};
    const std::string_view behind = node.substr(end + 1);
    if (!behind.empty() && (behind.front() != ':' || !is_port(behind.substr(1)))) return {};
    const std::string_view inside = node.substr(1, end - 1);
    return inside.find(':') == std::string_view::npos ? std::string() : normalized_address(inside);
  }
  // One colon: a port follows. Several: IPv6 without brackets, which has no port.
  const std::size_t colon = node.find(':');
  if (colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos) {
    if (!is_port(node.substr(colon + 1))) return {};
    node = node.substr(0, colon);
  }
  return normalized_address(node);
}

std::vector<std::string> forwarded_nodes(std::string_view forwarded) {
  std::vector<std::string> nodes;
  while (!forwarded.empty()) {
    std::string_view element = next_part(forwarded, ',');
    // RFC 9110 §5.6.1.2: empty list elements are ignored.
    if (element.empty()) continue;
    std::string node;
    bool once = true;
    while (!element.empty()) {
      const std::string_view pair = next_part(element, ';');
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || to_lower(pair.substr(0, equals)) != "for") continue;
      once = node.empty();
      node = pair.substr(equals + 1);
    }
    nodes.push_back(once ? node : std::string());
  }
  return nodes;
}

}  // namespace sse::net
