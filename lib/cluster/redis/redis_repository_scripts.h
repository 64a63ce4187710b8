#pragma once

/// The Lua scripts of RedisRepository. Keys below its prefix:
///
///     last                    "<millis> <sequence>" of the last id
///     epoch                   a random word that distinguishes this data from data written after Redis was emptied
///     count, bytes            number of (message, recipient) pairs; data of all messages, each counted once
///     message:<member>        hash: service, kind, listening, event, data, size, created, expires, collapse, and
///                             awaited if a sender waits for its confirmations
///     names:<member>          set: the recipients that have not confirmed
///     attempts:<member>       hash: name → deliveries
///     of:<recipient>          sorted set: members that are pending for the recipient
///     bytes:<recipient>       size of their data
///     collapse:<recipient>    hash: collapse key → member
///     all, expiry             sorted sets: every member; the same, scored by expiry time
///     key:<service and key>   "<member> <expires>"
///     keys                    sorted set: those keys, scored by expiry time
///     dead:<serial>           hash: a dead letter
///     dead-data:<payload>     hash: data that the letters of one message share, and their number
///     deads                   sorted set: their serials
///     dead-serial, dead-bytes
///     dead-known              hash: first member and recipient of a dead letter → serial
///     recount                 hash, during a recount: cursor; pairs and bytes of all members up to it; lost pairs and
///                             restored entries
///
/// When an awaited message is no longer pending for a recipient, its member and the recipient are published to the
/// channel `settled`.
///
/// Redis is not trusted to retain all keys: with a maxmemory-policy that evicts, any key may disappear alone. A script
/// treats a missing part as deleted, still removes the other parts, and does a bounded amount of work.
///
/// Over its `maxmemory` Redis refuses a script whose first write may allocate memory (INCR, HSET, ZADD, …). After a
/// first write that never does (DEL, ZREM, PERSIST, …) it executes the whole script. So a script that frees memory
/// deletes before it writes, and a script that must run with little memory begins with such a write.
///
/// A member is an id as 13 digits of milliseconds and 7 digits of its lower bits: numbers in Lua are doubles, which
/// cannot hold an id, and Redis orders members of one score by their bytes.
namespace sse::cluster::scripts {

// ARGV[1]: prefix.
inline constexpr const char* kCommon = R"lua(
local P = ARGV[1]
local function number(key) return tonumber(redis.call('GET', P .. key) or '0') end
local function over(now, more, max) return max ~= 0 and (now >= max or more > max - now) end
local function who(service, kind, name) return #service .. ':' .. service .. ':' .. kind .. ':' .. name end
-- During a recount (kRecount), the members up to its cursor have been counted.
local function recounted(member, pairs_gone, bytes_gone)
  local cursor = redis.call('HGET', P .. 'recount', 'cursor')
  if cursor and member <= cursor then
    if pairs_gone ~= 0 then redis.call('HINCRBY', P .. 'recount', 'pairs', -pairs_gone) end
    if bytes_gone ~= 0 then redis.call('HINCRBY', P .. 'recount', 'bytes', -bytes_gone) end
  end
end
local function forget(member, size)
  if redis.call('DEL', P .. 'message:' .. member) == 1 then
    redis.call('DECRBY', P .. 'bytes', size)
    recounted(member, 0, size)
  end
  redis.call('DEL', P .. 'names:' .. member, P .. 'attempts:' .. member)
  redis.call('ZREM', P .. 'all', member)
  redis.call('ZREM', P .. 'expiry', member)
end
local function drop(recipient, name, member)
  local message = redis.call('HMGET', P .. 'message:' .. member, 'size', 'collapse', 'service', 'kind', 'awaited')
  -- The name may be that of a recipient of another kind or service.
  if message[3] and message[4] and who(message[3], message[4], name) ~= recipient then return 0 end
  local listed = redis.call('ZREM', P .. 'of:' .. recipient, member)
  if listed == 0 and not message[3] then return 0 end
  local named = redis.call('SREM', P .. 'names:' .. member, name)
  if listed == 0 and named == 0 then return 0 end
  local size = tonumber(message[1] or '0')
  if redis.call('ZCARD', P .. 'of:' .. recipient) == 0 then
    redis.call('DEL', P .. 'bytes:' .. recipient, P .. 'collapse:' .. recipient)
  elseif listed == 1 then
    redis.call('DECRBY', P .. 'bytes:' .. recipient, size)
    if message[2] and message[2] ~= '' and
        redis.call('HGET', P .. 'collapse:' .. recipient, message[2]) == member then
      redis.call('HDEL', P .. 'collapse:' .. recipient, message[2])
    end
  end
  -- Without the right to publish, the nodes that wait for confirmations poll.
  if message[5] then redis.pcall('PUBLISH', P .. 'settled', member .. recipient) end
  if named == 1 then
    redis.call('DECRBY', P .. 'count', 1)
    recounted(member, 1, 0)
    if redis.call('SCARD', P .. 'names:' .. member) == 0 then forget(member, size) end
  end
  return 1
end
-- Whatever of it was left. Returns the pairs that went.
local function erase(member)
  local message = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind', 'size')
  local gone = 0
  if message[1] and message[2] then
    for _, name in ipairs(redis.call('SMEMBERS', P .. 'names:' .. member)) do
      gone = gone + drop(who(message[1], message[2], name), name, member)
    end
  else
    -- Its recipients are unknown now; their lists are mended when they are read.
    local names = redis.call('SCARD', P .. 'names:' .. member)
    redis.call('DEL', P .. 'names:' .. member)
    if names > 0 then
      redis.call('DECRBY', P .. 'count', names)
      recounted(member, names, 0)
      gone = names
    end
  end
  forget(member, tonumber(message[3] or '0'))
  return gone
end
local function letter_name(first, service, kind, name) return first .. who(service, kind, name) end
local function payload_of(member, data) return member .. ':' .. redis.sha1hex(data) end
local function more_bytes(payload, data)
  return redis.call('EXISTS', P .. 'dead-data:' .. payload) == 1 and 0 or #data
end
-- Its first write may take memory.
local function put_letter(l)
  local serial = redis.call('INCR', P .. 'dead-serial')
  redis.call('HSET', P .. 'dead:' .. serial, 'member', l.member, 'service', l.service, 'kind', l.kind,
    'listening', l.listening, 'event', l.event, 'payload', l.payload, 'size', #l.data, 'created', l.created,
    'expires', l.expires, 'collapse', l.collapse, 'original', l.original, 'name', l.name, 'attempts', l.attempts,
    'died', l.died)
  local first = l.original ~= '' and l.original or l.member
  redis.call('HSET', P .. 'dead-known', letter_name(first, l.service, l.kind, l.name), serial)
  redis.call('ZADD', P .. 'deads', serial, serial)
  if redis.call('HSETNX', P .. 'dead-data:' .. l.payload, 'data', l.data) == 1 then
    redis.call('INCRBY', P .. 'dead-bytes', #l.data)
  end
  redis.call('HINCRBY', P .. 'dead-data:' .. l.payload, 'letters', 1)
end
-- The hash that has it: older versions kept data with each letter.
local function data_key(serial, payload)
  return payload and P .. 'dead-data:' .. payload or P .. 'dead:' .. serial
end
local function forget_dead(serial)
  local dead = redis.call('HMGET', P .. 'dead:' .. serial, 'size', 'member', 'original', 'service', 'kind', 'name',
    'payload')
  local size, payload = dead[1], dead[7]
  if dead[2] and dead[4] and dead[5] and dead[6] then
    local first = dead[3] and dead[3] ~= '' and dead[3] or dead[2]
    redis.call('HDEL', P .. 'dead-known', letter_name(first, dead[4], dead[5], dead[6]))
  end
  local gone = redis.call('DEL', P .. 'dead:' .. serial)
  local listed = redis.call('ZREM', P .. 'deads', serial)
  if payload then
    local key = P .. 'dead-data:' .. payload
    -- Its bytes go with the last one, unless the data was evicted.
    local there = redis.call('HEXISTS', key, 'data') == 1
    local last = redis.call('HINCRBY', key, 'letters', -1) <= 0
    if last then redis.call('DEL', key) end
    if not (there and last) then size = 0 end
  end
  if redis.call('ZCARD', P .. 'deads') == 0 then
    redis.call('DEL', P .. 'dead-bytes')
  elseif size then
    redis.call('DECRBY', P .. 'dead-bytes', size)
  end
  return math.max(gone, listed)
end
)lua";

// To follow kCommon. keep() stores a message. It returns {'', member, recipients, replaced messages: of each the
// member, the length of the recipient's name, ':', and the name}; {'again', member, recipients} for a known key; or, if
// there is no room, {'full', name, count, bytes} or {'total', '', count, bytes}. With `later` it drops no replaced
// message but notes it there, and does not count it; then settle() drops these messages, or restore() restores them.
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
local function nothing_replaced() return {list = {}, have = {}, bytes = {}, names = {}, count = 0, all_bytes = 0} end
local function note_replaced(later, m, one)
  local recipient, _, member = one[1], one[2], one[3]
  local size = tonumber(redis.call('HGET', P .. 'message:' .. member, 'size') or '0')
  later.list[#later.list + 1] = {recipient, one[2], member, m.collapse, m.service, m.kind}
  later.have[recipient] = (later.have[recipient] or 0) + 1
  later.bytes[recipient] = (later.bytes[recipient] or 0) + size
  later.count = later.count + 1
  later.names[member] = (later.names[member] or redis.call('SCARD', P .. 'names:' .. member)) - 1
  if later.names[member] == 0 then later.all_bytes = later.all_bytes + size end
end
local function settle(later)
  for _, one in ipairs(later.list) do drop(one[1], one[2], one[3]) end
end
-- Once what took their places is erased.
local function restore(later)
  for _, one in ipairs(later.list) do
    if redis.call('ZSCORE', P .. 'of:' .. one[1], one[3]) then
      redis.call('HSET', P .. 'collapse:' .. one[1], one[4], one[3])
    end
  end
end
local function sent_key(service, key) return P .. 'key:' .. #service .. ':' .. service .. ':' .. key end
local function await(m, member)
  if m.awaited == '1' and redis.call('EXISTS', P .. 'message:' .. member) == 1 then
    redis.call('HSET', P .. 'message:' .. member, 'awaited', 1)
  end
end
local function keep(limits, m, later)
  local known = m.key ~= '' and sent_key(m.service, m.key)
  if known then
    local member, expires = string.match(redis.call('GET', known) or '', '^(%d+) (%d+)$')
    if member and tonumber(expires) > tonumber(m.created) then
      await(m, member)
      return {'again', member, redis.call('SCARD', P .. 'names:' .. member)}
    end
  end
  -- Imported: the id it had first decides.
  if m.original ~= '' then
    local recipient = who(m.service, m.kind, m.names[1])
    if redis.call('ZSCORE', P .. 'of:' .. recipient, m.original) then return {'again', m.original, 1} end
    local same = m.collapse ~= '' and redis.call('HGET', P .. 'collapse:' .. recipient, m.collapse)
    local first = same and redis.call('HGET', P .. 'message:' .. same, 'original')
    if same and (not first or first == '') then first = same end
    if same and first > m.original then return {'again', same, 1} end
  end
  local size = #m.data
  local total = number('count') - (later and later.count or 0)
  local replaced = {}
  for _, name in ipairs(m.names) do
    local recipient = who(m.service, m.kind, name)
    local have = redis.call('ZCARD', P .. 'of:' .. recipient) - (later and later.have[recipient] or 0)
    local bytes = number('bytes:' .. recipient) - (later and later.bytes[recipient] or 0)
    local same = m.collapse ~= '' and redis.call('HGET', P .. 'collapse:' .. recipient, m.collapse)
    if same and redis.call('ZSCORE', P .. 'of:' .. recipient, same) then
      have = have - 1
      total = total - 1
      bytes = bytes - tonumber(redis.call('HGET', P .. 'message:' .. same, 'size') or '0')
      replaced[#replaced + 1] = {recipient, name, same}
    end
    if over(have, 1, limits[1]) or over(bytes, size, limits[2]) then return {'full', name, have, bytes} end
  end
  local all_bytes = number('bytes') - (later and later.all_bytes or 0)
  if over(total, #m.names, limits[3]) or over(all_bytes, size, limits[4]) then
    return {'total', '', total, all_bytes}
  end
  local took_place = {}
  for _, one in ipairs(replaced) do
    if later then
      note_replaced(later, m, one)
    elseif drop(one[1], one[2], one[3]) == 1 then
      took_place[#took_place + 1] = one[3] .. #one[2] .. ':' .. one[2]
    end
  end
  local member = next_member()
  redis.call('HSET', P .. 'message:' .. member, 'service', m.service, 'kind', m.kind, 'listening', m.listening,
    'event', m.event, 'data', m.data, 'size', size, 'created', m.created, 'expires', m.expires, 'collapse', m.collapse)
  if m.original ~= '' then redis.call('HSET', P .. 'message:' .. member, 'original', m.original) end
  await(m, member)
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
  return {'', member, #m.names, table.concat(took_place)}
end
)lua";

// Adds messages. ARGV: prefix, four limits, number of messages; of each: service, kind, listening, event, data,
// created, expires, key, collapse, member of its original id or nothing, 1 if it is awaited, number of additional ids
// before and after it, number of names, names. Returns the count, then for each message the four results of keep(), and
// the members of the additional ids before and after it.
inline constexpr const char* kAdd = R"lua(
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
local results = {0}
local at = 7
for _ = 1, tonumber(ARGV[6]) do
  local function further(count)
    local members = {}
    for i = 1, tonumber(count) do members[i] = next_member() end
    return table.concat(members)
  end
  local m = {service = ARGV[at], kind = ARGV[at + 1], listening = ARGV[at + 2], event = ARGV[at + 3],
    data = ARGV[at + 4], created = ARGV[at + 5], expires = ARGV[at + 6], key = ARGV[at + 7], collapse = ARGV[at + 8],
    original = ARGV[at + 9], awaited = ARGV[at + 10], names = {}}
  local before = further(ARGV[at + 11])
  local names = tonumber(ARGV[at + 13])
  for n = 1, names do m.names[n] = ARGV[at + 13 + n] end
  local result = keep(limits, m)
  for i = 1, 4 do results[#results + 1] = tostring(result[i] or '') end
  results[#results + 1] = before
  results[#results + 1] = further(ARGV[at + 12])
  at = at + 14 + names
end
results[1] = number('count')
return results
)lua";

// Requeues dead letters, all or none. ARGV: prefix, four limits, now, and of each letter its serial and key. Returns
// the count, "", the number of older messages that were replaced, of each of those service, kind, name and member, and
// the new members; or "changed" if a letter was deleted in the meantime; or the result of keep(), with the kind, if
// there is no room: then nothing has changed.
inline constexpr const char* kRequeue = R"lua(
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
for i = 7, #ARGV, 2 do
  local dead = redis.call('HMGET', P .. 'dead:' .. ARGV[i], 'member', 'payload')
  if not dead[1] then return {number('count'), 'changed'} end
  if redis.call('HEXISTS', data_key(ARGV[i], dead[2]), 'data') == 0 then
    forget_dead(ARGV[i])
    return {number('count'), 'changed'}
  end
end
local kept = {}
local later = nothing_replaced()
-- Frees what it takes: not to be refused for want of memory.
for i = 7, #ARGV, 2 do redis.call('PERSIST', P .. 'dead:' .. ARGV[i]) end
local keys = {}
for i = 7, #ARGV, 2 do
  local dead = redis.call('HMGET', P .. 'dead:' .. ARGV[i], 'service', 'kind', 'listening', 'event', 'payload', 'created',
    'expires', 'name', 'collapse', 'original', 'member')
  local data = redis.call('HGET', data_key(ARGV[i], dead[5]), 'data')
  local first = dead[10] and dead[10] ~= '' and dead[10] or dead[11]
  local lasts = tonumber(dead[7]) - tonumber(dead[6])
  local result = keep(limits, {service = dead[1], kind = dead[2], listening = dead[3], event = dead[4],
    data = data, created = ARGV[6], expires = string.format('%d', tonumber(ARGV[6]) + lasts), key = ARGV[i + 1],
    collapse = dead[9] or '', original = first, names = {dead[8]}}, later)
  if result[1] ~= '' and result[1] ~= 'again' then
    for _, member in ipairs(kept) do erase(member) end
    for _, key in ipairs(keys) do
      redis.call('DEL', key)
      redis.call('ZREM', P .. 'keys', key)
    end
    restore(later)
    return {number('count'), result[1], result[2], tostring(result[3]), tostring(result[4]), dead[2], #data}
  end
  -- A younger one with its collapse key has its place.
  if result[1] == '' then
    kept[#kept + 1] = result[2]
    keys[#keys + 1] = sent_key(dead[1], ARGV[i + 1])
  end
end
settle(later)
for i = 7, #ARGV, 2 do forget_dead(ARGV[i]) end
local fresh = {}
for _, member in ipairs(kept) do fresh[member] = true end
local there = {number('count'), '', 0}
for _, one in ipairs(later.list) do
  -- One that a letter behind it has replaced was never sent.
  if not fresh[one[3]] then
    there[3] = there[3] + 1
    for _, part in ipairs({one[5], one[6], one[2], one[3]}) do there[#there + 1] = part end
  end
end
for _, member in ipairs(kept) do
  if redis.call('EXISTS', P .. 'message:' .. member) == 1 then there[#there + 1] = member end
end
return there
)lua";

// Removes confirmed messages. ARGV: prefix, then of each pair: recipient, name, member. Returns the number of pairs
// that existed, and the count.
inline constexpr const char* kDrop = R"lua(
local gone = 0
for at = 2, #ARGV, 3 do gone = gone + drop(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
return {gone, number('count')}
)lua";

// Counts deliveries. ARGV: prefix, then of each pair: recipient, name, member, deliveries.
inline constexpr const char* kAttempts = R"lua(
for at = 2, #ARGV, 4 do
  if redis.call('ZSCORE', P .. 'of:' .. ARGV[at], ARGV[at + 2]) then
    redis.call('HINCRBY', P .. 'attempts:' .. ARGV[at + 2], ARGV[at + 1], ARGV[at + 3])
  end
end
return 1
)lua";

// Reads pending messages. ARGV: prefix, member to begin after, limit, bytes, now, then of each recipient: recipient,
// name. Returns first the number of entries without a message, which are removed from the lists; then of each row the
// number of the recipient, the member, and the message's fields, with the data only in the first row of a message.
inline constexpr const char* kPending = R"lua(
local limit, max_bytes, now = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local found = {}
local lost = {}
for r = 6, #ARGV, 2 do
  local from = '(' .. ARGV[2]
  local taken = 0
  while taken < limit do
    local members = redis.call('ZRANGEBYLEX', P .. 'of:' .. ARGV[r], from, '+', 'LIMIT', 0, limit)
    for _, member in ipairs(members) do
      local expires = redis.call('HGET', P .. 'message:' .. member, 'expires')
      if not expires then
        lost[#lost + 1] = {ARGV[r], ARGV[r + 1], member}
      elseif tonumber(expires) > now and taken < limit then
        found[#found + 1] = {member, r}
        taken = taken + 1
      end
    end
    if #members < limit then break end
    from = '(' .. members[#members]
  end
end
for _, one in ipairs(lost) do drop(one[1], one[2], one[3]) end
table.sort(found, function(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end)
local rows = {tostring(#lost)}
local bytes, count = 0, 0
local message
for i, one in ipairs(found) do
  local same = i > 1 and found[i - 1][1] == one[1]
  if not same and i > 1 and (count >= limit or bytes >= max_bytes) then break end
  if same then
    message[3] = ''
  else
    message = redis.call('HMGET', P .. 'message:' .. one[1], 'listening', 'event', 'data', 'size', 'created',
      'expires', 'collapse')
  end
  rows[#rows + 1] = tostring((one[2] - 6) / 2)
  rows[#rows + 1] = one[1]
  for f = 1, 7 do rows[#rows + 1] = message[f] or '' end
  rows[#rows + 1] = redis.call('HGET', P .. 'attempts:' .. one[1], ARGV[one[2] + 1]) or '0'
  bytes = bytes + tonumber(message[4] or '0')
  count = count + 1
end
return rows
)lua";

// Removes expired messages. ARGV: prefix, now, maximum number, maximum number and bytes of dead letters, 1 to store
// dead letters. Returns an upper bound of the work done, to compare with the maximum number, the number of pairs
// removed, the count, and of each pair service, kind, name and member. With dead letters its first write is one that a
// Redis over its maxmemory refuses; without them it only frees memory.
inline constexpr const char* kExpire = R"lua(
local limit = tonumber(ARGV[3])
local letters = ARGV[6] == '1' and tonumber(ARGV[4]) > 0
local members = redis.call('ZRANGEBYSCORE', P .. 'expiry', '-inf', ARGV[2], 'LIMIT', 0, limit)
local pairs_gone, copied, done = 0, 0, 0
local gone = {}
local max_letters, max_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
if letters and #members > 0 then redis.call('INCRBY', P .. 'dead-serial', 0) end
for _, member in ipairs(members) do
  if copied >= 4194304 then break end
  done = done + 1
  local m = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind', 'listening', 'event', 'data', 'size',
    'created', 'expires', 'collapse', 'original')
  local names = m[1] and redis.call('SMEMBERS', P .. 'names:' .. member) or {}
  table.sort(names)
  for _, name in ipairs(names) do
    for _, part in ipairs({m[1], m[2], name, member}) do gone[#gone + 1] = part end
  end
  -- What would have to go for the last of them is not made.
  local size = tonumber(m[6] or '0')
  local fit = size > max_bytes and 0 or max_letters
  local payload = letters and fit > 0 and m[5] and payload_of(member, m[5])
  for i = letters and math.max(1, #names - fit + 1) or #names + 1, #names do
    local name = names[i]
    local have, more = redis.call('ZCARD', P .. 'deads'), more_bytes(payload, m[5])
    while have > 0 and (have >= max_letters or number('dead-bytes') + more > max_bytes) do
      forget_dead(redis.call('ZRANGE', P .. 'deads', 0, 0)[1])
      have, more = have - 1, more_bytes(payload, m[5])
    end
    copied = copied + more
    put_letter({member = member, service = m[1], kind = m[2], listening = m[3], event = m[4], data = m[5],
      payload = payload, created = m[7], expires = m[8], collapse = m[9], original = m[10] or '', name = name,
      attempts = redis.call('HGET', P .. 'attempts:' .. member, name) or '0', died = ARGV[2]})
  end
  pairs_gone = pairs_gone + erase(member)
end
local trimmed = 0
while trimmed < limit do
  local have = redis.call('ZCARD', P .. 'deads')
  if have == 0 or (have <= tonumber(ARGV[4]) and number('dead-bytes') <= tonumber(ARGV[5])) then break end
  forget_dead(redis.call('ZRANGE', P .. 'deads', 0, 0)[1])
  trimmed = trimmed + 1
end
local keys = redis.call('ZRANGEBYSCORE', P .. 'keys', '-inf', ARGV[2], 'LIMIT', 0, limit)
for _, key in ipairs(keys) do
  redis.call('DEL', key)
  redis.call('ZREM', P .. 'keys', key)
end
local answer = {done < #members and limit or math.max(#members, #keys, trimmed), pairs_gone, number('count')}
for _, part in ipairs(gone) do answer[#answer + 1] = part end
return answer
)lua";

// Deletes a message. ARGV: prefix, member. Returns the number of pairs removed and the count.
inline constexpr const char* kErase = R"lua(
local gone = erase(ARGV[2])
return {gone, number('count')}
)lua";

// Deletes dead letters. ARGV: prefix, serials. Returns the number of deleted letters.
inline constexpr const char* kForgetDead = R"lua(
local gone = 0
for i = 2, #ARGV do gone = gone + forget_dead(ARGV[i]) end
return gone
)lua";

// Adds dead letters; to follow kKeep. ARGV: prefix, maximum number and bytes of dead letters, and of each letter:
// member, service, kind, name, listening, event, data, created, expires, collapse, original, attempts, died, key.
// Returns for each letter 0 if it is stored, 1 if it is known, 2 if there is no room.
inline constexpr const char* kAddDead = R"lua(
local max_letters, max_bytes = tonumber(ARGV[2]), tonumber(ARGV[3])
local results = {}
local names = {}
-- Letters of one message come together, each with its data: hashed once.
local function payload(member, data)
  if names.member ~= member or names.data ~= data then
    names = {member = member, data = data, payload = payload_of(member, data)}
  end
  return names.payload
end
for at = 4, #ARGV, 14 do
  local member, service, kind, name, data = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 6]
  local first = ARGV[at + 10] ~= '' and ARGV[at + 10] or member
  local recipient = who(service, kind, name)
  local known = string.match(redis.call('GET', sent_key(service, ARGV[at + 13])) or '', '^%d+ (%d+)$')
  if redis.call('HEXISTS', P .. 'dead-known', letter_name(first, service, kind, name)) == 1 or
      redis.call('ZSCORE', P .. 'of:' .. recipient, first) or (known and tonumber(known) > tonumber(ARGV[at + 12])) then
    results[#results + 1] = 1
  elseif redis.call('ZCARD', P .. 'deads') >= max_letters or
      number('dead-bytes') + more_bytes(payload(member, data), data) > max_bytes then
    results[#results + 1] = 2
  else
    put_letter({member = member, service = service, kind = kind, listening = ARGV[at + 4], event = ARGV[at + 5],
      data = data, payload = payload(member, data), created = ARGV[at + 7], expires = ARGV[at + 8],
      collapse = ARGV[at + 9], original = ARGV[at + 10], name = name, attempts = ARGV[at + 11], died = ARGV[at + 12]})
    results[#results + 1] = 0
  end
end
return results
)lua";

// Reads the state. ARGV: prefix, a random word. Returns the count, the epoch, which is set to that word if there was
// none, and the time.
inline constexpr const char* kLook = R"lua(
local epoch = redis.call('GET', P .. 'epoch')
if not epoch then
  epoch = ARGV[2]
  redis.call('DEL', P .. 'epoch')
  redis.call('SET', P .. 'epoch', epoch)
end
local time = redis.call('TIME')
return {number('count'), epoch, time[1] * 1000 + math.floor(time[2] / 1000)}
)lua";

// Restores messages in the lists of all members. ARGV: prefix, members. Returns the number of restored entries.
inline constexpr const char* kRelist = R"lua(
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
inline constexpr const char* kRecount = R"lua(
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
inline constexpr const char* kRecountDead = R"lua(
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
