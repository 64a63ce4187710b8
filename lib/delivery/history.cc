#include "delivery/history.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "base/step_count.h"
#include "delivery/encode_frame.h"
#include "hub/delivery_batch.h"

namespace sse::delivery {
namespace {

constexpr std::size_t kMaxRemembered = 128;  // positions of dropped events per topic
constexpr std::size_t kMaxResting = 4096;
// Empty topics may take 1/kRestingPart of the memory.
constexpr std::uint64_t kRestingPart = 8;
// Approximate overhead of the containers and the allocator per node.
constexpr std::uint64_t kNodeBytes = 48;
constexpr std::size_t kMaxEchoed = 64;
// Limit of messages that are withdrawn just before they are added.
constexpr std::size_t kMaxGone = 1024;

}  // namespace

struct History::Topic {
  struct Item {
    Entries::iterator entry;
    std::size_t slot;  // in the entry's topics
  };

  bool empty() const { return head == items.size(); }
  std::uint64_t bytes() const {
    return sizeof(Topic) + kNodeBytes + name.size() + dropped.size() * sizeof(std::uint64_t);
  }

  event::TargetKind kind = event::TargetKind::kAll;
  std::string_view name;    // the map's key
  std::vector<Item> items;  // from head on, ascending by position
  std::size_t head = 0;
  std::vector<std::uint64_t> dropped;  // positions of the newest dropped events
  std::uint64_t unknown_through = 0;   // the number dropped up to here is unknown
  std::optional<std::list<Topic*>::iterator> resting;
};

struct History::Entry {
  // Who does not get the event of those who find it in their topics.
  struct Filter {
    std::string of_tenant;  // in channels only clients of this tenant get it; empty: all
    std::string except;     // no client of this clientId or clientInstanceId; empty: all
  };

