#pragma once

/// The scripts of RedisRepository. Below its prefix are:
///
///     last                    "<millis> <sequence>" of the last id
///     epoch                   a word that tells this data from that of a Redis that was emptied
///     count, bytes            (message, recipient) pairs; data of all messages, each counted once
///     message:<member>        hash: service, kind, listening, event, data, size, created, expires, collapse
///     names:<member>          set: the recipients that have not confirmed
///     attempts:<member>       hash: name → deliveries
///     of:<recipient>          sorted set: members that the recipient has pending
///     bytes:<recipient>       their data
///     collapse:<recipient>    hash: word → member
///     all, expiry             sorted sets: every member; by when they expire
///     key:<service and key>   "<member> <expires>"
///     keys                    sorted set: those keys, by when they expire
///     dead:<serial>           hash: a dead letter
///     deads                   sorted set: their serials
///     dead-serial, dead-bytes
///
/// A member is an id as 13 digits of milliseconds and 7 of what is below them: Lua's numbers are doubles, which do not
/// hold an id, and members of one score are ordered by their bytes.
namespace sse::cluster::scripts {

// ARGV[1]: prefix.
inline constexpr const char* kCommon = R"lua(
local P = ARGV[1]
local function number(key) return tonumber(redis.call('GET', P .. key) or '0') end
local function over(now, more, most) return most ~= 0 and (now >= most or more > most - now) end
local function who(service, kind, name) return #service .. ':' .. service .. ':' .. kind .. ':' .. name end
local function drop(recipient, name, member)
  if redis.call('ZREM', P .. 'of:' .. recipient, member) == 0 then return 0 end
  local message = redis.call('HMGET', P .. 'message:' .. member, 'size', 'collapse')
  if redis.call('ZCARD', P .. 'of:' .. recipient) == 0 then
    redis.call('DEL', P .. 'bytes:' .. recipient, P .. 'collapse:' .. recipient)
  else
    redis.call('DECRBY', P .. 'bytes:' .. recipient, message[1])
    if message[2] ~= '' and redis.call('HGET', P .. 'collapse:' .. recipient, message[2]) == member then
      redis.call('HDEL', P .. 'collapse:' .. recipient, message[2])
    end
  end
  redis.call('DECRBY', P .. 'count', 1)
  redis.call('SREM', P .. 'names:' .. member, name)
  if redis.call('SCARD', P .. 'names:' .. member) == 0 then
    redis.call('DECRBY', P .. 'bytes', message[1])
    redis.call('DEL', P .. 'message:' .. member, P .. 'names:' .. member, P .. 'attempts:' .. member)
    redis.call('ZREM', P .. 'all', member)
    redis.call('ZREM', P .. 'expiry', member)
  end
  return 1
end
local function erase(member)
  local message = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind')
  local gone = 0
  for _, name in ipairs(redis.call('SMEMBERS', P .. 'names:' .. member)) do
    gone = gone + drop(who(message[1], message[2], name), name, member)
  end
  return gone
end
local function forget_dead(serial)
  local size = redis.call('HGET', P .. 'dead:' .. serial, 'size')
  if not size then return 0 end
  redis.call('DECRBY', P .. 'dead-bytes', size)
  redis.call('DEL', P .. 'dead:' .. serial)
  redis.call('ZREM', P .. 'deads', serial)
  return 1
end
)lua";

// Behind kCommon. keep() returns {'', member, recipients}; {'again', member, recipients} for a known key; or, where
// there is no room, {'full', name, count, bytes} or {'total', '', count, bytes}.
inline constexpr const char* kKeep = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) - 1704067200000
local millis, sequence = 0, 0
local last = redis.call('GET', P .. 'last')
if last then
  local a, b = string.match(last, '^(%d+) (%d+)$')
  millis, sequence = tonumber(a), tonumber(b)
end
local function next_member()
  if now > millis then
    millis, sequence = now, 0
  elseif sequence < 4095 then
    sequence = sequence + 1
  else
    millis, sequence = millis + 1, 0
  end
  redis.call('SET', P .. 'last', string.format('%d %d', millis, sequence))
  return string.format('%013d%07d', millis, 1023 * 4096 + sequence)
