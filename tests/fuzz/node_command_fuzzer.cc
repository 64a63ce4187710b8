#include <string>
#include <variant>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/raw_http.h"
#include "cluster/core/wire.h"
#include "fuzz/fuzz.h"

using sse::fuzz::expect;

// A command between nodes either survives a round trip or is refused with one sentence.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::cluster;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  expect(decode_ids(bytes).size() <= size);
  const RawRequest request = RawRequest::parse(bytes);
  if (!request.method.empty()) expect(!request.path.empty());
  RawResponse::parse(bytes);
  if (const AdminReply reply = decode_admin_reply(bytes); reply.status != 0)
    expect(encode(decode_admin_reply(encode(reply))) == encode(reply));
  try {
    const AnyCommand command = decode(bytes);
    const std::string again = std::visit([](const auto& one) { return encode(one); }, command);
    expect(std::visit([](const auto& one) { return encode(one); }, decode(again)) == again);
  } catch (const sse::Error& error) {
    expect(sse::printable(error.what(), 10000) == error.what());
  }
  return 0;
}
