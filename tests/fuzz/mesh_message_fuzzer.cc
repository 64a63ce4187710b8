#include <string>

#include "base/error.h"
#include "base/text.h"
#include "cluster/mesh/mesh_message.h"
#include "cluster/mesh/peer_subscriptions.h"
#include "fuzz/fuzz.h"

using sse::fuzz::expect;

// A message of a node is parsed to its end or refused; a parsed message survives a round trip.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::cluster;
  try {
    const MeshMessage message = decode_mesh_message({reinterpret_cast<const char*>(data), size});
    expect(message.hold.count() >= 0);
    const std::string again = encode(message);
    expect(encode(decode_mesh_message(again)) == again);
    PeerSubscriptions topics(std::chrono::seconds(1));
    topics.read("peer", message, sse::SteadyTime{});
    topics.forget("peer");
    expect(topics.topics() == 0);
  } catch (const sse::Error& error) {
    expect(sse::printable(error.what(), 10000) == error.what());
  }
  return 0;
}
