#include "cluster/redis/redis_repository_scripts.h"

namespace sse::cluster::scripts {

// Restores messages in the lists of all members. ARGV: prefix, members. Returns the number of restored entries.
const char* const kRelist = R"lua(
local listed = 0
redis.call('PERSIST', P .. 'all')
for i = 2, #ARGV do
  local expires = redis.call('HGET', P .. 'message:' .. ARGV[i], 'expires')
  if expires then
    local all = redis.call('ZADD', P .. 'all', 0, ARGV[i])
    local expiry = redis.call('ZADD', P .. 'expiry', 'NX', expires, ARGV[i])
    listed = listed + math.max(all, expiry)
  end
end
return listed
)lua";

// Recounts messages, a page per call, while nodes continue to add and confirm. Removes incomplete messages, and
// restores missing entries in the lists of recipients. ARGV: prefix, maximum number of members, of names, 1 to begin if
// no recount is in progress. Returns 1 if it is complete (else 0), the count and bytes before and after, the number of
// lost pairs and of restored entries.
const char* const kRecount = R"lua(
local cursor = redis.call('HGET', P .. 'recount', 'cursor')
if not cursor then
  if ARGV[4] ~= '1' then return {1, 0, 0, 0, 0, 0, 0} end
  cursor = ''
  redis.call('DEL', P .. 'recount')
end
redis.call('PERSIST', P .. 'recount')
local from = cursor == '' and '-' or '(' .. cursor
local members = redis.call('ZRANGEBYLEX', P .. 'all', from, '+', 'LIMIT', 0, ARGV[2])
local pairs_there, bytes, lost, listed, seen = 0, 0, 0, 0, 0
local complete = #members < tonumber(ARGV[2])
for i, member in ipairs(members) do
  local m = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind', 'size', 'expires')
  local names = m[1] and redis.call('SMEMBERS', P .. 'names:' .. member) or {}
  if #names == 0 then
    lost = lost + math.max(erase(member), 1)
  else
    for _, name in ipairs(names) do
      local recipient = who(m[1], m[2], name)
      if redis.call('ZADD', P .. 'of:' .. recipient, 'NX', 0, member) == 1 then
        redis.call('INCRBY', P .. 'bytes:' .. recipient, m[3])
        listed = listed + 1
      end
    end
    redis.call('ZADD', P .. 'expiry', 'NX', m[4], member)
    pairs_there = pairs_there + #names
    bytes = bytes + tonumber(m[3])
  end
  cursor = member
  seen = seen + #names + 1
  if seen >= tonumber(ARGV[3]) and i < #members then
    complete = false
    break
  end
end
redis.call('HSET', P .. 'recount', 'cursor', cursor)
pairs_there = redis.call('HINCRBY', P .. 'recount', 'pairs', pairs_there)
bytes = redis.call('HINCRBY', P .. 'recount', 'bytes', bytes)
lost = redis.call('HINCRBY', P .. 'recount', 'lost', lost)
listed = redis.call('HINCRBY', P .. 'recount', 'listed', listed)
if not complete then return {0, 0, 0, 0, 0, lost, listed} end
local before, bytes_before = number('count'), number('bytes')
redis.call('SET', P .. 'count', pairs_there)
redis.call('SET', P .. 'bytes', bytes)
redis.call('DEL', P .. 'recount')
return {1, before, bytes_before, pairs_there, bytes, lost, listed}
)lua";

// Recounts dead letters, in one call because their number is limited. ARGV: prefix, maximum number. Returns the number
// of lost letters.
const char* const kRecountDead = R"lua(
local lost, bytes = 0, 0
local letters = {}
local serials = redis.call('ZRANGE', P .. 'deads', 0, tonumber(ARGV[2]) - 1)
for _, serial in ipairs(serials) do
  local dead = redis.call('HMGET', P .. 'dead:' .. serial, 'size', 'payload')
  local size, payload = dead[1], dead[2]
  if not size or redis.call('HEXISTS', data_key(serial, payload), 'data') == 0 then
    forget_dead(serial)
    lost = lost + 1
  elseif payload and letters[payload] then
    letters[payload] = letters[payload] + 1
  else
    bytes = bytes + tonumber(size)
    if payload then letters[payload] = 1 end
  end
end
if #serials < tonumber(ARGV[2]) then
  if number('dead-bytes') ~= bytes then
    redis.call('DEL', P .. 'dead-bytes')
    redis.call('SET', P .. 'dead-bytes', bytes)
  end
  for payload, count in pairs(letters) do
    local key = P .. 'dead-data:' .. payload
    if redis.call('HGET', key, 'letters') ~= tostring(count) then
      redis.call('PERSIST', key)
      redis.call('HSET', key, 'letters', count)
    end
  end
end
return lost
)lua";

}  // namespace sse::cluster::scripts
