#pragma once

/// The scripts of RedisRepository. Below its prefix are:
///
///     last                 "<millis> <sequence>" of the last id
///     epoch                a word that tells this data from that of a Redis that was emptied
///     count                (message, recipient) pairs
///     message:<member>     hash: service, kind, listening, event, data, size, created, expires
///     names:<member>       set: the recipients that have not confirmed
///     of:<recipient>       sorted set: members that the recipient has pending
///     all, expiry          sorted sets: every member; by when they expire
///
/// A member is an id as 13 digits of milliseconds and 7 of what is below them: Lua's numbers are doubles, which do not
/// hold an id, and members of one score are ordered by their bytes.
namespace sse::cluster::scripts {

// ARGV[1]: prefix.
inline constexpr const char* kCommon = R"lua(
local P = ARGV[1]
local function forget(member)
  redis.call('DEL', P .. 'message:' .. member, P .. 'names:' .. member)
  redis.call('ZREM', P .. 'all', member)
  redis.call('ZREM', P .. 'expiry', member)
end
local function of(service, kind, name)
  return P .. 'of:' .. #service .. ':' .. service .. ':' .. kind .. ':' .. name
end
local function erase(member)
  local message = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind')
  local names = redis.call('SMEMBERS', P .. 'names:' .. member)
  for _, name in ipairs(names) do redis.call('ZREM', of(message[1], message[2], name), member) end
  if #names > 0 then redis.call('DECRBY', P .. 'count', #names) end
  forget(member)
  return #names
end
local function count() return tonumber(redis.call('GET', P .. 'count') or '0') end
)lua";

// ARGV: prefix, most per recipient, number of messages; of each: service, kind, listening, event, data, created,
// expires, number of names, names. Returns the count, then of each: "", millis, sequence, or "full", name, how many.
inline constexpr const char* kAdd = R"lua(
local most = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) - 1704067200000
local millis, sequence = 0, 0
local last = redis.call('GET', P .. 'last')
if last then
  local a, b = string.match(last, '^(%d+) (%d+)$')
  millis, sequence = tonumber(a), tonumber(b)
end
local results = {0}
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local service, kind, names = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 7])
  local full
  for n = 1, names do
    local have = redis.call('ZCARD', of(service, kind, ARGV[at + 7 + n]))
    if have >= most then
      full = {'full', ARGV[at + 7 + n], tostring(have)}
      break
    end
  end
  if not full then
    if now > millis then
      millis, sequence = now, 0
    elseif sequence < 4095 then
      sequence = sequence + 1
    else
      millis, sequence = millis + 1, 0
    end
    local member = string.format('%013d%07d', millis, 1023 * 4096 + sequence)
    redis.call('HSET', P .. 'message:' .. member, 'service', service, 'kind', kind, 'listening', ARGV[at + 2], 'event',
      ARGV[at + 3], 'data', ARGV[at + 4], 'size', #ARGV[at + 4], 'created', ARGV[at + 5], 'expires', ARGV[at + 6])
    for n = 1, names do
      redis.call('SADD', P .. 'names:' .. member, ARGV[at + 7 + n])
      redis.call('ZADD', of(service, kind, ARGV[at + 7 + n]), 0, member)
    end
    redis.call('ZADD', P .. 'all', 0, member)
    redis.call('ZADD', P .. 'expiry', ARGV[at + 6], member)
    redis.call('INCRBY', P .. 'count', names)
  end
  local result = full or {'', string.format('%d', millis), string.format('%d', sequence)}
  for i = 1, 3 do results[#results + 1] = result[i] end
  at = at + 8 + names
end
redis.call('SET', P .. 'last', string.format('%d %d', millis, sequence))
results[1] = count()
return results
)lua";

// ARGV: prefix, then of each confirmation: key of the recipient, name, member. Returns the count.
inline constexpr const char* kConfirm = R"lua(
for at = 2, #ARGV, 3 do
  local member = ARGV[at + 2]
  if redis.call('ZREM', ARGV[at], member) == 1 then
    redis.call('SREM', P .. 'names:' .. member, ARGV[at + 1])
    redis.call('DECRBY', P .. 'count', 1)
    if redis.call('SCARD', P .. 'names:' .. member) == 0 then forget(member) end
  end
end
return count()
)lua";

// ARGV: prefix, member to begin after, limit, bytes, now, then of each recipient: its key. Returns of each row: number
// of the recipient, member, and the message's fields.
inline constexpr const char* kPending = R"lua(
local limit, most, now = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local found = {}
for r = 6, #ARGV do
  local from = '(' .. ARGV[2]
  local taken = 0
  while taken < limit do
    local members = redis.call('ZRANGEBYLEX', ARGV[r], from, '+', 'LIMIT', 0, limit)
    for _, member in ipairs(members) do
      local expires = redis.call('HGET', P .. 'message:' .. member, 'expires')
      if expires and tonumber(expires) > now and taken < limit then
        found[#found + 1] = {member, r}
        taken = taken + 1
      end
    end
    if #members < limit then break end
    from = '(' .. members[#members]
  end
end
table.sort(found, function(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end)
local rows = {}
local bytes = 0
for i, one in ipairs(found) do
  local same = i > 1 and found[i - 1][1] == one[1]
  if not same and i > 1 and (#rows / 9 >= limit or bytes >= most) then break end
  local message = redis.call('HMGET', P .. 'message:' .. one[1], 'listening', 'event', 'data', 'size', 'created',
    'expires', 'kind')
  rows[#rows + 1] = tostring(one[2] - 6)
  rows[#rows + 1] = one[1]
  for f = 1, 7 do rows[#rows + 1] = message[f] end
  bytes = bytes + tonumber(message[4])
end
return rows
)lua";

// ARGV: prefix, now, how many at most. Returns how many messages and pairs went, and the count.
inline constexpr const char* kExpire = R"lua(
local members = redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
local pairs_gone = 0
for _, member in ipairs(members) do pairs_gone = pairs_gone + erase(member) end
return {#members, pairs_gone, count()}
)lua";

// ARGV: prefix, member. Returns the pairs gone and the count.
inline constexpr const char* kErase = R"lua(
local gone = erase(ARGV[2])
return {gone, count()}
)lua";

// ARGV: prefix, a word. Returns the count and the epoch, which is that word where there was none.
inline constexpr const char* kLook = R"lua(
redis.call('SET', P .. 'epoch', ARGV[2], 'NX')
return {count(), redis.call('GET', P .. 'epoch')}
)lua";

}  // namespace sse::cluster::scripts
