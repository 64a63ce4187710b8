#include <string>

#include "fuzz/fuzz.h"
#include "net/peer_address.h"
#include "net/proxy_header.h"

// Input: the first bytes of a connection from a proxy. Whatever the header says, it ends within them, it is found again
// when its bytes come one at a time, and its client has an address in canonical form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sse::fuzz::expect;
  using namespace sse::net;
  using Status = ProxyHeader::Status;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const ProxyHeader header = read_proxy_header(bytes);
  switch (header.status) {
    case Status::kIncomplete:
      expect(size < ProxyHeader::kMaxSize);
      break;
    case Status::kMalformed:
      expect(!header.reason.empty() && !header.client);
      break;
    case Status::kComplete:
      expect(header.size > 0 && header.size <= size && header.size <= ProxyHeader::kMaxSize);
      expect(begins_like_proxy_header(bytes));
      // Nothing behind the header matters, and nothing before its end is enough.
      expect(read_proxy_header(std::string_view(bytes).substr(0, header.size)).size == header.size);
      expect(read_proxy_header(std::string_view(bytes).substr(0, header.size - 1)).status == Status::kIncomplete);
      if (header.client) {
        expect(normalized_address(header.client->address) == header.client->address);
        expect(header.client->port >= 0 && header.client->port <= 65535);
      }
      break;
  }
  return 0;
}
