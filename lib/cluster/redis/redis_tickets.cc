#include "cluster/redis/redis_tickets.h"

#include <utility>

#include "base/error.h"

namespace sse::cluster {
namespace {

// GETDEL exists since Redis 6.2 only.
constexpr const char* kTakeTicket = R"(
local value = redis.call('GET', KEYS[1])
if value then redis.call('DEL', KEYS[1]) end
return value
)";

std::optional<std::string> value_in(RedisReply reply) {
  if (reply.kind != RedisReply::Kind::kText) return std::nullopt;
  return std::move(reply.text);
}

RedisLinkOptions ticket_link(RedisLinkOptions link) {
  link.name = "sse-tickets";
  return link;
}

}  // namespace

RedisTickets::RedisTickets(Options options)
    : prefix_(std::move(options.prefix)),
      take_(kTakeTicket),
      issued_(options.limits, *options.link.clock),
      link_(ticket_link(std::move(options.link)), RedisLink::Mode::kCommands, nullptr) {
  link_.start();
}

std::string RedisTickets::name_of(const store::TicketKey& key) const {
  return prefix_ + "ticket:" + key.digest;
}

void RedisTickets::add(const store::TicketKey& key, std::string value, std::chrono::milliseconds lifetime) {
  issued_.add(key, value, lifetime);
  try {
    link_.execute({"SET", name_of(key), std::move(value), "PX", std::to_string(lifetime.count())});
  } catch (const Error&) {
    issued_.take(key);
    throw;
  }
}

std::optional<std::string> RedisTickets::find(const store::TicketKey& key) {
  return value_in(link_.execute({"GET", name_of(key)}));
}

std::optional<std::string> RedisTickets::take(const store::TicketKey& key) {
  std::optional<std::string> value = value_in(take_.run(link_, {name_of(key)}, {}));
  issued_.take(key);
  return value;
}

}  // namespace sse::cluster
