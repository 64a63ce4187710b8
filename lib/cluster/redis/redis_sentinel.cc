#include <charconv>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "cluster/redis/redis_link.h"

// The part of RedisLink that asks sentinels for the primary.
namespace sse::cluster {
namespace {

constexpr std::chrono::milliseconds kAskAgain{1000};
// One sentinel may answer from before a fail-over.
constexpr unsigned kSureAfter = 2;

}  // namespace

std::string RedisLink::ask_sentinel(const Host& sentinel, Host& primary, const UniqueFd& wakeup) const {
  const RedisAddress& address = options_.address;
  net::Socket socket;
  std::string why = dial_host(sentinel, socket, wakeup);
  if (why.empty() && address.tls) why = shake_hands(sentinel.first, socket, wakeup);
  if (!why.empty()) return why;
  RedisReader reader(options_.reply);
  const RedisCommand question{"SENTINEL", "get-master-addr-by-name", address.primary};
  std::vector<RedisReply> replies;
  why = exchange(socket, reader, {question}, replies, wakeup);
  if (why.empty() && replies.back().is_error() && replies.back().text.starts_with("NOAUTH") &&
      !address.password.empty()) {
    why = exchange(socket, reader, {login(), question}, replies, wakeup);
  }
  if (!why.empty()) return why;
  const RedisReply& reply = replies.back();
  if (reply.is_error()) return "it replied: " + printable(reply.text);
  if (reply.list.size() != 2) return "it knows no primary '" + printable(address.primary, 60) + "'";
  const std::string& port = reply.list[1].text;
  std::uint16_t number = 0;
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || stop != port.data() + port.size() || number == 0) return "it named no port";
  primary = {reply.list[0].text, number};
  return "";
}

std::string RedisLink::find_primary(Host& primary, const UniqueFd& wakeup) const {
  std::string all;
  for (const Host& sentinel : options_.address.sentinels) {
    const std::string why = ask_sentinel(sentinel, primary, wakeup);
    if (why.empty()) return "";
    all += (all.empty() ? "no sentinel names the primary: " : "; ") + sentinel.first + ":" +
           std::to_string(sentinel.second) + ": " + why;
  }
  return all;
}

// A primary that is cut off from the sentinels goes on, and what it accepts is lost when it is a replica later.
void RedisLink::watch_primary() {
  unsigned others = 0;
  while (!stopping()) {
    rest(kAskAgain);
    if (!up()) {
      others = 0;
      continue;
    }
    Host named;
    if (!find_primary(named, watch_wakeup_).empty()) continue;
    const MutexLock lock(mutex_);
    others = up() && named != primary_ ? others + 1 : 0;
    if (others < kSureAfter) continue;
    others = 0;
    moved_ = true;
    kick();
  }
}

}  // namespace sse::cluster
