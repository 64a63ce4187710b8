#include "cluster/redis/redis_repository_scripts.h"

namespace sse::cluster::scripts {

// Requeues dead letters, all or none. ARGV: prefix, four limits, now, and of each letter its serial and key. Returns
// the count, "", the number of older messages that were replaced, made_reports(), of each of those messages service,
// kind, name and member, and the new members; or "changed" if a letter was deleted in the meantime; or the result of
// keep(), with the kind, if there is no room: then nothing has changed.
const char* const kRequeue = R"lua(
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
    'expires', 'name', 'collapse', 'original', 'member', 'notify')
  local data = redis.call('HGET', data_key(ARGV[i], dead[5]), 'data')
  local first = dead[10] and dead[10] ~= '' and dead[10] or dead[11]
  local lasts = tonumber(dead[7]) - tonumber(dead[6])
  local result = keep(limits, {service = dead[1], kind = dead[2], listening = dead[3], event = dead[4],
    data = data, created = ARGV[6], expires = string.format('%d', tonumber(ARGV[6]) + lasts), key = ARGV[i + 1],
    collapse = dead[9] or '', original = first, notify = dead[12] and '1', sender_key = '', names = {dead[8]}}, later)
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
local there = {number('count'), '', 0, made_reports()}
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

// Deletes dead letters. ARGV: prefix, serials. Returns the number of deleted letters.
const char* const kForgetDead = R"lua(
local gone = 0
for i = 2, #ARGV do gone = gone + forget_dead(ARGV[i]) end
return gone
)lua";

// Adds dead letters; to follow kKeep. ARGV: prefix, maximum number and bytes of dead letters, and of each letter:
// member, service, kind, name, listening, event, data, created, expires, collapse, original, attempts, died, key, 1 to
// report what becomes of it when it is sent again.
// Returns for each letter 0 if it is stored, 1 if it is known, 2 if there is no room.
const char* const kAddDead = R"lua(
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
for at = 4, #ARGV, 15 do
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
      collapse = ARGV[at + 9], original = ARGV[at + 10], name = name, attempts = ARGV[at + 11], died = ARGV[at + 12],
      notify = ARGV[at + 14] == '1'})
    results[#results + 1] = 0
  end
end
return results
)lua";

}  // namespace sse::cluster::scripts
