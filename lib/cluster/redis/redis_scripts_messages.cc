#include "cluster/redis/redis_repository_scripts.h"

namespace sse::cluster::scripts {

// Adds messages. KEYS[2]: takes the member of the newest one, or absent. ARGV: prefix, four limits, number of messages;
// of each: service, kind, listening, event, data, created, expires, key, collapse, member of its original id or
// nothing, 1 if it is awaited, 1 to report what becomes of it, its sender's key, number of additional ids before and
// after it, number of names, names. Returns the count, made_reports(), then for each message the four results of
// keep(), and the members of the additional ids before and after it.
const char* const kAdd = R"lua(
local limits = {tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])}
local results = {0, {}}
local newest
local at = 7
for _ = 1, tonumber(ARGV[6]) do
  local function further(count)
    local members = {}
    for i = 1, tonumber(count) do members[i] = next_member() end
    return table.concat(members)
  end
  local m = {service = ARGV[at], kind = ARGV[at + 1], listening = ARGV[at + 2], event = ARGV[at + 3],
    data = ARGV[at + 4], created = ARGV[at + 5], expires = ARGV[at + 6], key = ARGV[at + 7], collapse = ARGV[at + 8],
    original = ARGV[at + 9], awaited = ARGV[at + 10], notify = ARGV[at + 11], sender_key = ARGV[at + 12], names = {}}
  local before = further(ARGV[at + 13])
  local names = tonumber(ARGV[at + 15])
  for n = 1, names do m.names[n] = ARGV[at + 15 + n] end
  local result = keep(limits, m)
  if result[1] == '' then newest = result[2] end
  for i = 1, 4 do results[#results + 1] = tostring(result[i] or '') end
  results[#results + 1] = before
  results[#results + 1] = further(ARGV[at + 14])
  at = at + 16 + names
end
results[1] = number('count')
results[2] = made_reports()
if KEYS[2] and newest then redis.call('SET', KEYS[2], newest) end
return results
)lua";

// Removes messages that are confirmed or deleted. ARGV: prefix, the outcome, then of each pair: recipient, name,
// member. Returns the number of pairs that existed, the count, and made_reports().
const char* const kDrop = R"lua(
local gone = 0
for at = 3, #ARGV, 3 do gone = gone + drop(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[2]) end
return {gone, number('count'), made_reports()}
)lua";

// Counts deliveries. ARGV: prefix, then of each pair: recipient, name, member, deliveries.
const char* const kAttempts = R"lua(
for at = 2, #ARGV, 4 do
  if redis.call('ZSCORE', P .. 'of:' .. ARGV[at], ARGV[at + 2]) then
    local of = redis.call('HMGET', P .. 'message:' .. ARGV[at + 2], 'kind', 'service')
    local name = ARGV[at + 1]
    if of[1] == 'several' and of[2] then name = string.sub(ARGV[at], #who(of[2], of[1], '') + 1) end
    redis.call('HINCRBY', P .. 'attempts:' .. ARGV[at + 2], name, ARGV[at + 3])
  end
end
return 1
)lua";

// Reads pending messages. ARGV: prefix, member to begin after, limit, bytes, now, then of each recipient: recipient,
// name. Returns first the number of entries without a message, which are removed from the lists; then of each row the
// number of the recipient, the member, and the message's fields, with the data only in the first row of a message.
const char* const kPending = R"lua(
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
      'expires', 'collapse', 'kind', 'service')
  end
  local name = ARGV[one[2] + 1]
  if message[8] == 'several' and message[9] then name = string.sub(ARGV[one[2]], #who(message[9], message[8], '') + 1) end
  rows[#rows + 1] = tostring((one[2] - 6) / 2)
  rows[#rows + 1] = one[1]
  for f = 1, 7 do rows[#rows + 1] = message[f] or '' end
  rows[#rows + 1] = redis.call('HGET', P .. 'attempts:' .. one[1], name) or '0'
  bytes = bytes + tonumber(message[4] or '0')
  count = count + 1
end
return rows
)lua";

// Removes expired messages. ARGV: prefix, now, maximum number, maximum number and bytes of dead letters, 1 to store
// dead letters. Returns an upper bound of the work done, to compare with the maximum number, the number of pairs
// removed, the count, made_reports(), and of each pair service, kind, name and member. With dead letters its first
// write is one that a Redis over its maxmemory refuses; without them it only frees memory.
const char* const kExpire = R"lua(
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
    'created', 'expires', 'collapse', 'original', 'notify')
  local buried = {}
  local names = m[1] and redis.call('SMEMBERS', P .. 'names:' .. member) or {}
  table.sort(names)
  for _, entry in ipairs(names) do
    local kind, name = kind_and_name(m[2], entry)
    for _, part in ipairs({m[1], kind, name, member}) do gone[#gone + 1] = part end
  end
  -- What would have to go for the last of them is not made.
  local size = tonumber(m[6] or '0')
  local fit = size > max_bytes and 0 or max_letters
  local payload = letters and fit > 0 and m[5] and payload_of(member, m[5])
  for i = letters and math.max(1, #names - fit + 1) or #names + 1, #names do
    local kind, name = kind_and_name(m[2], names[i])
    local have, more = redis.call('ZCARD', P .. 'deads'), more_bytes(payload, m[5])
    while have > 0 and (have >= max_letters or number('dead-bytes') + more > max_bytes) do
      forget_dead(redis.call('ZRANGE', P .. 'deads', 0, 0)[1])
      have, more = have - 1, more_bytes(payload, m[5])
    end
    copied = copied + more
    put_letter({member = member, service = m[1], kind = kind, listening = m[3], event = m[4], data = m[5],
      payload = payload, created = m[7], expires = m[8], collapse = m[9], original = m[10] or '', name = name,
      attempts = redis.call('HGET', P .. 'attempts:' .. member, names[i]) or '0', died = ARGV[2], notify = m[11]})
    buried[names[i]] = true
  end
  pairs_gone = pairs_gone + erase(member, function(name) return buried[name] and 'dead' or 'expired' end)
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
local answer = {done < #members and limit or math.max(#members, #keys, trimmed), pairs_gone, number('count'),
  made_reports()}
for _, part in ipairs(gone) do answer[#answer + 1] = part end
return answer
)lua";

// Deletes a message. ARGV: prefix, member. Returns the number of pairs removed, the count, and made_reports().
const char* const kErase = R"lua(
local gone = erase(ARGV[2], function() return 'deleted' end)
return {gone, number('count'), made_reports()}
)lua";

// Reads the state. ARGV: prefix, a random word. Returns the count, the epoch, which is set to that word if there was
// none, the time, and the number of reports in the outbox.
const char* const kLook = R"lua(
local epoch = redis.call('GET', P .. 'epoch')
if not epoch then
  epoch = ARGV[2]
  redis.call('DEL', P .. 'epoch')
  redis.call('SET', P .. 'epoch', epoch)
end
local time = redis.call('TIME')
return {number('count'), epoch, time[1] * 1000 + math.floor(time[2] / 1000), count_reports()}
)lua";

}  // namespace sse::cluster::scripts
