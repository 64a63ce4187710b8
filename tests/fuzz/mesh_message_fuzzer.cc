#include <string>

#include "base/error.h"
#include "base/text.h"
#include "cluster/mesh_message.h"
#include "cluster/peer_topics.h"
#include "fuzz/fuzz.h"

using sse::fuzz::expect;

// What a node posts is read to the end or refused; what was read writes and reads back as itself.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::cluster;
  try {
    const MeshMessage message = decode_mesh_message({reinterpret_cast<const char*>(data), size});
    expect(message.hold.count() >= 0);
    const std::string again = encode(message);
    expect(encode(decode_mesh_message(again)) == again);
    PeerTopics topics(std::chrono::seconds(1));
    topics.read("peer", message, sse::SteadyTime{});
    topics.forget("peer");
    expect(topics.topics() == 0);
  } catch (const sse::Error& error) {
    expect(sse::printable(error.what(), 10000) == error.what());
  }
  return 0;
}
