#include <string>
#include <vector>

#include "auth/trusted_proxies.h"
#include "base/error.h"
#include "fuzz/fuzz.h"
#include "net/peer_address.h"

// Input: a line with a trusted proxy, then the value of X-Forwarded-For or Forwarded. The resulting address is the
// peer's or one from the header, in canonical form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sse::auth::TrustedProxies;
  using sse::fuzz::expect;
  using namespace sse::net;
  sse::fuzz::Input input(data, size);
  const std::string proxy(input.line());
  const std::string header(input.rest());
  static const TrustedProxies known({"10.0.0.0/8", "::1", "127.0.0.1"});
  expect(known.client_address("192.0.2.1", header) == "192.0.2.1");
  const std::string address = known.client_address("10.1.2.3", header);
  expect(!address.empty() && address.find_first_of(", \t\r\n") == std::string::npos);
  try {
    const TrustedProxies proxies({proxy});
    proxies.contains(header);
    proxies.client_address(proxy, header);
  } catch (const sse::Error& error) {
    expect(error.code() == sse::ErrorCode::kInvalidArgument);
  }

  for (const std::string& text : {proxy, header}) {
    const std::string normal = normalized_address(text);
    expect(normal.empty() == address_bytes(text).empty());
    if (!normal.empty()) expect(normalized_address(normal) == normal && address_bytes(normal) == address_bytes(text));
    const std::string node = node_address(text);
    if (!node.empty()) expect(normalized_address(node) == node);
    counted_address(text);
  }
  expect(forwarded_nodes(header).size() <= header.size() + 1);
  return 0;
}
