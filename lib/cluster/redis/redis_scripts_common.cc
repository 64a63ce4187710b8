#include "cluster/redis/redis_repository_scripts.h"

namespace sse::cluster::scripts {

// ARGV[1]: prefix. To follow the limits of the outbox, MAX_REPORTS and MAX_REPORT_BYTES. Defines put_report(), and
// made_reports(), which returns for the reply how many reports the script has dropped from the outbox and the fields of
// those that it has made: outcome, service, kind, name, member, original, event, key, created, time, attempts.
const char* const kReports = R"lua(
local P = ARGV[1]
local made, dropped = {}, 0
local function now_millis()
  local time = redis.call('TIME')
  return string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
end
local function count_reports() return redis.call('ZCARD', P .. 'outbox') + redis.call('ZCARD', P .. 'claimed') end
local function forget_report(number)
  redis.call('ZREM', P .. 'outbox', number)
  redis.call('ZREM', P .. 'claimed', number)
  local report = redis.call('HGET', P .. 'reports', number)
  if not report then return end
  redis.call('HDEL', P .. 'reports', number)
  if count_reports() == 0 then
    redis.call('DEL', P .. 'report-bytes')
  else
    redis.call('DECRBY', P .. 'report-bytes', #report)
  end
end
-- A message to recipients of several kinds has the kind 'several', and names that begin with a kind: 'user:ann'.
local function kind_and_name(kind, name)
  if kind ~= 'several' then return kind, name end
  local colon = string.find(name, ':', 1, true)
  return string.sub(name, 1, colon - 1), string.sub(name, colon + 1)
end
-- `entry`: from the message's names.
local function put_report(member, entry, outcome)
  local m = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind', 'original', 'event', 'key', 'created')
  local kind, name = kind_and_name(m[2], entry)
  local report = {outcome, m[1], kind, name, member, m[3] or '', m[4] or '', m[5] or '', m[6] or '0', now_millis(),
    redis.call('HGET', P .. 'attempts:' .. member, entry) or '0'}
  for _, field in ipairs(report) do made[#made + 1] = field end
  if MAX_REPORTS == 0 then return end
  local number = redis.call('INCR', P .. 'report-serial')
  local packed = cmsgpack.pack(report)
  redis.call('HSET', P .. 'reports', number, packed)
  redis.call('ZADD', P .. 'outbox', number, number)
  redis.call('INCRBY', P .. 'report-bytes', #packed)
  while count_reports() > MAX_REPORTS or
      tonumber(redis.call('GET', P .. 'report-bytes') or '0') > MAX_REPORT_BYTES do
    local oldest = redis.call('ZRANGE', P .. 'outbox', 0, 0)[1] or redis.call('ZRANGE', P .. 'claimed', 0, 0)[1]
    if not oldest then break end
    forget_report(oldest)
    dropped = dropped + 1
  end
end
local function made_reports()
  table.insert(made, 1, tostring(dropped))
  return made
end
)lua";

// To follow kReports.
const char* const kCommon = R"lua(
local function number(key) return tonumber(redis.call('GET', P .. key) or '0') end
local function over(now, more, max) return max ~= 0 and (now >= max or more > max - now) end
local function who(service, kind, name)
  local of_service = #service .. ':' .. service .. ':'
  return kind == 'several' and of_service .. name or of_service .. kind .. ':' .. name
end
-- While a node counts anew (kRecount), what is behind its cursor has been counted.
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
-- With an outcome, the removal of a message with `notify` is reported.
local function drop(recipient, name, member, outcome)
  local message = redis.call('HMGET', P .. 'message:' .. member, 'size', 'collapse', 'service', 'kind', 'awaited',
    'notify')
  if message[3] and message[4] then
    -- The message may be for a recipient of another kind or service.
    local alike = who(message[3], message[4], '')
    if string.sub(recipient, 1, #alike) ~= alike then return 0 end
    name = string.sub(recipient, #alike + 1)
  end
  local listed = redis.call('ZREM', P .. 'of:' .. recipient, member)
  if listed == 0 and not message[3] then return 0 end
  local named = redis.call('SREM', P .. 'names:' .. member, name)
  if listed == 0 and named == 0 then return 0 end
  if outcome and message[6] then put_report(member, name, outcome) end
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
-- Whatever of it was left. `outcome`, for drop(), may depend on the name. Returns the pairs that went.
local function erase(member, outcome)
  local message = redis.call('HMGET', P .. 'message:' .. member, 'service', 'kind', 'size')
  local gone = 0
  if message[1] and message[2] then
    for _, name in ipairs(redis.call('SMEMBERS', P .. 'names:' .. member)) do
      gone = gone + drop(who(message[1], message[2], name), name, member, outcome and outcome(name))
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
  if l.notify then redis.call('HSET', P .. 'dead:' .. serial, 'notify', 1) end
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
const char* const kKeep = R"lua(
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
  for _, one in ipairs(later.list) do drop(one[1], one[2], one[3], 'replaced') end
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
    elseif drop(one[1], one[2], one[3], 'replaced') == 1 then
      took_place[#took_place + 1] = one[3] .. #one[2] .. ':' .. one[2]
    end
  end
  local member = next_member()
  redis.call('HSET', P .. 'message:' .. member, 'service', m.service, 'kind', m.kind, 'listening', m.listening,
    'event', m.event, 'data', m.data, 'size', size, 'created', m.created, 'expires', m.expires, 'collapse', m.collapse)
  if m.original ~= '' then redis.call('HSET', P .. 'message:' .. member, 'original', m.original) end
  if m.notify == '1' then redis.call('HSET', P .. 'message:' .. member, 'notify', 1, 'key', m.sender_key) end
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

}  // namespace sse::cluster::scripts
