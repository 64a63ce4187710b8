#include "auth/trusted_proxies.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "net/peer_address.h"

namespace sse::auth {

TrustedProxies::TrustedProxies(const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    if (entry == "unix") {
      unix_ = true;
      continue;
    }
    const std::size_t slash = std::min(entry.find('/'), entry.size());
    const std::string address = entry.substr(0, slash);
    Network network{net::address_bytes(address), 0};
    // The prefix of an IPv4-mapped IPv6 network includes the 96 bits before the IPv4 address.
    const bool mapped = network.bytes.size() == 4 && address.find(':') != std::string::npos;
    const unsigned before = mapped ? 96 : 0;
    const unsigned max_bits = before + static_cast<unsigned>(network.bytes.size() * 8);
    network.bits = max_bits;
    bool good = !network.bytes.empty();
    if (slash < entry.size()) {
      const auto [stop, error] = std::from_chars(entry.data() + slash + 1, entry.data() + entry.size(), network.bits);
      good = good && error == std::errc{} && stop == entry.data() + entry.size() && network.bits >= before &&
             network.bits <= max_bits;
    }
    if (!good) {
      throw Error(ErrorCode::kInvalidArgument,
                  "--trusted-proxy '" + printable(entry, 60) +
                      "' is not an address or network; use 10.1.2.3, 10.0.0.0/8 or ::1, or unix for "
                      "the peers on unix sockets");
    }
    network.bits -= before;
    networks_.push_back(std::move(network));
  }
}

bool TrustedProxies::contains(const std::string& address) const {
  if (address.empty()) return unix_;
  if (networks_.empty()) return false;
  const std::vector<unsigned char> bytes = net::address_bytes(address);
  return std::ranges::any_of(networks_, [&](const Network& network) {
    if (bytes.empty() || network.bytes.size() != bytes.size()) return false;
    for (unsigned bit = 0; bit < network.bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((network.bytes[bit / 8] ^ bytes[bit / 8]) & mask) != 0) return false;
    }
    return true;
  });
}

std::string TrustedProxies::client_address(const std::string& peer, std::string_view forwarded_for,
                                           std::string_view forwarded) const {
  std::string address = peer;
  if (!contains(address)) return address;
  std::vector<std::string> hops = forwarded_for.empty() ? net::forwarded_nodes(forwarded) : split_list(forwarded_for);
  while (!hops.empty() && contains(address)) {
    std::string hop = net::node_address(hops.back());
    // An obfuscated or malformed address ends the chain.
    if (hop.empty()) break;
    address = std::move(hop);
    hops.pop_back();
  }
  return address;
}

}  // namespace sse::auth
