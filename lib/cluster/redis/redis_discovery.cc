#include "cluster/redis/redis_discovery.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/typed_json.h"

namespace sse::cluster {
namespace {

constexpr std::chrono::milliseconds kGrace{1000};
constexpr std::chrono::milliseconds kJoinPoll{200};

// KEYS: set of nodes, this node's hash, its remembered number. ARGV: id, nonce, ttl, facts, number or -1, lease of
// numbers, prefix of the numbers' keys, where to begin looking, wire version.
constexpr const char* kEnter = R"lua(
local nonce = redis.call('HGET', KEYS[2], 'nonce')
if nonce and nonce ~= ARGV[2] then
  return {'taken', tostring(redis.call('PTTL', KEYS[2]))}
end
-- Never refused for want of memory, and with it in front neither is the rest, which takes next to none.
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local function claim(number)
  local key = ARGV[7] .. number
  local owner = redis.call('GET', key)
  if owner and owner ~= ARGV[1] then return false end
  redis.call('SET', key, ARGV[1], 'PX', ARGV[6])
  return true
end
local number = tonumber(ARGV[5])
if number >= 0 then
  if not claim(number) then return {'number'} end
else
  local before = redis.call('GET', KEYS[3])
  if before and claim(before) then
    number = tonumber(before)
  else
    for i = 0, 1022 do
      local candidate = (tonumber(ARGV[8]) + i) % 1023
      if claim(candidate) then
        number = candidate
        break
      end
    end
  end
  if number < 0 then return {'full'} end
end
redis.call('SET', KEYS[3], number, 'PX', ARGV[6])
redis.call('HSET', KEYS[2], 'nonce', ARGV[2], 'number', number, 'facts', ARGV[4], 'wire', ARGV[9])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('SADD', KEYS[1], ARGV[1])
return {'ok', tostring(number)}
)lua";

// KEYS: set of nodes, this node's hash. ARGV: id, nonce.
constexpr const char* kLeave = R"lua(
if redis.call('HGET', KEYS[2], 'nonce') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[1], ARGV[1])
return 1
)lua";

// KEYS: set of nodes. ARGV: prefix of the nodes' hashes.
constexpr const char* kNodes = R"lua(
local found = {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local node = redis.call('HMGET', ARGV[1] .. id, 'number', 'facts', 'wire')
  if node[1] then
    found[#found + 1] = id
    found[#found + 1] = node[1]
    found[#found + 1] = node[2]
    found[#found + 1] = node[3]
  else
    redis.call('SREM', KEYS[1], id)
  end
end
return found
)lua";

std::string random_word() {
  std::random_device random;
  std::string status;
  for (int i = 0; i < 4; ++i) status += std::to_string(random()) + (i < 3 ? "-" : "");
  return status;
}

std::int64_t number_in(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

RedisDiscovery::RedisDiscovery(RedisLink& link, Options options)
    : link_(link),
      options_(std::move(options)),
      nonce_(random_word()),
      enter_script_(kEnter),
      leave_script_(kLeave),
      nodes_script_(kNodes) {}

RedisDiscovery::EntryResult RedisDiscovery::enter(const event::Json& facts, int number) {
  const std::string& prefix = options_.prefix;
  const RedisReply reply = enter_script_.run(
      link_, {prefix + "nodes", prefix + "node:" + id_, prefix + "number-of:" + id_},
      {id_, nonce_, std::to_string(options_.ttl.count()), event::dump_json(facts), std::to_string(number),
       std::to_string(options_.number_lease.count()),
       prefix + "number:", std::to_string(std::random_device{}() % kNodeNumbers), std::to_string(kWireVersion)});
  EntryResult result;
  if (!reply.list.empty()) result.status = reply.list[0].text;
  if (reply.list.size() == 2) result.value = number_in(reply.list[1].text);
  const bool known = result.status == "ok"
                         ? result.value >= 0 && result.value < kNodeNumbers
                         : result.status == "taken" || result.status == "number" || result.status == "full";
  if (!known) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to the registration of this node");
  return result;
}

void RedisDiscovery::refuse(const EntryResult& result) const {
  if (result.status == "taken") {
    throw Error(ErrorCode::kConflict,
                "another node of this cluster has the id '" + printable(id_) + "'; give each node its own --server-id");
  }
  if (result.status == "number") {
    throw Error(ErrorCode::kConflict,
                "another node took the number of this node while it was away; restart this node to get a new one");
  }
  throw Error(ErrorCode::kLimitExceeded, "all " + std::to_string(kNodeNumbers) +
                                             " node numbers of this cluster are taken; they become free " +
                                             format_duration(options_.number_lease) + " after a node has left");
}

unsigned RedisDiscovery::join(const std::string& id, const event::Json& facts) {
  id_ = id;
  const SteadyTime deadline = options_.clock->steady_now() + options_.ttl + kGrace;
  std::int64_t left = options_.ttl.count() + 1;
  for (;;) {
    const EntryResult result = enter(facts, -1);
    if (result.status == "ok") {
      number_ = static_cast<unsigned>(result.value);
      return number_;
    }
    // A living owner would renew its entry: one that only ages belongs to a dead process.
    if (result.status != "taken" || result.value > left || options_.clock->steady_now() > deadline) refuse(result);
    left = result.value;
    options_.clock->sleep_for(kJoinPoll);
  }
}

void RedisDiscovery::refresh(const event::Json& facts) {
  const EntryResult result = enter(facts, static_cast<int>(number_));
  if (result.status != "ok") refuse(result);
}

void RedisDiscovery::leave() noexcept {
  try {
    if (!id_.empty())
      leave_script_.run(link_, {options_.prefix + "nodes", options_.prefix + "node:" + id_}, {id_, nonce_});
  } catch (const std::exception&) {
    // The entry expires.
  }
}

std::vector<Node> RedisDiscovery::nodes() {
  const RedisReply reply = nodes_script_.run(link_, {options_.prefix + "nodes"}, {options_.prefix + "node:"});
  std::vector<Node> nodes;
  for (std::size_t i = 0; i + 3 < reply.list.size(); i += 4) {
    const std::int64_t number = number_in(reply.list[i + 1].text);
    if (number < 0 || number >= kNodeNumbers) continue;
    nodes.push_back({reply.list[i].text, static_cast<unsigned>(number), read_facts(reply.list[i + 2].text),
                     whole_number(reply.list[i + 3].text).value_or(kUnstatedWireVersion)});
  }
  std::ranges::sort(nodes, {}, &Node::id);
  return nodes;
}

}  // namespace sse::cluster