  MessageId position;
  event::FrameRef frame;
  bool listening = false;
  std::string event;                     // with `listening` only
  std::unique_ptr<const Filter> filter;  // null: all get it
  SteadyTime kept;
  std::vector<Topic*> topics;  // null: dropped from that topic
  std::size_t left = 0;        // number of topics that contain it
  std::uint64_t bytes = 0;
};

History::History(const HistoryOptions& options, MessageId since, observe::Registry& metrics, const ServiceName& service)
    : options_(options),
      since_(since),
      events_gauge_(metrics.gauge("sse_history_events", "Events retained for resuming clients (--history)",
                                  {{"service", service.str()}})),
      bytes_gauge_(metrics.gauge("sse_history_bytes", "Memory of the retained events (--history-bytes)",
                                 {{"service", service.str()}})),
      resumed_(metrics.counter("sse_resumed_total", "Streams opened by clients with a last event id",
                               {{"service", service.str()}})),
      resumed_events_(resumed_events_counter(metrics, service)),
      resyncs_(resync_counter(metrics, service)) {
  constexpr std::array<const char*, 3> kWhy{"count", "bytes", "age"};
  for (std::size_t i = 0; i < kWhy.size(); ++i) {
    dropped_.at(i) =
        &metrics.counter("sse_history_dropped_total", "Retained events dropped, by the limit that was reached",
                         {{"service", service.str()}, {"limit", kWhy.at(i)}});
  }
}

History::~History() = default;

History::Topic& History::topic_for(event::TargetKind kind, const std::string& name) {
  const auto [at, fresh] = topics_.at(static_cast<std::size_t>(kind)).try_emplace(name);
  Topic& topic = at->second;
  if (fresh) {
    topic.kind = kind;
    topic.name = at->first;
    topic.unknown_through = forgotten_;
    bytes_ += topic.bytes();
  } else if (topic.resting) {
    resting_bytes_ -= topic.bytes();
    resting_.erase(*topic.resting);
    topic.resting.reset();
  }
  return topic;
}

History::Retained History::retained(event::TargetKind kind, const std::string& name) const {
  Retained found;
  const Topic* const topic = find(kind, name);
  if (topic == nullptr) return found;
  for (std::size_t i = topic->head; i < topic->items.size(); ++i) {
    ++found.events;
    found.bytes += topic->items[i].entry->frame->size();
  }
  return found;
}

const History::Topic* History::find(event::TargetKind kind, const std::string& name) const {
  const auto& topics = topics_.at(static_cast<std::size_t>(kind));
  const auto found = topics.find(name);
  return found == topics.end() ? nullptr : &found->second;
}

void History::keep(const event::Target& target, std::string_view event, MessageId position, event::FrameRef frame,
                   SteadyTime now, const Audience& audience) {
  std::size_t names = std::max<std::size_t>(target.names.size(), 1);
  for (const event::Target* more : audience.also) names += more->names.size();
  expire(now);
  entries_.emplace_back();
  const auto entry = std::prev(entries_.end());
  entry->position = position;
  entry->bytes = sizeof(Entry) + kNodeBytes + (frame->message().valid() ? kNodeBytes : 0) + frame->memory_bytes() +
                 names * (sizeof(Topic*) + sizeof(Topic::Item));
  if (!target.of_tenant.empty() || !audience.except.empty()) {
    entry->bytes += sizeof(Entry::Filter) + kNodeBytes + target.of_tenant.size() + audience.except.size();
    entry->filter =
        std::make_unique<const Entry::Filter>(Entry::Filter{target.of_tenant, std::string(audience.except)});
  }
  entry->frame = std::move(frame);
  entry->listening = target.listening;
  if (target.listening) entry->event = event;
  entry->kept = now;
  entry->left = names;
  entry->topics.reserve(names);
  bytes_ += entry->bytes;
  const MessageId message = entry->frame->message();
  if (message.valid()) messages_.try_emplace(message.value(), entry);
  add_to_topics(entry, target);
  for (const event::Target* more : audience.also) add_to_topics(entry, *more);
  if (entry->left == 0) forget(entry);
  while (bytes_ > options_.bytes.count() && !entries_.empty()) drop_oldest(Why::kBytes);
  count();
}

void History::add_to_topics(Entries::iterator entry, const event::Target& target) {
  if (target.kind == event::TargetKind::kConnection) return void(entry->left -= target.names.size());
  for (const std::string& name : hub::names_of(target)) {
    if (is_withdrawn(entry->frame->message(), target.kind, name)) {
      --entry->left;
      continue;
    }
    Topic& topic = topic_for(target.kind, name);
    if (topic.items.size() - topic.head == options_.events) drop_first(topic);
    topic.items.push_back({entry, entry->topics.size()});
    entry->topics.push_back(&topic);
  }
}

// Whether a client that finds the event in a topic of that kind gets it through that topic.
bool History::reaches(const Entry& entry, event::TargetKind kind, const Client& client) {
  if (entry.listening && client.listens && !client.listens(entry.event)) return false;
  if (!entry.filter) return true;
  const auto& [of_tenant, except] = *entry.filter;
  if (!except.empty() && (except == client.client || except == client.instance)) return false;
  return kind != event::TargetKind::kChannel || of_tenant.empty() || of_tenant == client.tenant;
}

void History::count() {
  events_gauge_.set(static_cast<std::int64_t>(entries_.size()));
  bytes_gauge_.set(static_cast<std::int64_t>(bytes_));
}

// Removes the oldest event of the topic, and from the history when no other topic contains it.
void History::drop_first(Topic& topic) {
  const Topic::Item item = topic.items[topic.head++];
  if (topic.head > topic.items.size() / 2) {
    topic.items.erase(topic.items.begin(), topic.items.begin() + static_cast<std::ptrdiff_t>(topic.head));
    topic.head = 0;
  }
  if (topic.dropped.size() == kMaxRemembered) {
    topic.unknown_through = topic.dropped.front();
    topic.dropped.erase(topic.dropped.begin());
  } else {
    bytes_ += sizeof(std::uint64_t);
  }
  topic.dropped.push_back(item.entry->position.value());
  item.entry->topics[item.slot] = nullptr;
  if (--item.entry->left == 0) erase(item.entry, Why::kCount);
}

void History::drop_oldest(Why why) {
  const auto entry = entries_.begin();
  ++entry->left;  // a reference of this function
  for (std::size_t i = 0; i < entry->topics.size(); ++i) {
    // The oldest entry is the first of every topic that contains it, because topics have the same order.
    Topic* topic = entry->topics[i];
    if (topic == nullptr) continue;
    drop_first(*topic);
    if (topic->empty()) rest(*topic);
  }
  erase(entry, why);
}

void History::erase(Entries::iterator entry, Why why) {
  dropped_.at(static_cast<std::size_t>(why))->add();
  forget(entry);
}

void History::forget(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  const auto message = messages_.find(entry->frame->message().value());
  if (message != messages_.end() && message->second == entry) messages_.erase(message);
  entries_.erase(entry);
}

bool History::is_withdrawn(MessageId message, event::TargetKind kind, const std::string& name) {
  return message.valid() && !withdrawn_.empty() && withdrawn_.contains({message, kind, name});
}

void History::withdraw(const std::vector<store::Withdrawn>& gone) {
  if (!on()) return;
  std::set<Topic*> touched;
  std::vector<Entries::iterator> unreferenced;
  for (const store::Withdrawn& one : gone) {
    if (withdraw(one, touched, unreferenced)) continue;
    const WithdrawnKey early{one.id, one.recipient.kind, one.recipient.name};
    if (withdrawn_.insert(early).second) gone_order_.push_back(early);
    if (gone_order_.size() <= kMaxGone) continue;
    withdrawn_.erase(gone_order_.front());
    gone_order_.pop_front();
  }
  // One pass per topic for all removed messages, so that many of them cost no more than the longest topic.
  for (Topic* topic : touched) {
    const auto begin = topic->items.begin() + static_cast<std::ptrdiff_t>(topic->head);
    topic->items.erase(std::remove_if(begin, topic->items.end(),
                                      [](const Topic::Item& item) { return item.entry->topics[item.slot] == nullptr; }),
                       topic->items.end());
    if (topic->empty()) rest(*topic);
  }
  for (const auto& entry : unreferenced) forget(entry);
  if (!touched.empty()) count();
}

// Returns false when the message is not in the history. The caller removes the message from the topics in `touched`,
// and the entries in `unreferenced` from the history.
bool History::withdraw(const store::Withdrawn& gone, std::set<Topic*>& touched,
                       std::vector<Entries::iterator>& unreferenced) {
  const auto message = messages_.find(gone.id.value());
  if (message == messages_.end()) return false;
  auto& topics = topics_.at(static_cast<std::size_t>(gone.recipient.kind));
  const auto found = topics.find(gone.recipient.name);
  if (found == topics.end()) return true;
  Topic& topic = found->second;
  const Entries::iterator entry = message->second;
  const auto item = std::lower_bound(
      topic.items.begin() + static_cast<std::ptrdiff_t>(topic.head), topic.items.end(), entry->position,
      [](const Topic::Item& one, MessageId position) { return one.entry->position < position; });
  if (item == topic.items.end() || item->entry != entry || entry->topics[item->slot] == nullptr) return true;
  entry->topics[item->slot] = nullptr;
  if (--entry->left == 0) unreferenced.push_back(entry);
  touched.insert(&topic);
  return true;
}

void History::rest(Topic& topic) {
  topic.items.shrink_to_fit();
  topic.resting = resting_.insert(resting_.end(), &topic);
  resting_bytes_ += topic.bytes();
  while (resting_.size() > kMaxResting || resting_bytes_ > options_.bytes.count() / kRestingPart) forget_topic();
}

void History::forget_topic() {
  Topic& topic = *resting_.front();
  resting_.pop_front();
  forgotten_ = std::max({forgotten_, topic.unknown_through, topic.dropped.empty() ? 0 : topic.dropped.back()});
  bytes_ -= topic.bytes();
  resting_bytes_ -= topic.bytes();
  auto& topics = topics_.at(static_cast<std::size_t>(topic.kind));
  topics.erase(topics.find(std::string(topic.name)));
}

void History::expire(SteadyTime now) {
  bool any = false;
  while (!entries_.empty() && entries_.front().kept + options_.ttl <= now) {
    drop_oldest(Why::kAge);
    any = true;
  }
  if (any) count();
}

hub::Resumption History::resume(const Client& client, SteadyTime now) {
  Resuming so_far;
  while (!collect(client, so_far, now)) {
  }
  return finish(client, std::move(so_far));
}

bool History::collect(const Client& client, Resuming& so_far, SteadyTime now, std::size_t limit) {
  if (!on() || client.last_event_id.empty()) return true;
  expire(now);
  if (!std::exchange(so_far.begun, true)) {
    const std::optional<std::uint64_t> asked = parse_id(client.last_event_id);
    so_far.ours = asked && *asked < client.connection.value();
    so_far.cursor = so_far.through = so_far.ours ? *asked : std::numeric_limits<std::uint64_t>::max();
    so_far.unknown = !so_far.ours || so_far.cursor < since_.value();
    so_far.lost_through.assign(client.topics.size(), 0);
  }
  bool more = false;
  std::uint64_t oldest = 0;
  // With the topic through which the client gets it.
  std::vector<std::pair<const Entry*, std::size_t>> next;
  for (std::size_t i = 0; i < client.topics.size(); ++i) {
    const Topic* topic = find(client.topics[i].first, client.topics[i].second);
    // Events that were collected before the topic dropped them are not lost.
    std::uint64_t& counted = so_far.lost_through[i];
    const std::uint64_t had = std::max(so_far.through, counted);
    if (topic == nullptr) {
      so_far.unknown = so_far.unknown || had < forgotten_;
      continue;
    }
    so_far.unknown = so_far.unknown || had < topic->unknown_through;
    so_far.lost += static_cast<std::uint64_t>(topic->dropped.end() - std::ranges::upper_bound(topic->dropped, had));
    if (!topic->dropped.empty()) counted = std::max(counted, topic->dropped.back());
    if (topic->empty()) continue;
    const auto begin = topic->items.begin() + static_cast<std::ptrdiff_t>(topic->head);
    const std::uint64_t first = begin->entry->position.value();
    if (oldest == 0 || first < oldest) oldest = first;
    auto item =
        std::upper_bound(begin, topic->items.end(), so_far.through,
                         [](std::uint64_t at, const Topic::Item& one) { return at < one.entry->position.value(); });
    const std::size_t before = next.size();
    for (; item != topic->items.end() && next.size() - before < limit; ++item) next.emplace_back(&*item->entry, i);
    more = more || item != topic->items.end();
  }
  if (so_far.oldest == 0) so_far.oldest = oldest;
  count_steps(next.size());
  // Of the topics that contain an event, those through which the client does not get it come last.
  std::ranges::sort(next, {}, [&](const auto& one) {
    const bool filtered = one.first->filter && !reaches(*one.first, client.topics[one.second].first, client);
    return std::tuple(one.first->position, filtered, one.second);
  });
  // A client in several channels of an event gets it once.
  next.erase(std::unique(next.begin(), next.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
             next.end());
  if (next.size() > limit) {
    next.resize(limit);
    more = true;
  }
  for (const auto& [entry, i] : next) {
    so_far.through = entry->position.value();
    const auto& [kind, name] = client.topics[i];
    if (!reaches(*entry, kind, client)) continue;
    const bool one_of_several = kind == event::TargetKind::kChannel && entry->frame->channel().empty();
    so_far.missed.push_back({one_of_several ? entry->frame->for_channel(name) : frame_for(entry->frame, kind),
                             entry->position, entry->listening});
  }
  return !more;
}

hub::Resumption History::finish(const Client& client, Resuming so_far) {
  hub::Resumption resumption;
  resumption.id = client.connection;
  if (!so_far.begun) return resumption;
  resumed_.add();
  const bool ours = so_far.ours;
  const bool unknown = so_far.unknown;
  const std::uint64_t cursor = so_far.cursor;
  const std::uint64_t oldest = so_far.oldest;
  const std::uint64_t lost = so_far.lost;
  resumption.missed = std::move(so_far.missed);
  const std::vector<hub::RetainedEvent>& missed = resumption.missed;
  resumed_events_.add(missed.size());

  const bool reported = unknown || lost > 0;
  if (!missed.empty() || reported) {
    // The client keeps an id that this server has not sent, so that it sends the same id again if this connection
    // breaks before the resync event.
    const bool plain = client.last_event_id.size() <= kMaxEchoed &&
                       std::ranges::all_of(client.last_event_id, [](char c) { return c > ' ' && c <= '~'; });
    resumption.cursor = ours ? std::to_string(cursor) : plain ? client.last_event_id : "0";
    resumption.client_cursor = MessageId(ours ? cursor : 0);
  }
  if (!reported) return resumption;
  resyncs_.add();
  resumption.client_cursor =
      missed.empty() ? MessageId(client.connection.value()) : MessageId(missed.front().position.value() - 1);
  resumption.notice =
      resync_event(client.last_event_id, resumption.client_cursor.str(),
                   oldest == 0 ? std::nullopt : std::optional(oldest), unknown ? std::nullopt : std::optional(lost));
  return resumption;
}

}  // namespace sse::delivery
