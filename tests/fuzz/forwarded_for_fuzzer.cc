#include <string>
#include <vector>

#include "base/error.h"
#include "fuzz/fuzz.h"
#include "gateway/trusted_proxies.h"
#include "net/peer_address.h"

// A line with a proxy, and behind it X-Forwarded-For or Forwarded: the address is the peer's, or one that was told, and
// what is one is in one form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sse::fuzz::expect;
  using sse::gateway::TrustedProxies;
  using namespace sse::net;
  sse::fuzz::Input input(data, size);
  const std::string proxy(input.line());
  const std::string told(input.rest());
  static const TrustedProxies known({"10.0.0.0/8", "::1", "127.0.0.1"});
  expect(known.client_address("192.0.2.1", told) == "192.0.2.1");
  const std::string address = known.client_address("10.1.2.3", told);
  expect(!address.empty() && address.find_first_of(", \t\r\n") == std::string::npos);
  try {
    const TrustedProxies proxies({proxy});
    proxies.contains(told);
    proxies.client_address(proxy, told);
  } catch (const sse::Error& error) {
    expect(error.code() == sse::ErrorCode::kInvalidArgument);
  }

  for (const std::string& text : {proxy, told}) {
    const std::string normal = normalized_address(text);
    expect(normal.empty() == address_bytes(text).empty());
    if (!normal.empty()) expect(normalized_address(normal) == normal && address_bytes(normal) == address_bytes(text));
    const std::string node = node_address(text);
    if (!node.empty()) expect(normalized_address(node) == node);
    counted_address(text);
  }
  expect(forwarded_nodes(told).size() <= told.size() + 1);
  return 0;
}
