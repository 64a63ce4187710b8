#include "cluster/redis/redis_repository_scripts.h"

namespace sse::cluster::scripts {

// Claims delivery reports. ARGV: prefix, maximum number, milliseconds that the claims last. Returns of each its number
// and the fields of put_report(). Begins with a write that takes no memory, as the outbox empties only so.
const char* const kClaimReports = R"lua(
local limit, now = tonumber(ARGV[2]), tonumber(now_millis())
redis.call('PERSIST', P .. 'claimed')
for _, report in ipairs(redis.call('ZRANGEBYSCORE', P .. 'claimed', '-inf', now, 'LIMIT', 0, limit)) do
  redis.call('ZREM', P .. 'claimed', report)
  redis.call('ZADD', P .. 'outbox', report, report)
end
local answer = {}
for _, report in ipairs(redis.call('ZRANGE', P .. 'outbox', 0, limit - 1)) do
  local packed = redis.call('HGET', P .. 'reports', report)
  if packed then
    redis.call('ZREM', P .. 'outbox', report)
    redis.call('ZADD', P .. 'claimed', string.format('%d', now + tonumber(ARGV[3])), report)
    answer[#answer + 1] = report
    for _, field in ipairs(cmsgpack.unpack(packed)) do answer[#answer + 1] = field end
  else
    forget_report(report)
  end
end
return answer
)lua";

// Extends claims. ARGV: prefix, milliseconds that they last, numbers of reports. Returns 1.
const char* const kRenewClaims = R"lua(
local until_then = string.format('%d', tonumber(now_millis()) + tonumber(ARGV[2]))
redis.call('PERSIST', P .. 'claimed')
for i = 3, #ARGV do redis.call('ZADD', P .. 'claimed', 'XX', until_then, ARGV[i]) end
return 1
)lua";

// Removes delivery reports. ARGV: prefix, their numbers. Returns the number of reports that are left.
const char* const kForgetReports = R"lua(
for i = 2, #ARGV do forget_report(ARGV[i]) end
return count_reports()
)lua";

}  // namespace sse::cluster::scripts
