// Random sends to users, with tokens, and to channels, broadcasts in slices, connects in several channels, disconnects,
// confirmations, last event ids and deletions against a model of a few lines: what may be forgotten, and in which order
// the rest comes. SSE_MODEL_ROUNDS and SSE_MODEL_SEED ask for more or for one again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <utility>

#include "delivery/sender.h"
#include "event/json.h"
#include "store/memory/memory_repository.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/page.h"
#include "unit/store/store_fixture.h"

namespace sse::delivery {
namespace {

using event::TargetKind;
using std::chrono::milliseconds;
using store::ids_of;
using store::kAnySize;
using store::kDatabase;
using store::kService;
using testing::eventually;
using testing::TempFolder;

unsigned number_from(const char* name, unsigned fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

struct InMemory {
  IdGenerator ids{1};
  store::MemoryRepository repository{ids};
};

struct InSqlite {
  TempFolder folder;
  IdGenerator ids{1};
  store::SqliteRepository repository{options(), ids};

  store::SqliteRepository::Options options() const {
    store::SqliteRepository::Options options;
    options.path = folder.file(kDatabase);
    options.sync = store::SqliteRepository::Sync::kNormal;
    return options;
  }
};

// One client of one user: what it has read on each of its streams, in order.
struct Browser {
  std::string user;
  std::string id;
  std::string token{};
  std::unique_ptr<testing::Client> client{};
  ConnectionId connection{};
  bool listens = false;
  std::vector<std::vector<std::uint64_t>> streams{};
  std::vector<std::set<std::string>> channels{};                      // of each of the streams, and its token
  bool marks = false;                                                 // events of channels are marked
  bool subscribed = false;                                            // since its stream is open
  std::vector<std::map<std::uint64_t, std::set<std::string>>> via{};  // channels for which it has a message
  std::vector<std::uint64_t> cursors{};                               // last event ids of the last stream, in order
  std::vector<std::set<std::uint64_t>> unconfirmed{};                 // likewise
  std::vector<std::string> broadcasts{};  // data of those sent to all, or its channels, since its stream is open
};

constexpr std::array<const char*, 4> kChannels{"c0", "c1", "c2", "c3"};
// Each of the users has a stream with each of them.
constexpr std::array<const char*, 2> kTokens{"token a", "token b"};

// A run of one seed against a server's inside. What it did is in `log`; what went wrong in `failure`.
template <class Store>
class Run {
 public:
  explicit Run(unsigned seed) : random_(seed) {
    SenderOptions options;
    options.hub.service = kService;
    options.hub.client_max_connections = 0;
    options.hub.ack_timeout = milliseconds(0);
    options.attempts = &store_.repository;
    // In most runs every append and every write ends a slice; in some even a single stream gets its events in passes.
    options.hub.slice.steps = seed % 4;
    options.hub.slice.direct_members = seed % 3;
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    sender_ = std::make_unique<Sender>(options, loops_, store_.ids, metrics_, store_.repository);
    for (const auto& loop : loops_) loop->start();
    for (const char* user : {"1", "2"}) {
      for (const char* id : {"a", "b"}) browsers_.push_back({user, std::string(user) + id, std::string("token ") + id});
    }
  }
  ~Run() {
    for (Browser& browser : browsers_) browser.client.reset();
    sender_->stop();
    for (const auto& loop : loops_) loop->stop();
    sender_.reset();
  }

  bool steps(unsigned count) {
    for (unsigned i = 0; i < count && failure.str().empty(); ++i) step();
    if (failure.str().empty()) check();
    return failure.str().empty();
  }

  std::ostringstream log;
  std::ostringstream failure;

 private:
  unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }
  Browser& any() { return browsers_[pick(static_cast<unsigned>(browsers_.size()))]; }

  void step() {
    const unsigned what = pick(100);
    if (what < 6) {
      send_to_user_and_tokens();
    } else if (what < 22) {
      send(std::to_string(1 + pick(2)), pick(4) != 0, pick(4) == 0);
    } else if (what < 35) {
      send_to_channels(pick(3) != 0);
    } else if (what < 51) {
      connect(any(), pick(3));
    } else if (what < 55) {
      change_channels(any(), pick(3) != 0);
    } else if (what < 68) {
      disconnect(any(), pick(2) == 0);
    } else if (what < 80) {
      read(any());
    } else if (what < 86) {
      acknowledge(any());
    } else if (what < 93) {
      broadcast();
    } else {
      erase();
    }
  }

  void send(const std::string& user, bool qos, bool listening) {
    const std::uint64_t id =
        sender_->send({{TargetKind::kUser, {user}, listening}, "news", std::to_string(++sent_), qos, milliseconds(0)})
            .id;
    log << "send " << sent_ << " to " << user << (qos ? " qos" : "") << (listening ? " listening" : "") << " = " << id
        << "\n";
    if (!qos) return;
    if (!open_[user].empty() && id <= *open_[user].rbegin()) failure << "id " << id << " does not grow\n";
    open_[user].insert(id);
  }

  // Streams of the user with such a token get it once, and confirm it for both.
  void send_to_user_and_tokens() {
    const std::string user = std::to_string(1 + pick(2));
    std::vector<std::string> tokens(kTokens.begin(), kTokens.end());
    std::shuffle(tokens.begin(), tokens.end(), random_);
    tokens.resize(1 + pick(2));
    SendRequest request{{TargetKind::kUser, {user}, false}, "news", std::to_string(++sent_), true, milliseconds(0)};
    request.also = {{TargetKind::kToken, tokens, false}};
    const std::uint64_t id = sender_->send(request).id;
    log << "send " << sent_ << " to " << user << " and " << ::testing::PrintToString(tokens) << " = " << id << "\n";
    open_[user].insert(id);
    targets_[id] = {tokens.begin(), tokens.end()};
    for (const std::string& token : tokens) channels_open_[token].insert(id);
  }

  // In any order; a stream that is in several of them gets it once.
  void send_to_channels(bool qos) {
    std::vector<std::string> names(kChannels.begin(), kChannels.end());
    std::shuffle(names.begin(), names.end(), random_);
    names.resize(1 + pick(3));
    const std::string data = (qos ? "message " : "all ") + std::to_string(++sent_);
    const std::uint64_t id =
        sender_->send({{TargetKind::kChannel, names, false}, "news", data, qos, milliseconds(0)}).id;
    log << "send " << data << " to " << ::testing::PrintToString(names) << " = " << id << "\n";
    for (Browser& browser : browsers_) {
      if (!qos && browser.client && is_in_any(browser.channels.back(), names)) browser.broadcasts.push_back(data);
    }
    if (!qos) return;
    targets_[id] = {names.begin(), names.end()};
    for (const std::string& name : names) channels_open_[name].insert(id);
  }
  static bool is_in_any(const std::set<std::string>& channels, const std::vector<std::string>& names) {
    return std::ranges::any_of(names, [&](const std::string& name) { return channels.contains(name); });
  }
  std::set<std::string> targets_of(std::uint64_t id) const {
    const auto found = targets_.find(id);
    return found == targets_.end() ? std::set<std::string>() : found->second;
  }
  // The model of a confirmation: it is one for each of the message's channels that the stream was in, and its token.
  void confirm(Browser& browser, std::size_t stream, std::uint64_t id) {
    browser.unconfirmed[stream].erase(id);
    open_[browser.user].erase(id);
    for (const std::string& name : browser.via[stream][id]) channels_open_[name].erase(id);
  }

  // What is pending for a channel that a stream joins it gets, or has it and confirms it for that channel, too.
  void change_channels(Browser& browser, bool join) {
    if (!browser.client) return;
    read(browser);
    std::vector<std::string> names(kChannels.begin(), kChannels.end());
    std::shuffle(names.begin(), names.end(), random_);
    names.resize(1 + pick(2));
    log << (join ? "subscribe " : "unsubscribe ") << browser.id << " " << ::testing::PrintToString(names) << "\n";
    const Identity owner{UserId(browser.user)};
    std::set<std::string>& channels = browser.channels.back();
    if (!join) {
      std::vector<ChannelName> gone(names.begin(), names.end());
      if (!sender_->hub().unsubscribe(browser.connection, owner, gone)) failure << "no stream to leave\n";
      for (const std::string& name : names) channels.erase(name);
      return;
    }
    browser.subscribed = true;
    std::vector<hub::JoinedChannel> fresh;
    for (const std::string& name : names) fresh.push_back({ChannelName(name)});
    if (!sender_->hub().subscribe(browser.connection, owner, fresh, 0)) failure << "no stream to subscribe\n";
    for (const std::string& name : names) {
      if (!channels.insert(name).second) continue;
      for (const std::uint64_t id : browser.unconfirmed.back()) {
        if (targets_of(id).contains(name) && channels_open_[name].contains(id)) browser.via.back()[id].insert(name);
      }
    }
    read(browser);
  }

  // Not waited for: what comes next comes between its slices.
  void broadcast() {
    const std::string data = "all " + std::to_string(++sent_);
    log << "broadcast " << data << "\n";
    sender_->send_async({{TargetKind::kAll, {}, false}, "news", data, false, milliseconds(0)}, [](const auto&) {});
    for (Browser& browser : browsers_) {
      if (browser.client) browser.broadcasts.push_back(data);
    }
  }

  void connect(Browser& browser, unsigned how) {
    if (browser.client) return;
    std::uint64_t last = 0;
    std::set<std::uint64_t> covered;
    if (how > 0 && !browser.cursors.empty()) {
      const auto& read = browser.cursors;
      last = how == 1 ? read.back() : read[pick(static_cast<unsigned>(read.size()))];
      for (std::size_t i = 0; i < browser.streams.size(); ++i) cover(browser, i, last, covered);
    }
    browser.listens = pick(2) == 0;
    browser.marks = pick(2) == 0;
    std::vector<std::string> channels(kChannels.begin(), kChannels.end());
    std::shuffle(channels.begin(), channels.end(), random_);
    channels.resize(pick(4));
    open_stream(browser, {.user = browser.user,
                          .token = browser.token,
                          .more_channels = channels,
                          .listeners = browser.listens ? std::vector<std::string>{"news"} : std::vector<std::string>{},
                          .query = "clientId=" + browser.id,
                          .confirms = true,
                          .channel_marks = browser.marks,
                          .last_event = last});
    // It does not get them again through channels that it joins now, and so has confirmed them there, too.
    for (const std::uint64_t id : covered) {
      for (const std::string& name : targets_of(id)) {
        if (browser.channels.back().contains(name)) channels_open_[name].erase(id);
      }
    }
    log << "connect " << browser.id << (browser.listens ? " listening" : "") << " in "
        << ::testing::PrintToString(channels) << " after " << last << "\n";
    read(browser);
  }

  void open_stream(Browser& browser, const testing::PageOptions& options) {
    testing::Page page = testing::connect_page(sender_->hub(), options);
    browser.connection = page.id;
    browser.client = std::make_unique<testing::Client>(std::move(page.client));
    browser.streams.emplace_back();
    browser.unconfirmed.emplace_back();
    browser.via.emplace_back();
    browser.cursors.clear();
    browser.subscribed = false;
    browser.channels.emplace_back(options.more_channels.begin(), options.more_channels.end());
    if (!options.token.empty()) browser.channels.back().insert(options.token);
    browser.broadcasts.clear();
  }

  // The model of a last event id: the client had everything up to its place.
  void cover(Browser& browser, std::size_t number, std::uint64_t last, std::set<std::uint64_t>& covered) {
    const std::vector<std::uint64_t>& stream = browser.streams[number];
    const auto place = std::find(stream.begin(), stream.end(), last);
    if (place == stream.end()) return;
    for (auto id = stream.begin(); id <= place; ++id) {
      // What was confirmed, and then sent again for a channel that the stream joined, counts where it came last.
      if (std::find(place + 1, stream.end(), *id) != stream.end()) continue;
      if (browser.unconfirmed[number].contains(*id)) covered.insert(*id);
      confirm(browser, number, *id);
    }
  }

  void disconnect(Browser& browser, bool reset) {
    if (!browser.client) return;
    read(browser);
    log << "disconnect " << browser.id << (reset ? " by reset" : "") << "\n";
    reset ? browser.client->reset() : browser.client->close();
    browser.client.reset();
    if (!eventually([&] { return !sender_->hub().directory().describe(browser.connection); }))
      failure << "the stream stays\n";
  }

  // Everything up to a marker that goes the same way.
  void read(Browser& browser) {
    if (!browser.client) return;
    const std::string marker = "end " + std::to_string(++sent_);
    sender_->send({{TargetKind::kUser, {browser.user}, false}, "news", marker, false, milliseconds(0)});
    if (!browser.client->receive_until("data:" + marker + "\n\n")) {
      failure << browser.id << " did not get the marker\n";
      return;
    }
    std::vector<std::uint64_t>& read = browser.streams.back();
    const std::size_t before = read.size();
    read.clear();
    browser.cursors.clear();
    std::uint64_t id_in_mark = 0;
    std::uint64_t largest = 0;
    std::set<std::uint64_t> seen;
    std::vector<std::string> broadcasts;
    for (const testing::ReceivedEvent& e : testing::parse_events(browser.client->received())) {
      if (e.type == "sse-channel") {
        const event::Json mark = event::Json::parse(e.data);
        if (mark.contains("id")) id_in_mark = std::stoull(mark["id"].get<std::string>());
        continue;
      }
      if (e.type != "news") continue;
      const bool caught_up = id_in_mark != 0;
      const std::uint64_t id = caught_up ? std::exchange(id_in_mark, 0) : std::stoull(e.id);
      read.push_back(id);
      if (!caught_up) browser.cursors.push_back(id);
      const auto targets = targets_.find(id);
      // What waited in a channel that the stream has joined later, it may have got through another one before.
      const bool later = browser.subscribed && targets != targets_.end();
      if (!seen.insert(id).second && !later) failure << browser.id << " got " << id << " twice on one stream\n";
      // Live events and replayed messages come as they were accepted.
      if (id < largest && !later) failure << browser.id << " got " << id << " after " << largest << "\n";
      largest = std::max(largest, id);
      if (read.size() > before) {
        browser.unconfirmed.back().insert(id);
        if (targets != targets_.end()) {
          for (const std::string& name : targets->second) {
            if (browser.channels.back().contains(name)) browser.via.back()[id].insert(name);
          }
        }
      }
      if (e.data.starts_with("all ")) broadcasts.push_back(e.data);
    }
    // One that was sent before the stream was open may still reach it.
    std::erase_if(broadcasts, [&](const std::string& data) {
      return std::ranges::find(browser.broadcasts, data) == browser.broadcasts.end();
    });
    if (broadcasts != browser.broadcasts) {
      failure << browser.id << " got the broadcasts " << ::testing::PrintToString(broadcasts) << " instead of "
              << ::testing::PrintToString(browser.broadcasts) << "\n";
    }
    log << "read " << browser.id << ": " << read.size() << "\n";
  }

  void acknowledge(Browser& browser) {
    if (browser.streams.empty()) return;
    read(browser);
    std::vector<MessageId> ids;
    for (std::size_t i = 0; i < browser.streams.size(); ++i) {
      for (const std::uint64_t id : browser.streams[i]) {
        if (pick(3) == 0) ids.emplace_back(id);
      }
    }
    // What is in flight on the open stream counts there, anything else for every earlier one.
    for (const MessageId id : ids) {
      const std::size_t last = browser.streams.size() - 1;
      if (browser.client && browser.unconfirmed[last].contains(id.value())) {
        confirm(browser, last, id.value());
        continue;
      }
      for (std::size_t i = 0; i <= last; ++i) {
        if (browser.unconfirmed[i].contains(id.value())) confirm(browser, i, id.value());
      }
    }
    // And what it has no right to: another user's, what was never sent to it, garbage.
    for (const auto* const all : {&open_, &channels_open_}) {
      for (const auto& [name, open] : *all) {
        for (const std::uint64_t id : open) {
          if (pick(3) == 0 && !was_sent(browser, id)) ids.emplace_back(id);
        }
      }
    }
    ids.emplace_back(random_());
    std::shuffle(ids.begin(), ids.end(), random_);
    // Of an unknown user, or of a connection that never was: nothing happens.
    sender_->hub().acknowledge(browser.connection, {UserId("nobody")}, ids);
    sender_->hub().acknowledge(ConnectionId(1 + pick(1000)), {UserId(browser.user)}, ids);
    const auto acked = sender_->hub().acknowledge(browser.connection, {UserId(browser.user)}, ids);
    log << "ack " << browser.id << ": " << ids.size() << " ids, " << (acked ? std::to_string(*acked) : "none") << "\n";
  }
  static bool was_sent(const Browser& browser, std::uint64_t id) {
    return std::ranges::any_of(browser.streams,
                               [&](const auto& stream) { return std::ranges::find(stream, id) != stream.end(); });
  }

  void erase() {
    if (pick(2) == 0 && !targets_.empty()) {
      auto message = targets_.begin();
      std::advance(message, pick(static_cast<unsigned>(targets_.size())));
      log << "erase " << message->first << "\n";
      store_.repository.erase(MessageId(message->first));
      for (auto* const all : {&open_, &channels_open_}) {
        for (auto& [name, open] : *all) open.erase(message->first);
      }
      return;
    }
    const std::string user = std::to_string(1 + pick(2));
    if (open_[user].empty()) return;
    auto id = open_[user].begin();
    std::advance(id, pick(static_cast<unsigned>(open_[user].size())));
    log << "erase " << *id << "\n";
    store_.repository.erase(MessageId(*id));
    for (auto& [name, open] : channels_open_) open.erase(*id);
    open_[user].erase(id);
  }

  std::vector<std::uint64_t> pending(TargetKind kind, const char* name) {
    std::vector<std::uint64_t> ids;
    for (const MessageId id : ids_of(store_.repository.pending(kService, std::vector{store::Recipient{kind, name}}, {},
                                                               100'000, kAnySize, wall_now())))
      ids.push_back(id.value());
    return ids;
  }

  // What is pending is what the model says, and a newcomer gets all of it, in order.
  void check() {
    for (Browser& browser : browsers_) disconnect(browser, false);
    const auto agrees = [&](TargetKind kind, const char* name) {
      const std::set<std::uint64_t>& open = channels_open_[name];
      const std::vector<std::uint64_t> expected(open.begin(), open.end());
      if (eventually([&] { return pending(kind, name) == expected; })) return true;
      failure << event::kind_name(kind) << " " << name << " has pending "
              << ::testing::PrintToString(pending(kind, name)) << ", expected " << ::testing::PrintToString(expected)
              << "\n";
      return false;
    };
    for (const char* channel : kChannels) {
      if (!agrees(TargetKind::kChannel, channel)) return;
    }
    for (const char* token : kTokens) {
      if (!agrees(TargetKind::kToken, token)) return;
    }
    for (const char* user : {"1", "2"}) {
      const std::set<std::uint64_t>& open = open_[user];
      const std::vector<std::uint64_t> expected(open.begin(), open.end());
      if (!eventually([&] { return pending(TargetKind::kUser, user) == expected; })) {
        failure << "user " << user << " has pending " << ::testing::PrintToString(pending(TargetKind::kUser, user))
                << ", expected " << ::testing::PrintToString(expected) << "\n";
        return;
      }
      Browser fresh{user, "newcomer"};
      open_stream(fresh, {.user = user, .listeners = {"news"}});
      read(fresh);
      std::vector<std::uint64_t> got = fresh.streams.back();
      if (!got.empty()) got.pop_back();  // the marker
      if (got != expected) failure << "a newcomer for " << user << " got " << ::testing::PrintToString(got) << "\n";
    }
  }

  std::mt19937 random_;
  Store store_;
  observe::Registry metrics_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Sender> sender_;
  std::vector<Browser> browsers_;
  // The model: ids not yet confirmed, by user and by channel or token, and the channels and tokens of a message.
  std::map<std::string, std::set<std::uint64_t>> open_;
  std::map<std::string, std::set<std::uint64_t>> channels_open_;
  std::map<std::uint64_t, std::set<std::string>> targets_;
  int sent_ = 0;
};

template <class Store>
void explore(unsigned rounds, unsigned max_steps) {
  const unsigned first = number_from("SSE_MODEL_SEED", std::random_device{}());
  for (unsigned round = 0; round < rounds; ++round) {
    const unsigned seed = first + round;
    Run<Store> run(seed);
    if (run.steps(max_steps)) continue;
    // The shortest beginning that fails tells most.
    for (unsigned steps = 1; steps <= max_steps; ++steps) {
      Run<Store> shorter(seed);
      if (shorter.steps(steps)) continue;
      FAIL() << "SSE_MODEL_SEED=" << seed << ", after " << steps << " steps: " << shorter.failure.str() << "\n"
             << shorter.log.str();
    }
    FAIL() << "SSE_MODEL_SEED=" << seed << " failed once: " << run.failure.str() << "\n" << run.log.str();
  }
  std::cout << rounds << " rounds of up to " << max_steps << " steps from SSE_MODEL_SEED=" << first << "\n";
}

TEST(Interleaving, AgreesWithTheModelInMemory) {
  explore<InMemory>(number_from("SSE_MODEL_ROUNDS", 600), 60);
}

TEST(Interleaving, AgreesWithTheModelInSqlite) {
  explore<InSqlite>(number_from("SSE_MODEL_ROUNDS", 600) / 5, 40);
}

}  // namespace
}  // namespace sse::delivery
