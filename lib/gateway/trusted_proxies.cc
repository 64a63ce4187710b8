#include "gateway/trusted_proxies.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace sse::gateway {
namespace {

std::vector<unsigned char> address_bytes(const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.begin() + 4};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return {bytes.begin(), bytes.end()};
  return {};
}

}  // namespace

TrustedProxies::TrustedProxies(const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    const std::size_t slash = std::min(entry.find('/'), entry.size());
    Network network{address_bytes(entry.substr(0, slash)), 0};
    network.bits = static_cast<unsigned>(network.bytes.size() * 8);
    const unsigned most = network.bits;
    bool good = !network.bytes.empty();
    if (slash < entry.size()) {
      const auto [stop, error] = std::from_chars(entry.data() + slash + 1, entry.data() + entry.size(), network.bits);
      good = good && error == std::errc{} && stop == entry.data() + entry.size() && network.bits <= most;
    }
    if (!good) {
      throw Error(ErrorCode::kInvalidArgument, "--trusted-proxy '" + printable(entry, 60) +
                                                   "' is no address or network; write 10.1.2.3, 10.0.0.0/8 or ::1");
    }
    networks_.push_back(std::move(network));
  }
}

bool TrustedProxies::contains(const std::string& address) const {
  if (networks_.empty()) return false;
  const std::vector<unsigned char> bytes = address_bytes(address);
  return std::ranges::any_of(networks_, [&](const Network& network) {
    if (bytes.empty() || network.bytes.size() != bytes.size()) return false;
    for (unsigned bit = 0; bit < network.bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((network.bytes[bit / 8] ^ bytes[bit / 8]) & mask) != 0) return false;
    }
    return true;
  });
}

std::string TrustedProxies::client_address(const std::string& peer, std::string_view forwarded_for) const {
  std::string address = peer;
  std::vector<std::string> hops = split_list(forwarded_for);
  while (!hops.empty() && contains(address)) {
    // What no proxy could have written ends the chain.
    if (address_bytes(hops.back()).empty()) break;
    address = hops.back();
    hops.pop_back();
  }
  return address;
}

}  // namespace sse::gateway
