#include <vector>

#include "cluster/redis/redis_reply.h"
#include "fuzz/fuzz.h"

namespace {

using sse::cluster::RedisReader;
using sse::cluster::RedisReply;
using sse::fuzz::expect;

constexpr std::size_t kMaxElements = 1000;

bool same(const RedisReply& a, const RedisReply& b) {
  if (a.kind != b.kind || a.text != b.text || a.integer != b.integer || a.list.size() != b.list.size()) return false;
  for (std::size_t i = 0; i < a.list.size(); ++i) {
    if (!same(a.list[i], b.list[i])) return false;
  }
  return true;
}

std::size_t count(const RedisReply& reply) {
  std::size_t n = reply.list.size();
  for (const RedisReply& one : reply.list) n += count(one);
  return n;
}

bool read(std::string_view bytes, std::size_t piece, std::vector<RedisReply>& replies) {
  RedisReader reader({4096, kMaxElements});
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    if (!reader.feed(part.data(), part.size(), replies)) {
      expect(!reader.problem().empty());
      return false;
    }
  }
  return true;
}

}  // namespace

// The parsed replies do not depend on how the bytes are split, up to the first error, and never exceed the input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sse::fuzz::Input input(data, size);
  const std::size_t piece = std::size_t{input.byte()} % 64 + 1;
  std::vector<RedisReply> at_once;
  std::vector<RedisReply> slowly;
  const bool good = read(input.rest(), std::max<std::size_t>(input.rest().size(), 1), at_once);
  const bool slow = read(input.rest(), piece, slowly);
  // With larger inputs, the way of splitting may decide when the limit of bytes is exceeded.
  if (input.rest().size() <= 4096) expect(good == slow && at_once.size() == slowly.size());
  for (std::size_t i = 0; i < std::min(at_once.size(), slowly.size()); ++i) {
    expect(same(at_once[i], slowly[i]));
    expect(count(at_once[i]) <= kMaxElements && count(at_once[i]) <= size);
  }
  return 0;
}
