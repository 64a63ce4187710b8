// Pages that follow several channels as the client module does, against a model of a few lines: they subscribe and
// unsubscribe, are cut off at any byte, also in the middle of a catch-up, and come back with one position for the
// channels that their URL names and one for each of the others. SSE_MODEL_ROUNDS and SSE_MODEL_SEED ask for more or for
// one again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "delivery/sender.h"
#include "event/json.h"
#include "store/memory/memory_repository.h"
#include "support/page.h"

namespace sse::delivery {
namespace {

using event::TargetKind;
using std::chrono::milliseconds;

constexpr std::array<const char*, 5> kFollowable{"c0", "c1", "c2", "c3", "c4"};

unsigned setting(const char* name, unsigned fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

class FollowingRun {
 public:
  explicit FollowingRun(unsigned seed) : random_(seed) {
    SenderOptions options;
    options.hub.service = ServiceName("hr");
    options.hub.client_max_connections = 0;
    options.hub.ack_timeout = milliseconds(0);
    options.history.events = 100'000;
    options.hub.slice.steps = seed % 4;
    options.hub.slice.direct_members = seed % 3;
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    sender_ = std::make_unique<Sender>(options, loops_, ids_, metrics_, repository_);
    for (const auto& loop : loops_) loop->start();
  }
  ~FollowingRun() {
    page_.reset();
    sender_->stop();
    for (const auto& loop : loops_) loop->stop();
    sender_.reset();
  }

  bool steps(unsigned count) {
    connect();
    for (unsigned i = 0; i < count && failure.str().empty(); ++i) step();
    if (failure.str().empty()) check_all();
    return failure.str().empty();
  }

  std::ostringstream log;
  std::ostringstream failure;

 private:
  unsigned pick(std::size_t n) { return static_cast<unsigned>(random_() % n); }

  void step() {
    const unsigned what = pick(100);
    if (what < 45) {
      send();
    } else if (what < 65) {
      subscribe(kFollowable.at(pick(kFollowable.size())));
    } else if (what < 72) {
      unsubscribe(kFollowable.at(pick(kFollowable.size())));
    } else if (what < 95) {
      cut();
      for (unsigned n = pick(4); n > 0; --n) send();
      connect();
    } else {
      check_all();
    }
  }

  void send() {
    std::vector<std::string> names(kFollowable.begin(), kFollowable.end());
    std::shuffle(names.begin(), names.end(), random_);
    names.resize(pick(4) == 0 ? 2 : 1);
    const std::string data = "e" + std::to_string(++number_) + std::string(pick(5) == 0 ? 900 : 0, '.');
    const std::uint64_t id =
        sender_->send({{TargetKind::kChannel, names, false}, "news", data, false, milliseconds(0)}).id;
    log << "send " << id << " to " << ::testing::PrintToString(names) << "\n";
    sent_[id] = {names.begin(), names.end()};
    if (std::ranges::any_of(names, [&](const std::string& name) { return followed_.contains(name); }))
      expected_.insert(id);
  }

  void subscribe(const std::string& channel) {
    if (!page_ || followed_.contains(channel)) return;
    hub::JoinedChannel joined{ChannelName(channel)};
    if (!sent_.empty() && pick(2) == 0) {
      auto after = sent_.begin();
      std::advance(after, pick(sent_.size()));
      joined.after = MessageId(after->first);
      positions_[channel] = after->first;
      for (const auto& [id, names] : sent_) {
        if (id > after->first && names.contains(channel)) expected_.insert(id);
      }
    }
    log << "subscribe " << channel << (joined.after ? " after " + joined.after->str() : "") << "\n";
    followed_.insert(channel);
    last_through_.erase(channel);
    if (!sender_->hub().subscribe(page_->id, owner_, {joined}, 0)) failure << "no stream to subscribe\n";
  }

  // Once it has all of it: what comes later is for nobody.
  void unsubscribe(const std::string& channel) {
    if (!page_ || !followed_.contains(channel)) return;
    check_all();
    log << "unsubscribe " << channel << "\n";
    sender_->hub().unsubscribe(page_->id, owner_, {ChannelName(channel)});
    followed_.erase(channel);
    positions_.erase(channel);
  }

  void connect() {
    std::vector<std::string> named;
    const std::size_t room = pick(kFollowable.size() + 1);
    for (const std::string& channel : followed_) {
      if (positions_.contains(channel)) continue;
      if (named.size() < room) {
        named.push_back(channel);
      } else if (cursor_ != 0) {
        positions_[channel] = cursor_;
      }
    }
    log << "connect in " << ::testing::PrintToString(named) << " after " << cursor_ << "\n";
    testing::PageOptions options{.user = "ann",
                                 .more_channels = named,
                                 .query = "clientId=c",
                                 .confirms = true,
                                 .channel_marks = true,
                                 .last_event = cursor_};
    if (cursor_ != 0) options.last_event_id = std::to_string(cursor_);
    page_.emplace(testing::open_page(*sender_, options));
    read_ = seen_bytes_ = 0;
    last_through_.clear();
    mark_ = event::Json::object();
    for (const std::string& channel : followed_) {
      if (std::ranges::find(named, channel) != named.end()) continue;
      hub::JoinedChannel joined{ChannelName(channel)};
      if (positions_.contains(channel)) joined.after = MessageId(positions_[channel]);
      log << "subscribe " << channel << (joined.after ? " again after " + joined.after->str() : " again") << "\n";
      if (!sender_->hub().subscribe(page_->id, owner_, {joined}, 0)) failure << "no stream to subscribe\n";
    }
  }

  // Everything up to a marker that goes the same way arrives.
  bool receive_all() {
    const std::string marker = "end " + std::to_string(++number_);
    sender_->send({{TargetKind::kUser, {"ann"}, false}, "news", marker, false, milliseconds(0)});
    if (page_->client.receive_until("data:" + marker + "\n\n")) return true;
    failure << "the marker does not come, after: " << page_->client.received() << "\n";
    return false;
  }
  // The page sees the first `bytes` of what has arrived.
  void see(std::size_t bytes) {
    std::string last_id;
    const std::vector<testing::ReceivedEvent> events =
        testing::parse_events(std::string_view(page_->client.received()).substr(0, bytes), &last_id);
    for (; read_ < events.size(); ++read_) take(events[read_]);
    if (!last_id.empty()) cursor_ = std::stoull(last_id);
    seen_bytes_ = bytes;
  }

  void cut() {
    if (!page_ || !receive_all()) return;
    const std::size_t all = page_->client.received().size();
    // Who has seen no id at all is promised nothing of the past.
    const std::size_t least =
        cursor_ == 0 ? std::max(seen_bytes_, page_->client.received().find("\n\n") + 2) : seen_bytes_;
    see(least + pick(all + 1 - least));
    log << "cut after " << seen_bytes_ << " of " << all << " bytes\n";
    page_.reset();
  }

  void take(const testing::ReceivedEvent& e) {
    if (e.type == "sse-channel") {
      passed();
      mark_ = event::Json::parse(e.data);
      if (mark_.contains("caughtUp")) positions_.erase(mark_["channel"].get<std::string>());
      return;
    }
    if (e.type == "resync") failure << "a resync, though everything is retained: " << e.data << "\n";
    if (e.type != "news") return;
    const bool marked = mark_.contains("event") && mark_["event"].get<std::string>() == e.type;
    passed();
    const event::Json mark = std::exchange(mark_, event::Json::object());
    if (!marked) return;
    const auto channel = mark["channel"].get<std::string>();
    const std::uint64_t id = std::stoull(mark.contains("id") ? mark["id"].get<std::string>() : e.id);
    const auto sent = sent_.find(id);
    if (sent == sent_.end() || !sent->second.contains(channel)) failure << id << " came through " << channel << "\n";
    if (!followed_.contains(channel)) failure << id << " came through " << channel << ", which it does not follow\n";
    // First what it catches up with, then what is live: each once.
    if (last_through_[channel] >= id)
      failure << channel << " brought " << id << " after " << last_through_[channel] << "\n";
    last_through_[channel] = id;
    got_.insert(id);
  }
  // The page has what came after the mark.
  void passed() {
    if (!mark_.contains("position")) return;
    const auto position = positions_.find(mark_["channel"].get<std::string>());
    if (position != positions_.end()) position->second = std::stoull(mark_["position"].get<std::string>());
  }

  void check_all() {
    if (!page_) return;
    if (!receive_all()) return;
    see(page_->client.received().size());
    for (const auto& [channel, position] : positions_)
      failure << channel << " has not caught up from " << position << "\n";
    for (const std::uint64_t id : expected_) {
      if (!got_.contains(id)) failure << id << " to " << ::testing::PrintToString(sent_[id]) << " was lost\n";
    }
    if (failure.str().empty()) expected_.clear();
  }

  std::mt19937 random_;
  IdGenerator ids_{1};
  observe::Registry metrics_;
  store::MemoryRepository repository_{ids_};
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<Sender> sender_;
  const Identity owner_{UserId("ann"), {}, {}};
  // The page.
  std::optional<testing::Page> page_;
  std::uint64_t cursor_ = 0;
  std::set<std::string> followed_;
  std::map<std::string, std::uint64_t> positions_;  // of those that have not caught up
  event::Json mark_ = event::Json::object();
  std::size_t read_ = 0;                               // events of the stream
  std::size_t seen_bytes_ = 0;                         // of it
  std::map<std::string, std::uint64_t> last_through_;  // id of the last event of each channel on the stream
  std::set<std::uint64_t> got_;
  // The model.
  std::map<std::uint64_t, std::set<std::string>> sent_;
  std::set<std::uint64_t> expected_;
  int number_ = 0;
};

TEST(ChannelResume, AgreesWithTheModelWhereverThePageIsCutOff) {
  const unsigned first = setting("SSE_MODEL_SEED", std::random_device{}());
  const unsigned rounds = setting("SSE_MODEL_ROUNDS", 100);
  constexpr unsigned kMaxSteps = 60;
  for (unsigned seed = first; seed - first < rounds; ++seed) {
    FollowingRun run(seed);
    if (run.steps(kMaxSteps)) continue;
    // The shortest beginning that fails tells most.
    for (unsigned steps = 1; steps <= kMaxSteps; ++steps) {
      FollowingRun shorter(seed);
      if (shorter.steps(steps)) continue;
      FAIL() << "SSE_MODEL_SEED=" << seed << ", after " << steps << " steps: " << shorter.failure.str() << "\n"
             << shorter.log.str();
    }
    FAIL() << "SSE_MODEL_SEED=" << seed << " failed once: " << run.failure.str() << "\n" << run.log.str();
  }
  std::cout << rounds << " rounds of up to " << kMaxSteps << " steps from SSE_MODEL_SEED=" << first << "\n";
}

}  // namespace
}  // namespace sse::delivery
