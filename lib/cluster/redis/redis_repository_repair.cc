#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/redis/redis_repository.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "cluster/redis/redis_repository_values.h"

// The part of RedisRepository that watches the memory of Redis, and repairs what Redis lost.
namespace sse::cluster {
namespace {

using redis_values::integer;
using redis_values::kScanPage;
using redis_values::number;

constexpr std::size_t kRecountMessages = 200;
constexpr std::size_t kRecountNames = 1000;
constexpr std::size_t kRecountLetters = 20'000;

// Returns one field of the output of INFO.
std::string info_field(const std::string& info, std::string_view name) {
  const std::string begin = std::string(name) + ":";
  std::size_t at = info.starts_with(begin) ? 0 : info.find("\n" + begin);
  if (at == std::string::npos) return "";
  at = info.find(':', at) + 1;
  return info.substr(at, std::min(info.find_first_of("\r\n", at), info.size()) - at);
}

// Escapes a text for a SCAN pattern.
std::string escaped_pattern(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view("*?[]\\^").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

void RedisRepository::inspect(bool starting) {
  next_inspection_ = clock().steady_now() + options_.inspect;
  try {
    inspect_memory(starting);
  } catch (const Error& e) {
    // Managed servers do not always permit INFO.
    if (e.code() == ErrorCode::kConflict || e.code() == ErrorCode::kUnavailable) throw;
    if (!std::exchange(uninspected_, true))
      report(std::string("cannot check whether Redis evicts messages or is full: ") + e.what());
  }
}

void RedisRepository::inspect_memory(bool starting) {
  const std::string where = "Redis at " + options_.link.address.str();
  const std::string memory = link_.execute({"INFO", "memory"}).text;
  const std::uint64_t max_memory = number(info_field(memory, "maxmemory"));
  const std::uint64_t used = number(info_field(memory, "used_memory"));
  const std::string policy = info_field(memory, "maxmemory_policy");
  if (policy != policy_ && policy.starts_with("allkeys-")) {
    const std::string sentence = where + " has 'maxmemory-policy " + printable(policy, 40) +
                                 "', which evicts pending messages when memory is full; set it to noeviction";
    // Without a limit Redis does not evict.
    if (starting && max_memory != 0 && !options_.allow_eviction)
      throw Error(ErrorCode::kConflict, sentence + ", or allow it with --allow-redis-eviction");
    report(sentence);
  }
  policy_ = policy;
  const bool full = max_memory != 0 && used >= max_memory && policy == "noeviction";
  if (full && !full_) {
    report(where + " is over its maxmemory (" + format_bytes(ByteCount(used)) + " of " +
           format_bytes(ByteCount(max_memory)) +
           "): new messages with qos are refused until there is room; stored messages are delivered, confirmed and "
           "expire, without dead letters");
  }
  full_ = full;
  const std::uint64_t evicted = number(info_field(link_.execute({"INFO", "stats"}).text, "evicted_keys"));
  if (evicted > evicted_ && (!starting || evicted != 0)) {
    if (!starting) {
      report(where + " has evicted " + std::to_string(evicted - evicted_) +
             " keys to free memory; if messages were among them, they are lost");
    }
    begin_repair(true);
  }
  evicted_ = evicted;
}

void RedisRepository::begin_repair(bool relist) {
  next_recount_ = clock().steady_now() + options_.recount;
  if (relist) {
    repair_ = Repair::kRelist;
    scan_cursor_ = "0";
    relisted_ = 0;
  } else if (repair_ == Repair::kNone) {
    repair_ = Repair::kRecount;
    repair_begins_ = true;
  }
}

// Does a bounded amount of work, so that confirmations do not wait for the whole.
void RedisRepository::repair_step() {
  if (repair_ == Repair::kRecount) {
    recount_step();
    return;
  }
  const std::string begin = prefix_ + "message:";
  const RedisReply reply =
      link_.execute({"SCAN", scan_cursor_, "MATCH", escaped_pattern(begin) + "*", "COUNT", std::to_string(kScanPage)});
  if (reply.list.size() != 2) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to SCAN");
  std::vector<std::string> members;
  for (const RedisReply& key : reply.list[1].list) {
    if (key.text.size() == begin.size() + 20 && key.text.starts_with(begin))
      members.push_back(key.text.substr(begin.size()));
  }
  if (!members.empty()) relisted_ += integer(run_script(scripts_->relist, std::move(members)));
  scan_cursor_ = reply.list[0].text;
  if (scan_cursor_ != "0") return;
  repair_ = Repair::kRecount;
  repair_begins_ = true;
}

void RedisRepository::recount_step() {
  const RedisReply reply =
      run_script(scripts_->recount, {std::to_string(kRecountMessages), std::to_string(kRecountNames),
                                     std::exchange(repair_begins_, false) ? "1" : "0"});
  if (reply.list.size() != 7) throw Error(ErrorCode::kIo, "Redis sent an unexpected reply to a recount");
  if (integer(reply.list[0]) == 0) return;
  repair_ = Repair::kNone;
  const std::uint64_t letters = integer(run_script(scripts_->recount_dead, {std::to_string(kRecountLetters)}));
  const std::uint64_t before = integer(reply.list[1]);
  const std::uint64_t there = integer(reply.list[3]);
  const std::uint64_t lost = integer(reply.list[5]);
  const std::uint64_t listed = integer(reply.list[6]) + std::exchange(relisted_, 0);
  if (before == there && lost == 0 && listed == 0 && letters == 0 && reply.list[2].integer == reply.list[4].integer)
    return;
  report("counts and lists in Redis at " + options_.link.address.str() +
         " did not agree and are repaired: " + std::to_string(there) + " messages are pending, " +
         std::to_string(before) + " were counted; " + std::to_string(lost) + " were lost in part and are removed, " +
         std::to_string(listed) + " are listed again, " + std::to_string(letters) + " dead letters were lost");
  size_.store(there, std::memory_order_relaxed);
}

}  // namespace sse::cluster