end
local function keep(limits, m)
  local known = m.key ~= '' and P .. 'key:' .. #m.service .. ':' .. m.service .. ':' .. m.key
  if known then
    local member, expires = string.match(redis.call('GET', known) or '', '^(%d+) (%d+)$')
    if member and tonumber(expires) > tonumber(m.created) then
      return {'again', member, redis.call('SCARD', P .. 'names:' .. member)}
    end
  end
  local size = #m.data
  local total = number('count')
  local replaced = {}
  for _, name in ipairs(m.names) do
    local recipient = who(m.service, m.kind, name)
    local have = redis.call('ZCARD', P .. 'of:' .. recipient)
    local bytes = number('bytes:' .. recipient)
    local same = m.collapse ~= '' and redis.call('HGET', P .. 'collapse:' .. recipient, m.collapse)
    if same then
      have = have - 1
      total = total - 1
      bytes = bytes - tonumber(redis.call('HGET', P .. 'message:' .. same, 'size'))
      replaced[#replaced + 1] = {recipient, name, same}
    end
    if over(have, 1, limits[1]) or over(bytes, size, limits[2]) then return {'full', name, have, bytes} end
  end
  local all_bytes = number('bytes')
  if over(total, #m.names, limits[3]) or over(all_bytes, size, limits[4]) then
    return {'total', '', total, all_bytes}
  end
  for _, one in ipairs(replaced) do drop(one[1], one[2], one[3]) end
  local member = next_member()
  redis.call('HSET', P .. 'message:' .. member, 'service', m.service, 'kind', m.kind, 'listening', m.listening,
    'event', m.event, 'data', m.data, 'size', size, 'created', m.created, 'expires', m.expires, 'collapse', m.collapse)
  for _, name in ipairs(m.names) do
    local recipient = who(m.service, m.kind, name)
    redis.call('SADD', P .. 'names:' .. member, name)
    redis.call('ZADD', P .. 'of:' .. recipient, 0, member)
    redis.call('INCRBY', P .. 'bytes:' .. recipient, size)
    if m.collapse ~= '' then redis.call('HSET', P .. 'collapse:' .. recipient, m.collapse, member) end
  end
  redis.call('ZADD', P .. 'all', 0, member)
  redis.call('ZADD', P .. 'expiry', m.expires, member)
  redis.call('INCRBY', P .. 'count', #m.names)
  redis.call('INCRBY', P .. 'bytes', size)
  if known then
    redis.call('SET', known, member .. ' ' .. m.expires)
    redis.call('ZADD', P .. 'keys', m.expires, known)
  end
  return {'', member, #m.names}
end
)lua";

// ARGV: prefix, four limits, number of messages; of each: service, kind, listening, event, data, created, expires, key,
// collapse, number of names, names. Returns the count, then of each what keep() returned, as four.
inline constexpr const char* kAdd = R"lua(
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
local results = {0}
local at = 7
for _ = 1, tonumber(ARGV[6]) do
  local m = {service = ARGV[at], kind = ARGV[at + 1], listening = ARGV[at + 2], event = ARGV[at + 3],
    data = ARGV[at + 4], created = ARGV[at + 5], expires = ARGV[at + 6], key = ARGV[at + 7], collapse = ARGV[at + 8],
    names = {}}
  local names = tonumber(ARGV[at + 9])
  for n = 1, names do m.names[n] = ARGV[at + 9 + n] end
  local result = keep(limits, m)
  for i = 1, 4 do results[#results + 1] = tostring(result[i] or '') end
  at = at + 10 + names
end
results[1] = number('count')
return results
)lua";

// ARGV: prefix, four limits, now, serials. All or none. Returns the count, "", and the members; or "changed" where a
// letter is gone meanwhile; or what keep() returned, with the kind, where there is no room.
inline constexpr const char* kRequeue = R"lua(
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
for i = 7, #ARGV do
  if redis.call('EXISTS', P .. 'dead:' .. ARGV[i]) == 0 then return {number('count'), 'changed'} end
end
local kept = {number('count'), ''}
for i = 7, #ARGV do
  local dead = redis.call('HMGET', P .. 'dead:' .. ARGV[i], 'service', 'kind', 'listening', 'event', 'data', 'created',
    'expires', 'name')
  local lasts = tonumber(dead[7]) - tonumber(dead[6])
  local result = keep(limits, {service = dead[1], kind = dead[2], listening = dead[3], event = dead[4],
    data = dead[5], created = ARGV[6], expires = string.format('%d', tonumber(ARGV[6]) + lasts), key = '',
    collapse = '', names = {dead[8]}})
  if result[1] ~= '' then
    for k = 3, #kept do erase(kept[k]) end
    return {number('count'), result[1], result[2], tostring(result[3]), tostring(result[4]), dead[2], #dead[5]}
  end
  kept[#kept + 1] = result[2]
end
for i = 7, #ARGV do forget_dead(ARGV[i]) end
kept[1] = number('count')
return kept
)lua";

// ARGV: prefix, then of each pair: recipient, name, member. Returns how many were there, and the count.
inline constexpr const char* kDrop = R"lua(
local gone = 0
for at = 2, #ARGV, 3 do gone = gone + drop(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
return {gone, number('count')}
)lua";

// ARGV: prefix, then of each pair: recipient, name, member, deliveries.
inline constexpr const char* kAttempts = R"lua(
for at = 2, #ARGV, 4 do
  if redis.call('ZSCORE', P .. 'of:' .. ARGV[at], ARGV[at + 2]) then
    redis.call('HINCRBY', P .. 'attempts:' .. ARGV[at + 2], ARGV[at + 1], ARGV[at + 3])
  end
end
return 1
)lua";

// ARGV: prefix, member to begin after, limit, bytes, now, then of each recipient: recipient, name. Returns of each row:
// number of the recipient, member, and the message's fields.
inline constexpr const char* kPending = R"lua(
local limit, most, now = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local found = {}
for r = 6, #ARGV, 2 do
  local from = '(' .. ARGV[2]
  local taken = 0
  while taken < limit do
    local members = redis.call('ZRANGEBYLEX', P .. 'of:' .. ARGV[r], from, '+', 'LIMIT', 0, limit)
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
local bytes, count = 0, 0
for i, one in ipairs(found) do
  local same = i > 1 and found[i - 1][1] == one[1]
  if not same and i > 1 and (count >= limit or bytes >= most) then break end
  local message = redis.call('HMGET', P .. 'message:' .. one[1], 'listening', 'event', 'data', 'size', 'created',
    'expires', 'collapse')
  rows[#rows + 1] = tostring((one[2] - 6) / 2)
  rows[#rows + 1] = one[1]
  for f = 1, 7 do rows[#rows + 1] = message[f] end
  rows[#rows + 1] = redis.call('HGET', P .. 'attempts:' .. one[1], ARGV[one[2] + 1]) or '0'
  bytes = bytes + tonumber(message[4])
  count = count + 1
end
return rows
)lua";

// ARGV: prefix, now, how many at most, most dead letters, their most bytes. Returns how many messages and pairs went,
// and the count.
inline constexpr const char* kExpire = R"lua(
local members = redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
local pairs_gone = 0
for _, member in ipairs(members) do
  local m = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind', 'listening', 'event', 'data', 'size',
    'created', 'expires', 'collapse')
  local names = redis.call('SMEMBERS', P .. 'names:' .. member)
  table.sort(names)
  for _, name in ipairs(names) do
    local serial = redis.call('INCR', P .. 'dead-serial')
    redis.call('HSET', P .. 'dead:' .. serial, 'member', member, 'service', m[1], 'kind', m[2], 'listening', m[3],
      'event', m[4], 'data', m[5], 'size', m[6], 'created', m[7], 'expires', m[8], 'collapse', m[9], 'name', name,
      'attempts', redis.call('HGET', P .. 'attempts:' .. member, name) or '0', 'died', ARGV[2])
    redis.call('ZADD', P .. 'deads', serial, serial)
    redis.call('INCRBY', P .. 'dead-bytes', m[6])
  end
  pairs_gone = pairs_gone + erase(member)
end
while redis.call('ZCARD', P .. 'deads') > tonumber(ARGV[4]) or
    (number('dead-bytes') > tonumber(ARGV[5]) and redis.call('ZCARD', P .. 'deads') > 0) do
  forget_dead(redis.call('ZRANGE', P .. 'deads', 0, 0)[1])
end
local keys = redis.call('ZRANGEBYSCORE', P .. 'keys', '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
for _, key in ipairs(keys) do
  redis.call('DEL', key)
  redis.call('ZREM', P .. 'keys', key)
end
return {math.max(#members, #keys), pairs_gone, number('count')}
)lua";

// ARGV: prefix, member. Returns the pairs gone and the count.
inline constexpr const char* kErase = R"lua(
local gone = erase(ARGV[2])
return {gone, number('count')}
)lua";

// ARGV: prefix, serials. Returns how many letters went.
inline constexpr const char* kForgetDead = R"lua(
local gone = 0
for i = 2, #ARGV do gone = gone + forget_dead(ARGV[i]) end
return gone
)lua";

// ARGV: prefix, a word. Returns the count, the epoch, which is that word where there was none, and the time.
inline constexpr const char* kLook = R"lua(
redis.call('SET', P .. 'epoch', ARGV[2], 'NX')
local time = redis.call('TIME')
return {number('count'), redis.call('GET', P .. 'epoch'), time[1] * 1000 + math.floor(time[2] / 1000)}
)lua";

}  // namespace sse::cluster::scripts
