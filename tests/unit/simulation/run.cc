#include "unit/simulation/run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "event/target.h"
#include "hub/connection.h"
#include "observe/log.h"

namespace sse::simulation {

using event::TargetKind;
using std::chrono::milliseconds;
using Kind = Operation::Kind;

namespace {

constexpr std::array<const char*, 3> kEvents{"news", "chat", "alarm"};

// A client's page: who it is.
struct Page {
  std::size_t service = 0;
  std::string user;
  std::string tenant;
  std::string token;
  std::vector<std::string> channels;
  std::string client;
  bool confirms = false;
};

std::vector<Page> pages() {
  return {
      {0, "u0", "x", "k0", {"c0", "c2"}, "p0", true}, {0, "u0", "y", "", {"c1"}, "p1", true},
      {0, "u0", "", "k0", {}, "p2", false},           {0, "u1", "x", "k1", {"c0", "c1", "c2"}, "p3", true},
      {0, "u1", "y", "", {"c0"}, "p4", false},        {0, "u2", "", "", {}, "p5", true},
      {0, "", "x", "k2", {"c1"}, "p6", false},        {1, "u0", "x", "k0", {"c0", "c1"}, "p7", true},
      {1, "u1", "y", "k1", {"c1"}, "p8", false},      {0, "u0", "x", "", {"c1", "c2"}, "p9", false},
  };
}

constexpr std::array<const char*, 3> kJoined{"c0", "c1", "c2"};

// The name by which a send of that kind reaches it; of channels the first one.
std::string name_of(const Page& page, TargetKind kind) {
  switch (kind) {
    case TargetKind::kUser:
      return page.user;
    case TargetKind::kToken:
      return page.token;
    case TargetKind::kTenant:
      return page.tenant;
    case TargetKind::kChannel:
      return page.channels.empty() ? "" : page.channels.front();
    case TargetKind::kAll:
    case TargetKind::kConnection:  // not among the targets of a message
      return "";
    case TargetKind::kMember:
      return page.user.empty() || page.tenant.empty() ? "" : event::member_name(page.user, page.tenant);
  }
  return "";
}

struct Pair {
  bool handled = false;
  bool confirmed = false;          // the client's confirmation was taken, or its TCP's
  std::uint64_t committed_at = 0;  // the store had forgotten it by then
  std::uint64_t deleted_at = 0;    // for good
};

struct Message {
  enum class State : unsigned char { kUnderWay, kAccepted, kRefused, kUnknown, kRepeated };

  std::size_t number = 0;
  std::size_t service = 0;
  event::Target target;
  std::string event;
  bool qos = false;
  std::string key;
  std::string collapse;
  std::size_t node = 0;
  int group = 0;
  State state = State::kUnderWay;
  std::uint64_t id = 0;
  bool missing = false;
  bool deleted = false;
  std::size_t again = 0;  // retried or requeued so often
  std::int64_t started_at = 0;
  std::uint64_t started = 0;
  std::uint64_t done = 0;
  std::map<std::string, Pair> pairs;
};

// A stream as its client sees it.
struct Stream {
  std::size_t page = 0;
  std::size_t node = 0;
  int group = 0;
  std::shared_ptr<Wire> wire;
  ConnectionId connection;
  bool open = true;  // for the client
  bool connected = false;
  bool paused = false;
  bool resumed = false;
  std::uint64_t started = 0;
  std::int64_t opened_at = 0;
  std::set<std::string> listened;  // at any time
  std::set<std::string> channels;  // that it is in
  std::set<std::string> joined;    // at any time
  std::size_t changed = 0;         // requests to join or leave channels since it is open
  std::size_t parsed = 0;          // of what has arrived
  std::string buffer;
  std::string last_id;
  std::map<std::size_t, std::size_t> copies;        // by message
  std::vector<std::size_t> order;                   // messages, first copies
  std::set<std::uint64_t> to_confirm;               // ids read and not confirmed
  std::map<std::uint64_t, std::size_t> message_of;  // id → message
};

// Likewise, but of channels all.
std::vector<std::string> all_names_of(const Page& page, TargetKind kind) {
  return kind == TargetKind::kChannel ? page.channels : std::vector<std::string>{name_of(page, kind)};
}

class Runner {
 public:
  explicit Runner(const Scenario& scenario)
      : scenario_(scenario),
        setting_(scenario.setting),
        world_({scenario.seed, scenario.preempt}),
        network_(world_),
        pages_(pages()),
        folder_((std::filesystem::temp_directory_path() / ("sse-simulation-" + std::to_string(getpid()))).string()) {
    std::filesystem::create_directories(folder_);
    if (setting_.store == StoreKind::kShared) {
      shared_clock_ = std::make_unique<NodeClock>(world_);
      shared_ids_ = std::make_unique<IdGenerator>(1023, 0, *shared_clock_);
      store::StoreLimits limits;
      limits.per_recipient = setting_.per_recipient;
      shared_ = std::make_unique<store::MemoryRepository>(*shared_ids_, limits);
    }
    for (std::size_t i = 0; i < setting_.nodes; ++i) {
      machines_.push_back(std::make_unique<Machine>(world_, i, folder_));
      Machine& machine = *machines_.back();
      if (setting_.store == StoreKind::kMemory) {
        store::StoreLimits limits;
        limits.per_recipient = setting_.per_recipient;
        machine.memory = std::make_unique<store::MemoryRepository>(machine.ids, limits);
        machine.store = machine.memory.get();
      } else {
        machine.store = shared_.get();
      }
    }
    places_.resize(setting_.nodes);
  }
  Outcome go(const std::vector<std::size_t>& kept) {
    for (std::size_t i = 0; i < setting_.nodes; ++i) {
      restart(i);
      wait_until([&] { return up(i) != nullptr; }, 30'000, "a node does not start");
    }
    for (const std::size_t i : kept) {
      if (failed()) break;
      step_ = i;
      perform(scenario_.operations.at(i));
      pump();
    }
    step_ = SIZE_MAX;
    if (!failed()) finish();
    log("posts " + std::to_string(network_.posts()) + ", threads run " + std::to_string(world_.digest()) + ", random " +
        std::to_string(world_.random().number()));
    return {failure_, log_.str()};
  }

  std::string so_far() const { return log_.str(); }

 private:
  struct Place {
    Node* node = nullptr;  // null: down, or not yet up
    bool starting = false;
    bool stopping = false;
    int group = 0;
    std::uint64_t fail_in = 0;
  };

  // Telling.

  void log(std::string line) {
    // Its name is another in every process.
    for (std::size_t at = line.find(folder_); at != std::string::npos; at = line.find(folder_))
      line.replace(at, folder_.size(), "FOLDER");
    std::int64_t millis = (world_.now() - 1'000'000'000'000'000) / 1'000'000;
    log_ << millis << " ";
    if (step_ != SIZE_MAX) log_ << "#" << step_ << " ";
    log_ << line << "\n";
    if (std::getenv("SSE_SIMULATION_TRACE") != nullptr)
      std::fprintf(stderr, "%lld %s\n", static_cast<long long>(millis), line.c_str());
  }
  void fail(const std::string& why) {
    if (!failure_.empty()) return;
    failure_ = why;
    log("FAILED: " + why);
  }
  bool failed() const { return !failure_.empty(); }
  bool calm() const { return !scenario_.network_faults && !scenario_.store_faults && !scenario_.kills; }

  // Moving.

  Node* up(std::size_t i) { return places_.at(i).starting || places_.at(i).stopping ? nullptr : places_.at(i).node; }
  Node* any_up(std::uint64_t pick) {
    std::vector<Node*> all;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (Node* node = up(i)) all.push_back(node);
    }
    return all.empty() ? nullptr : all[pick % all.size()];
  }

  // Has the node's process do something that may block.
  void ask(Node& node, std::function<void()> what) {
    const int group = places_.at(node.number()).group;
    world_.set_group(group);
    ++asked_[group];
    node.requests().submit([this, group, what = std::move(what)] {
      try {
        what();
      } catch (const Error& e) {
        log(std::string("refused: ") + e.what());
      }
      --asked_[group];
    });
    world_.set_group(0);
  }

  void pump() {
    Random& random = world_.random();
    const std::uint64_t rounds = 1 + random.below(3);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      world_.run(random.below(300));
      move_bytes(false);
      const std::uint64_t time = random.below(100);
      if (time < 60) {
        world_.advance(std::chrono::microseconds(random.below(20'000)));
      } else if (time < 75) {
        if (const auto next = world_.next_deadline()) world_.advance(std::chrono::nanoseconds(*next - world_.now()));
      } else if (time < 77) {
        pass(milliseconds(random.below(1500)));
      }
    }
  }

  // Time goes on from one moment to the next that a thread waits for. Where the network is troubled anyway it may jump,
  // as for a machine that was suspended: what was under way has then taken so long.
  void pass(milliseconds time) {
    const std::int64_t end = world_.now() + std::chrono::nanoseconds(time).count();
    if (scenario_.network_faults && world_.random().chance(1, 4)) world_.advance(time);
    while (world_.now() < end) {
      const std::int64_t next = std::min(world_.next_deadline().value_or(end), end);
      world_.advance(std::chrono::nanoseconds(std::max<std::int64_t>(next - world_.now(), 0)));
      world_.settle();
    }
  }

  void move_bytes(bool all) {
    Random& random = world_.random();
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      Stream& stream = *streams_[i];
      if (!stream.open) continue;
      if (all || random.chance(2, 3)) stream.wire->deliver(all ? SIZE_MAX : 1 + random.below(4096));
      read(stream);
      if (stream.open && (stream.wire->ended() || stream.wire->was_reset())) {
        if (stream.wire->was_reset() || parsed_all(stream)) {
          log("stream " + std::to_string(i) + (stream.wire->was_reset() ? " was reset" : " ended"));
          stream.open = false;
          stream.wire->finish();
        }
      }
    }
  }
  bool parsed_all(const Stream& stream) const { return stream.parsed == stream.wire->acknowledged().size(); }

  // With a client that does not confirm, its TCP does: what has arrived counts.
  void read(Stream& stream) {
    const bool confirms = pages_[stream.page].confirms;
    if (!stream.paused) stream.wire->read();
    if (stream.paused && confirms) return;
    const std::string& all = stream.wire->acknowledged();
    if (stream.parsed == all.size()) return;
    stream.buffer.append(all, stream.parsed);
    stream.parsed = all.size();
    for (;;) {
      const std::size_t end = stream.buffer.find("\n\n");
      if (end == std::string::npos) return;
      const std::string block = stream.buffer.substr(0, end + 1);
      stream.buffer.erase(0, end + 2);
      dispatch(stream, block);
      if (failed()) return;
    }
  }

  static std::string field(const std::string& block, const std::string& name) {
    const std::size_t at = block.rfind("\n" + name + ":");
    const std::size_t begin = block.starts_with(name + ":") && at == std::string::npos ? name.size() + 1
                              : at == std::string::npos                                ? std::string::npos
                                                                                       : at + name.size() + 2;
    if (begin == std::string::npos) return "";
    std::string value = block.substr(begin, block.find('\n', begin) - begin);
    if (value.starts_with(' ')) value.erase(0, 1);
    return value;
  }

  void dispatch(Stream& stream, const std::string& block) {
    const std::string id = field(block, "id");
    const std::string event_id = id_before_cursor(block);
    if (!id.empty()) stream.last_id = id;
    const std::string event = field(block, "event");
    const std::string data = field(block, "data");
    if (event == "connect-finish") stream.connected = true;
    if (event == "connect-close") stream.wire->finish();
    if (!data.starts_with("m")) return;
    received(stream, event, static_cast<std::size_t>(std::strtoull(data.c_str() + 1, nullptr, 10)), event_id);
  }
  // An event may be followed by an id in a block of its own, or have two: the first is its own.
  static std::string id_before_cursor(const std::string& block) {
    const std::size_t at = block.starts_with("id:") ? 0 : block.find("\nid:");
    if (at == std::string::npos) return "";
    return field(block.substr(at == 0 ? 0 : at + 1, block.find('\n', at + 1) - at + 1), "id");
  }

  // The recipients of a message as which the stream gets it: of channels each that it may be in.
  static std::vector<std::string> names_on(const Stream& stream, const Page& page, const event::Target& target) {
    if (target.kind != TargetKind::kChannel) return {name_of(page, target.kind)};
    std::vector<std::string> names;
    for (const std::string& name : target.names) {
      if (stream.joined.contains(name)) names.push_back(name);
    }
    return names;
  }

  // What a client may and may not see.
  void received(Stream& stream, const std::string& event, std::size_t number, const std::string& id_text) {
    const Page& page = pages_[stream.page];
    const std::size_t at = index_of(stream);
    log("stream " + std::to_string(at) + " got m" + std::to_string(number) + " id " + id_text);
    if (number >= messages_.size()) return fail("an event that was never sent");
    Message& message = *messages_[number];
    if (message.service != page.service) return fail(named(message) + " went to another service, " + page.client);
    const std::vector<std::string> own = names_on(stream, page, message.target);
    const auto& names = message.target.names;
    if (message.target.kind != TargetKind::kAll &&
        (own.empty() || own.front().empty() || std::ranges::find(names, own.front()) == names.end()))
      return fail(named(message) + " went to " + page.client + ", whom it is not for");
    if (event != message.event) return fail(named(message) + " came as event " + event);
    if (message.target.listening && !stream.listened.contains(event))
      return fail(named(message) + " went to " + page.client + ", which does not listen");
    if (message.qos && message.state == Message::State::kRefused)
      return fail(named(message) + " was refused, and came");
    const std::uint64_t id = std::strtoull(id_text.c_str(), nullptr, 10);
    const std::size_t copies = ++stream.copies[number];
    if (copies == 1) {
      check_order(stream, message);
      stream.order.push_back(number);
    }
    check_copies(stream, message, copies);
    if (!message.qos) return;
    // Of several channels it may have come through any.
    const auto every = [&](auto over) {
      return std::ranges::all_of(own, [&](const std::string& name) { return over(message.pairs[name]); });
    };
    const bool settled_before = message.again == 0 && settled(message) && message.done < stream.started;
    if (settled_before && !stream.resumed &&
        every([&](const Pair& pair) { return pair.committed_at != 0 && pair.committed_at < stream.started; }))
      fail(named(message) + " came again on stream " + std::to_string(at) +
           ", which opened after its confirmation was committed");
    if (settled_before &&
        every([&](const Pair& pair) { return pair.deleted_at != 0 && pair.deleted_at < stream.started; }))
      fail(named(message) + " was deleted before stream " + std::to_string(at) + " opened, and came");
    for (const std::string& name : own) {
      Pair& pair = message.pairs[name];
      pair.handled = true;
      if (!page.confirms) pair.confirmed = true;
    }
    if (page.confirms) {
      stream.to_confirm.insert(id);
      stream.message_of[id] = number;
    }
  }

  // Its way into the streams is over: nothing of it is under way between nodes.
  bool settled(const Message& message) const {
    return message.state == Message::State::kAccepted && !message.missing && !network_.troubled();
  }

  void check_copies(const Stream& stream, const Message& message, std::size_t copies) {
    std::size_t allowed = 1 + message.again;
    if (message.qos && pages_[stream.page].confirms && setting_.ack_timeout.count() != 0) {
      // From when the server may have given it to the stream.
      const std::int64_t age = world_.now() - std::max(stream.opened_at, message.started_at);
      allowed += static_cast<std::size_t>(age / std::chrono::nanoseconds(setting_.ack_timeout).count());
    }
    // A confirmation that is lost between nodes, or waits for the disk, makes a message come again.
    if (message.qos && setting_.nodes > 1) allowed += calm() ? stops_ : 1 + troubles_ + stops_;
    if (!message.qos && twice_) ++allowed;
    // Between nodes it comes for each channel by itself, and a stream remembers some seconds that it has it.
    if (message.target.kind == TargetKind::kChannel && setting_.nodes > 1 && !calm())
      allowed += message.target.names.size();
    // One that waits in a channel which the stream joins later, it may have got through another one before.
    if (message.target.kind == TargetKind::kChannel && stream.changed != 0) allowed += kJoined.size() + stream.changed;
    if (copies > allowed)
      fail(named(message) + " came " + std::to_string(copies) + " times on stream " + std::to_string(index_of(stream)));
  }

  // What was sent after another send had returned comes after it, and has the greater id.
  void check_order(const Stream& stream, const Message& late) {
    if (!calm() || late.state != Message::State::kAccepted || late.again != 0 || late.target.listening || late.missing)
      return;
    if (setting_.drop_slow || (late.target.kind == TargetKind::kChannel && stream.changed != 0)) return;
    const std::size_t first = stream.order.size() > 60 ? stream.order.size() - 60 : 0;
    for (std::size_t i = first; i < stream.order.size(); ++i) {
      const Message& early = *messages_[stream.order[i]];
      if (early.again != 0 || early.target.listening || late.done == 0 || early.state == Message::State::kRepeated)
        continue;
      // `early` came first, though its send began when that of `late` was over.
      if (late.done < early.started && same_way(early, late))
        return fail(named(late) + " came after " + named(early) + ", which was sent later, on stream " +
                    std::to_string(index_of(stream)));
    }
  }
  // Nodes are not ordered among each other, nor are topics between them.
  bool same_way(const Message& one, const Message& other) const {
    if (one.qos != other.qos) return false;
    return setting_.nodes == 1 || (one.node == other.node && one.target.kind == other.target.kind);
  }

  std::string named(const Message& message) const {
    std::string text = "m" + std::to_string(message.number) + (message.qos ? " qos" : "") + " to " +
                       std::string(event::kind_name(message.target.kind));
    for (const std::string& name : message.target.names) text += " " + name;
    if (message.target.listening) text += " listening";
    return text + " (" + message.event + ", id " + std::to_string(message.id) + ", node " +
           std::to_string(message.node) + ")";
  }
  std::size_t index_of(const Stream& stream) const {
    return static_cast<std::size_t>(
        std::ranges::find_if(streams_, [&](const auto& one) { return one.get() == &stream; }) - streams_.begin());
  }

  // Doing.

  void perform(const Operation& operation) {
    switch (operation.kind) {
      case Kind::kSend:
        return send(operation);
      case Kind::kConnect:
        return connect(operation.a % pages_.size(), operation);
      case Kind::kDisconnect:
        return disconnect(operation);
      case Kind::kConfirm:
        return confirm(operation);
      case Kind::kFalseConfirm:
        return confirm_falsely(operation);
      case Kind::kListen:
        return listen(operation);
      case Kind::kChannels:
        return change_channels(operation);
      case Kind::kPause:
        if (Stream* stream = pick_stream(operation.a)) {
          stream->paused = operation.b % 3 == 0;
          log("stream " + std::to_string(index_of(*stream)) + (stream->paused ? " pauses" : " reads"));
        }
        return;
      case Kind::kTime:
        world_.settle();
        move_bytes(operation.b % 2 == 0);
        pass(milliseconds(operation.a % (operation.b % 8 == 0 ? 5000 : 400)));
        log("time goes on");
        return;
      case Kind::kErase:
        return erase(operation);
      case Kind::kRetry:
        return retry(operation);
      case Kind::kRequeue:
        return requeue(operation);
      case Kind::kNetwork:
        return change_network(operation);
      case Kind::kRegistry:
        network_.registry_down = operation.a % 3 == 0;
        log(network_.registry_down ? "the registry is down" : "the registry is up");
        return;
      case Kind::kStoreFault:
        return fault(operation);
      case Kind::kJump: {
        NodeClock& clock = machines_[operation.a % machines_.size()]->clock;
        const auto by = milliseconds(static_cast<std::int64_t>(operation.b % 20'000) - 10'000);
        clock.jump(operation.c % 4 == 0 ? by * 30 : by);
        log("the clock of node " + std::to_string(operation.a % machines_.size()) + " is off by " +
            std::to_string(clock.off().count()) + " ms");
        return;
      }
      case Kind::kStop:
        return stop(operation.a % places_.size());
      case Kind::kKill:
        return kill(operation.a % places_.size());
      case Kind::kRestart:
        for (std::size_t i = 0; i < places_.size(); ++i) {
          if (places_[i].node == nullptr && !places_[i].starting && !places_[i].stopping) restart(i);
        }
        return;
      case Kind::kSendAway:
        return close_for_reconnect(operation);
      case Kind::kProbe:
        return probe();
    }
  }

  event::Target draw_target(const Page& page, std::uint64_t number) {
    static constexpr std::array<TargetKind, 10> kKinds{
        TargetKind::kUser,    TargetKind::kUser, TargetKind::kUser,   TargetKind::kToken, TargetKind::kTenant,
        TargetKind::kChannel, TargetKind::kAll,  TargetKind::kMember, TargetKind::kUser,  TargetKind::kMember};
    event::Target target;
    target.kind = kKinds[number % kKinds.size()];
    target.listening = number / 16 % 4 == 0;
    if (target.kind == TargetKind::kAll) return target;
    const std::string name = name_of(page, target.kind);
    if (name.empty()) {
      target.kind = TargetKind::kAll;
      return target;
    }
    target.names = {name};
    if (number / 64 % 4 == 0) {
      for (const Page& other : pages_) {
        if (other.service != page.service) continue;
        for (const std::string& more : all_names_of(other, target.kind)) {
          if (!more.empty() && std::ranges::find(target.names, more) == target.names.end())
            target.names.push_back(more);
        }
      }
    }
    return target;
  }

  void send(const Operation& operation) {
    Node* node = any_up(operation.a);
    if (node == nullptr) return;
    const Page& page = pages_[operation.b % pages_.size()];
    auto message = std::make_unique<Message>();
    Message& m = *message;
    m.number = messages_.size();
    m.service = page.service;
    m.node = node->number();
    m.group = places_.at(m.node).group;
    m.target = draw_target(page, operation.c);
    m.event = kEvents.at(operation.c / 1024 % kEvents.size());
    m.qos = operation.d % 5 != 0;
    m.started = ++sequence_;
    m.started_at = world_.now();
    messages_.push_back(std::move(message));
    delivery::SendRequest request;
    request.target = m.target;
    request.event = m.event;
    request.qos = m.qos;
    const std::uint64_t size = operation.d / 8 % 16 == 0 ? 5000 : operation.d / 8 % 16 < 4 ? 800 : 0;
    request.data = "m" + std::to_string(m.number) + " " + std::string(size, '.');
    if (m.qos) {
      if (operation.d / 128 % 8 == 0) request.ttl = milliseconds(1000 + operation.d / 1024 % 20'000);
      if (operation.d / 1024 % 8 == 0) m.key = request.key = "key" + std::to_string(operation.d / 8192 % 4);
      if (operation.d / 1024 % 8 == 1) m.collapse = request.collapse = "word" + std::to_string(operation.d / 8192 % 2);
      if (m.target.kind == TargetKind::kAll) {
        m.pairs[""];
      } else {
        for (const std::string& name : m.target.names) m.pairs[name];
      }
    }
    log("send " + named(m) + (request.ttl.count() != 0 ? " ttl " + std::to_string(request.ttl.count()) : "") +
        (m.key.empty() ? "" : " " + m.key) + (m.collapse.empty() ? "" : " " + m.collapse));
    delivery::Sender& sender = node->sender(m.service);
    const std::uint64_t how = operation.d / 65536 % 8;
    ask(*node, [this, &m, &sender, request = std::move(request), how] {
      try {
        if (how == 0 && m.qos) {
          // Who waits is told, sooner or later.
          sender.send_then_wait(request, milliseconds(3000), [this, &m](const delivery::SendResult& result) {
            log("m" + std::to_string(m.number) + " was waited for");
            sent(m, {result, std::nullopt});
          });
        } else if (how < 3 && sender.sends_async(m.qos)) {
          sender.send_async(
              request, [this, &m](const std::vector<delivery::SendOutcome>& outcomes) { sent(m, outcomes.front()); });
        } else {
          sent(m, sender.send_all({request}).front());
        }
      } catch (const Error& e) {
        sent(m, {{}, store::AddOutcome::Refusal{e.code(), e.what()}});
      }
    });
  }

  void sent(Message& m, const delivery::SendOutcome& outcome) {
    m.done = ++sequence_;
    if (outcome.refusal) {
      m.state = Message::State::kRefused;
      log("m" + std::to_string(m.number) + " is refused: " + outcome.refusal->sentence);
      if (calm() && setting_.per_recipient > 1000)
        fail(named(m) + " is refused for no reason: " + outcome.refusal->sentence);
      return;
    }
    m.id = outcome.result.id;
    m.missing = !outcome.result.missing.empty();
    m.state = outcome.result.repeated ? Message::State::kRepeated : Message::State::kAccepted;
    log("m" + std::to_string(m.number) + " is " + (outcome.result.repeated ? "repeated" : "sent") + " with id " +
        std::to_string(m.id) + ", delivered " + std::to_string(outcome.result.delivered) +
        (m.missing ? ", some nodes missing" : ""));
    if (m.state == Message::State::kRepeated && m.key.empty())
      fail(named(m) + " is taken for a repeat, and has no key");
    if (m.state != Message::State::kAccepted) return;
    if (m.qos && outcome.result.pending != m.pairs.size())
      fail(named(m) + " is pending for " + std::to_string(outcome.result.pending) + " recipients");
    const auto [known, fresh] = by_id_.emplace(m.id, m.number);
    if (!fresh && m.state == Message::State::kAccepted)
      fail(named(m) + " has the id of m" + std::to_string(known->second));
    // Ids of one node ascend.
    for (const auto& other : messages_) {
      if (m.qos && other->qos && other->state == Message::State::kAccepted && other->done < m.started &&
          other->node == m.node && other->again == 0 && other->id >= m.id && setting_.store != StoreKind::kShared)
        fail(named(m) + " has a smaller id than " + named(*other) + ", which was sent before");
    }
  }

  Stream* pick_stream(std::uint64_t pick) {
    std::vector<Stream*> open;
    for (const auto& stream : streams_) {
      if (stream->open) open.push_back(stream.get());
    }
    return open.empty() ? nullptr : open[pick % open.size()];
  }

  void connect(std::size_t page_number, const Operation& operation, bool collect = false) {
    Node* node = any_up(operation.b);
    if (node == nullptr) return;
    const Page& page = pages_[page_number];
    std::size_t open = 0;
    const Stream* last = nullptr;
    for (const auto& stream : streams_) {
      if (stream->page != page_number) continue;
      open += stream->open ? 1U : 0U;
      if (!stream->last_id.empty()) last = stream.get();
    }
    if (open >= 2) return;
    auto fresh = std::make_unique<Stream>();
    Stream& stream = *fresh;
    stream.page = page_number;
    stream.node = node->number();
    stream.group = places_.at(stream.node).group;
    const bool wide = collect || operation.c % 3 != 0;
    stream.wire = std::make_shared<Wire>(wide ? 128 * 1024 : 1024 + operation.c % 8192,
                                         wide ? 1U << 20 : 1024 + operation.d % 8192);
    stream.started = ++sequence_;
    stream.opened_at = world_.now();
    hub::NewConnection request;
    request.identity = {UserId(page.user), TenantId(page.tenant), AccessToken(page.token)};
    for (const std::string& channel : page.channels) request.channels.push_back({ChannelName(channel)});
    stream.channels = stream.joined = {page.channels.begin(), page.channels.end()};
    request.confirms = page.confirms;
    request.attributes.query = "clientId=" + page.client;
    for (std::size_t i = 0; i < kEvents.size(); ++i) {
      if (collect || (operation.c >> (20 + i)) % 2 == 0) request.listeners.emplace_back(kEvents.at(i));
    }
    stream.listened.insert(request.listeners.begin(), request.listeners.end());
    if (!collect && last != nullptr && (setting_.history ? operation.d % 4 != 0 : operation.d % 3 == 0)) {
      stream.resumed = true;
      request.last_event_id = last->last_id;
      request.last_event = std::strtoull(last->last_id.c_str(), nullptr, 10);
    }
    request.socket = world_.connect(stream.wire);
    log("connect " + page.client + " to node " + std::to_string(stream.node) + " as stream " +
        std::to_string(streams_.size()) + (stream.resumed ? " after " + request.last_event_id : ""));
    streams_.push_back(std::move(fresh));
    const auto shared = std::make_shared<hub::NewConnection>(std::move(request));
    ask(*node, [&stream, shared, &sender = node->sender(page.service)] {
      stream.connection = sender.connect(std::move(*shared));
    });
  }

  void disconnect(const Operation& operation) {
    Stream* stream = pick_stream(operation.a);
    if (stream == nullptr) return;
    log("stream " + std::to_string(index_of(*stream)) + (operation.b % 2 == 0 ? " is closed" : " is reset"));
    if (operation.b % 8 == 7 && stream->connection.valid()) {
      if (Node* node = same_run(*stream)) {
        const Page& page = pages_[stream->page];
        ask(*node, [&sender = node->sender(page.service), id = stream->connection, who = identity_of(page)] {
          sender.hub().disconnect(id, who);
        });
        return;
      }
    }
    if (operation.b % 2 == 0) {
      stream->wire->finish();
    } else {
      stream->wire->reset();
    }
    stream->open = false;
  }

  // The node that has the stream, if it is still the same process.
  Node* same_run(const Stream& stream) {
    Node* node = up(stream.node);
    return node != nullptr && places_.at(stream.node).group == stream.group ? node : nullptr;
  }

  static hub::Identity identity_of(const Page& page) {
    return {UserId(page.user), TenantId(page.tenant), AccessToken(page.token)};
  }

  void confirm(const Operation& operation) {
    std::vector<Stream*> some;
    for (const auto& stream : streams_) {
      if (!stream->to_confirm.empty()) some.push_back(stream.get());
    }
    if (some.empty()) return;
    confirm_on(*some[operation.a % some.size()], operation.b, operation.c % 10 == 0);
  }

  void confirm_on(Stream& stream, std::uint64_t pick, bool lose) {
    Node* node = same_run(stream);
    std::vector<MessageId> ids;
    for (auto id = stream.to_confirm.begin(); id != stream.to_confirm.end();) {
      if (pick % 4 == 0 && ids.size() >= 2) break;
      ids.emplace_back(*id);
      id = stream.to_confirm.erase(id);
    }
    if (node == nullptr || !stream.connection.valid() || lose) {
      log("a confirmation of stream " + std::to_string(index_of(stream)) + " is lost");
      return;
    }
    log("confirm " + std::to_string(ids.size()) + " on stream " + std::to_string(index_of(stream)));
    const Page& page = pages_[stream.page];
    ask(*node, [this, &sender = node->sender(page.service), &stream, ids, &page] {
      const auto taken = sender.hub().acknowledge(stream.connection, identity_of(page), ids);
      if (!taken || *taken != ids.size()) return;
      for (const MessageId id : ids) {
        Message& message = *messages_[stream.message_of.at(id.value())];
        for (const std::string& name : names_on(stream, page, message.target)) message.pairs[name].confirmed = true;
      }
    });
  }

  // What is not the client's to confirm.
  void confirm_falsely(const Operation& operation) {
    Stream* stream = pick_stream(operation.a);
    if (stream == nullptr || !stream->connection.valid() || messages_.empty()) return;
    Node* node = same_run(*stream);
    if (node == nullptr) return;
    const Page& page = pages_[stream->page];
    // Most often its user, of another tenant.
    const Page* neighbour = &page;
    for (const Page& other : pages_) {
      if (other.user == page.user && other.tenant != page.tenant) neighbour = &other;
    }
    const Page& who = operation.c % 4 == 0   ? page
                      : operation.c % 4 == 1 ? pages_[operation.d % pages_.size()]
                                             : *neighbour;
    const bool same_owner = who.user == page.user && who.tenant == page.tenant;
    std::vector<MessageId> ids;
    for (std::size_t i = 0; i < 20; ++i) {
      const Message& message = *messages_[(operation.b + i) % messages_.size()];
      // What is repeated has the id of the first one, which may be for others.
      if (message.id == 0 || message.state == Message::State::kRepeated) continue;
      // What is for it may be in its stream, unread, and is its to confirm.
      const std::vector<std::string> own = names_on(*stream, page, message.target);
      const bool its_own =
          message.service == page.service &&
          (message.target.kind == TargetKind::kAll || std::ranges::any_of(own, [&](const std::string& name) {
             return std::ranges::find(message.target.names, name) != message.target.names.end();
           }));
      if (!same_owner || !its_own) ids.emplace_back(message.id);
    }
    if (ids.empty()) return;
    log("stream " + std::to_string(index_of(*stream)) + ": " + who.client + " confirms " + std::to_string(ids.size()) +
        " it never had");
    ask(*node, [this, &sender = node->sender(page.service), id = stream->connection, who = identity_of(who), ids] {
      if (sender.hub().acknowledge(id, who, ids).value_or(0) != 0)
        fail("a confirmation of " + who.user.str() + " of " + who.tenant.str() + " was taken, and not its own");
    });
  }

  void listen(const Operation& operation) {
    Stream* stream = pick_stream(operation.a);
    if (stream == nullptr || !stream->connection.valid()) return;
    Node* node = same_run(*stream);
    const Page& page = pages_[stream->page];
    if (node == nullptr || page.user.empty()) return;
    const std::string name = kEvents.at(operation.b % kEvents.size());
    const bool add = operation.c % 2 == 0;
    if (add) stream->listened.insert(name);
    log("stream " + std::to_string(index_of(*stream)) + (add ? " listens to " : " no longer listens to ") + name);
    ask(*node, [&sender = node->sender(page.service), id = stream->connection, who = identity_of(page), name, add] {
      sender.hub().change_listeners(id, who, {name}, add);
    });
  }

  // A page joins or leaves channels of its open stream.
  void change_channels(const Operation& operation) {
    Stream* stream = pick_stream(operation.a);
    if (stream == nullptr || !stream->connection.valid()) return;
    Node* node = same_run(*stream);
    const Page& page = pages_[stream->page];
    if (node == nullptr || page.user.empty()) return;
    const std::string name = kJoined.at(operation.b % kJoined.size());
    const bool join = operation.c % 3 != 0;
    ++stream->changed;
    // Until the node has answered, it may be either.
    stream->channels.erase(name);
    if (join) stream->joined.insert(name);
    log("stream " + std::to_string(index_of(*stream)) + (join ? " subscribes to " : " unsubscribes from ") + name);
    ask(*node,
        [stream, &sender = node->sender(page.service), id = stream->connection, who = identity_of(page), name, join] {
          if (join) {
            const auto result = sender.hub().subscribe(id, who, {{ChannelName(name)}}, 0);
            if (result && result->front().in) stream->channels.insert(name);
          } else {
            sender.hub().unsubscribe(id, who, {ChannelName(name)});
            stream->channels.erase(name);
          }
        });
  }

  Message* pick_accepted(std::uint64_t pick) {
    std::vector<Message*> some;
    for (const auto& message : messages_) {
      if (message->qos && message->state == Message::State::kAccepted) some.push_back(message.get());
    }
    return some.empty() ? nullptr : some[pick % some.size()];
  }

  void erase(const Operation& operation) {
    Message* message = pick_accepted(operation.a);
    if (message == nullptr) return;
    Node* node = up(message->node);
    if (node == nullptr) return;
    message->deleted = true;
    log("erase m" + std::to_string(message->number));
    ask(*node, [this, node, message] {
      if (node->store().erase(MessageId(message->id)) == 0) return;
      // For those who had it pending; others have handled it, and a history keeps what happened.
      for (auto& [name, pair] : message->pairs) {
        if (!pair.handled) pair.deleted_at = ++sequence_;
      }
      log("m" + std::to_string(message->number) + " is erased");
    });
  }

  void retry(const Operation& operation) {
    Message* message = pick_accepted(operation.a);
    if (message == nullptr) return;
    Node* node = up(message->node);
    if (node == nullptr) return;
    ++message->again;
    log("retry m" + std::to_string(message->number));
    ask(*node, [node, message] { node->sender(message->service).retry(node->store().find(MessageId(message->id))); });
  }

  void requeue(const Operation& operation) {
    Node* node = any_up(operation.a);
    if (node == nullptr) return;
    log("requeue what is dead on node " + std::to_string(node->number()));
    ask(*node, [this, node] {
      for (const store::DeadLetter& letter : node->store().list_dead({}, 0, 1000)) {
        const auto number = static_cast<std::size_t>(std::strtoull(letter.message.data.str().c_str() + 1, nullptr, 10));
        ++messages_.at(number)->again;
      }
      for (const MessageId id : node->dead().requeue(MessageId(), {}, node->clock().wall_now())) {
        const std::vector<store::PendingMessage> rows = node->store().find(id);
        for (std::size_t service = 0; service < kServices.size(); ++service) node->sender(service).send_requeued(rows);
      }
    });
  }

  void change_network(const Operation& operation) {
    if (setting_.nodes < 2) return;
    const std::size_t from = operation.a % setting_.nodes;
    const std::size_t to = (from + 1 + operation.b % (setting_.nodes - 1)) % setting_.nodes;
    Network::Way& way = network_.way(from, to);
    const std::string which = "the way from " + std::to_string(from) + " to " + std::to_string(to);
    if (!scenario_.network_faults) {
      way.max_delay = milliseconds(operation.d % 200);
      log(which + " takes up to " + std::to_string(way.max_delay.count()) + " ms");
      return;
    }
    network_.note_trouble();
    ++troubles_;
    switch (operation.c % 8) {
      case 0:
      case 1:
        way.cut = true;
        log(which + " is cut");
        return;
      case 2:
        network_.way(to, from).cut = way.cut = true;
        log(which + " is cut, and back");
        return;
      case 3:
        way.late_in = 1 + operation.d % 10;
        log(which + " is late");
        return;
      case 4:
        way.lost_in = 1 + operation.d % 10;
        log(which + " loses responses");
        return;
      case 5:
        way.twice_in = 1 + operation.d % 10;
        twice_ = true;
        log(which + " doubles");
        return;
      case 6:
        way.max_delay = milliseconds(operation.d % 1000);
        log(which + " is slow");
        return;
      default:
        network_.mend();
        log("the network is mended");
    }
  }

  void fault(const Operation& operation) {
    Place& place = places_[operation.a % places_.size()];
    Node* node = up(operation.a % places_.size());
    if (node == nullptr) return;
    const bool mend = operation.b % 2 == 0;
    if (setting_.store == StoreKind::kSqlite && operation.b % 4 < 2) {
      if (mend) {
        world_.mend_disk(place.group);
        log("the disk works");
      } else {
        world_.fail_disk(place.group, operation.c % 20, 1 + operation.c / 32 % 12, operation.d % 2 == 0 ? EIO : ENOSPC,
                         operation.d % 3 == 0);
        log("the disk fails");
      }
      return;
    }
    node->store().fail_one_in(mend ? 0 : 1 + operation.c % 6);
    log("the store of node " + std::to_string(node->number()) + (mend ? " works" : " fails"));
  }

  void stop(std::size_t i) {
    Node* node = up(i);
    if (node == nullptr) return;
    log("stop node " + std::to_string(i));
    ++stops_;
    Place& place = places_[i];
    place.stopping = true;
    world_.set_group(place.group);
    std::thread([this, node, i] {
      node->stop();
      places_[i].node = nullptr;
      places_[i].stopping = false;
      lose_calls(places_[i].group);
      log("node " + std::to_string(i) + " has stopped");
    }).detach();
    world_.set_group(0);
  }

  void kill(std::size_t i) {
    Node* node = up(i);
    if (node == nullptr) return;
    for (std::size_t n = 0; node->store().inside() != 0 && n < 100'000; ++n) world_.run(1);
    Place& place = places_[i];
    log("kill node " + std::to_string(i));
    ++troubles_;
    node->store().shut();
    world_.freeze(place.group);
    world_.mend_disk(place.group);
    network_.leave(i);
    std::vector<std::shared_ptr<Wire>> wires;
    for (const auto& stream : streams_) {
      if (stream->node == i && stream->group == place.group) wires.push_back(stream->wire);
    }
    world_.kill_sockets(wires);
    if (setting_.store == StoreKind::kSqlite) machines_[i]->take_file_along();
    lose_calls(place.group);
    place.node = nullptr;
  }

  // No caller will hear what became of what the process was asked.
  void lose_calls(int group) {
    for (const auto& message : messages_) {
      // What the disk refused may be in the file all the same: nothing was written over it before the process was gone.
      const bool in_doubt = message->state == Message::State::kUnderWay ||
                            (setting_.store == StoreKind::kSqlite && message->state == Message::State::kRefused);
      if (message->group == group && in_doubt) message->state = Message::State::kUnknown;
    }
  }

  void restart(std::size_t i) {
    Place& place = places_[i];
    place.starting = true;
    place.group = ++groups_;
    log("start node " + std::to_string(i));
    world_.set_group(place.group);
    std::thread([this, i] {
      nodes_.push_back(std::make_unique<Node>(setting_, *machines_[i], network_));
      Node* const node = nodes_.back().get();
      try {
        node->start();
        places_[i].node = node;
        log("node " + std::to_string(i) + " is up");
      } catch (const Error& e) {
        network_.leave(i);
        log("node " + std::to_string(i) + " does not start: " + e.what());
        if (calm()) fail("node " + std::to_string(i) + " does not start: " + e.what());
      }
      places_[i].starting = false;
    }).detach();
    world_.set_group(0);
  }

  void close_for_reconnect(const Operation& operation) {
    Node* node = any_up(operation.a);
    if (node == nullptr) return;
    std::vector<ConnectionId> ids;
    for (const auto& stream : streams_) {
      if (stream->open && stream->node == node->number() && stream->connection.valid() &&
          (operation.b + ids.size()) % 2 == 0)
        ids.push_back(stream->connection);
    }
    log("send " + std::to_string(ids.size()) + " streams of node " + std::to_string(node->number()) + " away");
    for (std::size_t service = 0; service < kServices.size(); ++service) {
      ask(*node, [&sender = node->sender(service), ids] { sender.hub().close_for_reconnect(ids, milliseconds(1000)); });
    }
  }

  // Which confirmations the stores have committed by now.
  void probe() {
    if (!failed()) check_counters();
    for (const auto& message : messages_) {
      if (message->state != Message::State::kAccepted || !message->qos || message->done == 0) continue;
      const bool open = std::ranges::any_of(
          message->pairs, [](const auto& pair) { return pair.second.confirmed && pair.second.committed_at == 0; });
      Node* node = up(message->node);
      if (!open || node == nullptr) continue;
      std::vector<store::PendingMessage> rows;
      try {
        rows = node->store().find(MessageId(message->id));
      } catch (const Error&) {
        continue;
      }
      for (auto& [name, pair] : message->pairs) {
        if (!pair.confirmed || pair.committed_at != 0) continue;
        if (std::ranges::none_of(rows, [&, who = name](const auto& row) { return row.recipient.name == who; }))
          pair.committed_at = ++sequence_;
      }
    }
  }

  // What the nodes say about themselves.
  void check_counters() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      Node* node = up(i);
      if (node == nullptr) continue;
      for (std::size_t s = 0; s < kServices.size(); ++s) {
        hub::Hub& hub = node->sender(s).hub();
        // A frame may be larger than the room; pieces of what is given out come on top.
        const std::uint64_t limit = hub.directory().sockets() * (setting_.max_backlog + 16 * 1024);
        if (hub.directory().backlog_bytes() > limit)
          fail("node " + std::to_string(i) + " has a backlog of " + std::to_string(hub.directory().backlog_bytes()) +
               " bytes");
        if (hub.directory().connections() > hub.directory().sockets()) fail("more connections than sockets");
      }
    }
  }

  // The end.

  template <class Done>
  bool wait_until(Done done, std::int64_t millis, const std::string& otherwise) {
    const std::int64_t end = world_.now() + millis * 1'000'000;
    while (!failed()) {
      if (!world_.settle()) {
        fail("the threads do not come to rest");
        break;
      }
      move_bytes(true);
      if (!world_.settle()) fail("the threads do not come to rest");
      if (done()) return true;
      if (world_.now() >= end) {
        if (!otherwise.empty()) fail(otherwise + "\n" + world_.describe_threads());
        return false;
      }
      const std::int64_t next = world_.next_deadline().value_or(world_.now() + 10'000'000);
      world_.advance(std::chrono::nanoseconds(std::min(next, world_.now() + 200'000'000) - world_.now()));
    }
    return false;
  }

  void confirm_all() {
    for (const auto& stream : streams_) {
      if (!stream->to_confirm.empty() && stream->open) confirm_on(*stream, 1, false);
    }
  }

  Operation drawn(Kind kind) {
    Random& random = world_.random();
    return {kind, random.number(), random.number(), random.number(), random.number()};
  }

  // What is rare by chance: some of what is pending is deleted before its clients come back; they come back while the
  // store cannot be read; and others come while nodes that send to them are slow to hear of it.
  void provoke() {
    log("at last");
    Random& random = world_.random();
    for (const auto& stream : streams_) {
      if (stream->open) stream->wire->finish();
      stream->open = false;
    }
    pass(milliseconds(500));
    const std::size_t first = messages_.size();
    for (int i = 0; i < 8; ++i) {
      send(drawn(Kind::kSend));
      pump();
    }
    pass(milliseconds(100));
    for (std::size_t i = first; i < messages_.size(); ++i) {
      Message& message = *messages_[i];
      Node* node = up(message.node);
      if (node == nullptr || !message.qos || message.state != Message::State::kAccepted || !random.chance(1, 3))
        continue;
      message.deleted = true;
      ask(*node, [this, node, &message] {
        if (node->store().erase(MessageId(message.id)) == 0) return;
        for (auto& [name, pair] : message.pairs) {
          if (!pair.handled) pair.deleted_at = ++sequence_;
        }
        log("m" + std::to_string(message.number) + " is erased");
      });
    }
    pass(milliseconds(100));
    if (scenario_.store_faults) {
      for (std::size_t i = 0; i < places_.size(); ++i) {
        if (Node* node = up(i)) node->store().fail_one_in(1);
      }
    }
    for (std::size_t page = 0; page < pages_.size(); page += 2) {
      connect(page, drawn(Kind::kConnect));
      pump();
    }
    pass(milliseconds(300));
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (Node* node = up(i)) node->store().fail_one_in(0);
      for (std::size_t to = 0; to < places_.size(); ++to) network_.way(i, to).max_delay = milliseconds(300);
    }
    for (std::size_t page = 1; page < pages_.size(); page += 2) {
      connect(page, drawn(Kind::kConnect));
      for (int i = 0; i < 3; ++i) {
        world_.run(random.below(200));
        pass(milliseconds(random.below(150)));
        send(drawn(Kind::kSend));
      }
    }
  }

  void finish() {
    step_ = SIZE_MAX;
    provoke();
    log("everything is mended");
    network_.mend();
    network_.registry_down = false;
    for (Place& place : places_) {
      world_.mend_disk(place.group);
      if (place.node != nullptr && !place.stopping) place.node->store().fail_one_in(0);
    }
    for (const auto& stream : streams_) stream->paused = false;
    wait_until([&] { return std::ranges::none_of(places_, [](const Place& p) { return p.starting || p.stopping; }); },
               60'000, "a node neither starts nor stops");
    if (failed()) return;
    for (std::size_t tries = 0; tries < 3; ++tries) {
      for (std::size_t i = 0; i < places_.size(); ++i) {
        if (places_[i].node == nullptr) restart(i);
      }
      wait_until([&] { return std::ranges::none_of(places_, [](const Place& p) { return p.starting; }); }, 60'000,
                 "a node does not start");
    }
    if (std::ranges::any_of(places_, [](const Place& p) { return p.node == nullptr; }))
      return fail("a node does not start");
    // Who has streams gets there what is pending, without coming again.
    for (int i = 0; i < 60 && !failed(); ++i) {
      wait_until([] { return false; }, 250, "");
      confirm_all();
    }
    if (failed()) return;
    for (const Place& place : places_) {
      if (asked_[place.group] != 0) return fail("a call does not return\n" + world_.describe_threads());
    }
    check_open_streams();
    log("all streams close");
    for (const auto& stream : streams_) {
      if (stream->open) stream->wire->finish();
      stream->open = false;
    }
    wait_until([&] { return sockets() == 0; }, 20'000, "streams are left over");
    // One more stream for everybody gets what is left.
    for (std::size_t page = 0; page < pages_.size() && !failed(); ++page)
      connect(page, {Kind::kConnect, page, world_.random().number(), 1, 1}, true);
    for (int i = 0; i < 240 && !failed(); ++i) {
      wait_until([] { return false; }, 250, "");
      confirm_all();
      if (pending() == 0 && i > 20) break;
    }
    if (failed()) return;
    check_messages();
    for (const auto& stream : streams_) {
      if (stream->open) stream->wire->finish();
      stream->open = false;
    }
    wait_until([&] { return sockets() == 0; }, 20'000, "streams are left over");
    if (!failed()) check_emptiness();
    for (std::size_t i = 0; i < places_.size() && !failed(); ++i) stop(i);
    wait_until([&] { return std::ranges::all_of(places_, [](const Place& p) { return p.node == nullptr; }); }, 60'000,
               "a node does not stop");
  }

  std::size_t sockets() {
    std::size_t n = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (Node* node = up(i)) {
        for (std::size_t s = 0; s < kServices.size(); ++s) n += node->sender(s).hub().directory().sockets();
      }
    }
    return n;
  }
  std::uint64_t pending() {
    std::uint64_t n = 0;
    for (const Place& place : places_) n += place.node->store().size();
    return n;
  }

  std::set<std::pair<std::size_t, std::string>> dead() {
    std::set<std::pair<std::size_t, std::string>> all;
    for (const Place& place : places_) {
      for (const store::DeadLetter& letter : place.node->store().list_dead({}, 0, 100'000)) {
        all.emplace(static_cast<std::size_t>(std::strtoull(letter.message.data.str().c_str() + 1, nullptr, 10)),
                    letter.message.recipient.name);
      }
    }
    return all;
  }

  // Every message that was accepted has been handled, or is reported.
  void check_messages() {
    const auto reported = dead();
    for (const auto& message : messages_) {
      if (!message->qos || message->state != Message::State::kAccepted) continue;
      for (const auto& [name, pair] : message->pairs) {
        if (pair.handled || message->deleted || reported.contains({message->number, name})) continue;
        if (!message->collapse.empty() && replaced(*message, name)) continue;
        fail(named(*message) + " was accepted, and '" + name + "' neither handled it nor is it reported" +
             where(*message));
        return;
      }
    }
    if (pending() != 0) {
      std::string left;
      for (const Place& place : places_) {
        for (const store::PendingMessage& row : place.node->store().list({}, 0, 10))
          left += " " + row.id.str() + " for " + std::string(event::kind_name(row.recipient.kind)) + " " +
                  row.recipient.name;
      }
      fail("messages stay pending though everybody has confirmed:" + left);
    }
  }

  std::string where(const Message& message) {
    std::string text;
    for (const Place& place : places_) {
      for (const store::PendingMessage& row : place.node->store().find(MessageId(message.id)))
        text += "; node " + std::to_string(place.node->number()) + " has it pending for " + row.recipient.name;
    }
    return text.empty() ? "; it is nowhere" : text;
  }

  bool replaced(const Message& message, const std::string& name) const {
    return std::ranges::any_of(messages_, [&](const auto& other) {
      return other.get() != &message && other->service == message.service && other->collapse == message.collapse &&
             other->target.kind == message.target.kind && other->pairs.contains(name) &&
             (other->state == Message::State::kUnknown ||
              (other->state == Message::State::kAccepted && (other->id > message.id || other->again != 0)));
    });
  }

  // A stream that is open, healthy and everywhere connected has what is pending for it.
  void check_open_streams() {
    if (failed()) return;
    for (const auto& stream : streams_) {
      if (!stream->open || !stream->connected) continue;
      const Page& page = pages_[stream->page];
      Node* node = same_run(*stream);
      if (node == nullptr) continue;
      for (const auto& message : messages_) {
        if (!message->qos || message->state != Message::State::kAccepted || message->target.listening ||
            message->deleted)
          continue;
        if (message->service != page.service || stream->copies.contains(message->number)) continue;
        std::vector<std::string> names{name_of(page, message->target.kind)};
        if (message->target.kind == TargetKind::kChannel) names = {stream->channels.begin(), stream->channels.end()};
        for (const std::string& name : names) {
          const auto pair = message->pairs.find(name);
          if (pair == message->pairs.end() || (name.empty() && message->target.kind != TargetKind::kAll)) continue;
          if (pair->second.handled || !message->collapse.empty()) continue;
          if (!still_pending(*message, name)) continue;
          fail(named(*message) + " is pending for '" + name + "', whose stream " + std::to_string(index_of(*stream)) +
               " is open on node " + std::to_string(stream->node) + ", and does not come");
          return;
        }
      }
    }
  }
  bool still_pending(const Message& message, const std::string& name) {
    Node* node = up(message.node);
    if (node == nullptr) return false;
    for (const store::PendingMessage& row : node->store().find(MessageId(message.id))) {
      if (row.recipient.name == name && row.expires > node->clock().wall_now() + std::chrono::seconds(60)) return true;
    }
    return false;
  }

  // Nothing is left of what is over.
  void check_emptiness() {
    wait_until([] { return false; }, 15'000, "");
    for (const Place& place : places_) {
      Node& node = *place.node;
      const std::string which = "node " + std::to_string(node.number());
      std::map<std::string, double> metrics = node.metrics().snapshot();
      for (std::size_t s = 0; s < kServices.size(); ++s) {
        const hub::Hub& hub = node.sender(s).hub();
        const std::string label = std::string("{service=\"") + kServices.at(s) + "\"}";
        if (hub.directory().connections() != 0 || hub.directory().users() != 0 || hub.directory().backlog_bytes() != 0)
          fail(which + " counts streams that are gone");
        if (metrics["sse_streams_open" + label] != 0) fail(which + " says that streams are open");
        double closed = 0;
        for (const auto& [name, value] : metrics) {
          if (name.starts_with("sse_streams_closed_total") &&
              name.find(std::string("service=\"") + kServices.at(s)) != std::string::npos)
            closed += value;
        }
        if (metrics["sse_streams_opened_total" + label] != closed)
          fail(which + " opened " + std::to_string(metrics["sse_streams_opened_total" + label]) +
               " streams and closed " + std::to_string(closed));
        if (node.sender(s).waiting() != 0) fail(which + " has senders that wait");
      }
      if (node.mesh() != nullptr && node.mesh()->held() != 0)
        fail(which + " holds topics of recipients with nothing pending");
      if (node.cluster() != nullptr && node.cluster()->interest().topics() > 2)
        fail(which + " wants " + std::to_string(node.cluster()->interest().topics()) + " topics without a stream");
    }
  }

  const Scenario& scenario_;
  const Setting setting_;
  World world_;
  Network network_;
  const std::vector<Page> pages_;
  const std::string folder_;
  std::unique_ptr<NodeClock> shared_clock_;
  std::unique_ptr<IdGenerator> shared_ids_;
  std::unique_ptr<store::MemoryRepository> shared_;
  std::vector<std::unique_ptr<Machine>> machines_;
  std::vector<std::unique_ptr<Node>> nodes_;  // those that have stopped, too
  std::vector<Place> places_;
  int groups_ = 0;
  std::vector<std::unique_ptr<Message>> messages_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::map<std::uint64_t, std::size_t> by_id_;
  std::uint64_t sequence_ = 0;
  std::size_t troubles_ = 0;
  std::size_t stops_ = 0;
  bool twice_ = false;
  std::map<int, std::size_t> asked_;  // calls under way, by group
  std::size_t step_ = SIZE_MAX;
  std::string failure_;
  std::ostringstream log_;
};

Runner* the_runner = nullptr;
int result_fd = -1;

void write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(fd, text.data() + done, text.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

// A defect that ends the process leaves what had happened.
void died(int) {
  if (the_runner != nullptr) write_all(result_fd, "\n" + the_runner->so_far());
  ::_exit(3);
}

}  // namespace

std::string Scenario::describe() const {
  std::ostringstream out;
  static constexpr std::array<const char*, 3> kStores{"memory", "sqlite", "shared"};
  out << setting.nodes << " nodes, store " << kStores.at(static_cast<std::size_t>(setting.store)) << ", "
      << setting.loops << " loops" << (setting.history ? ", history" : "") << ", ack timeout "
      << setting.ack_timeout.count() << " ms, backlog " << setting.max_backlog << (setting.drop_slow ? ", drops" : "")
      << ", client limit " << setting.client_max_connections << ", per recipient " << setting.per_recipient
      << ", preempts " << preempt << (network_faults ? ", network faults" : "")
      << (store_faults ? ", store faults" : "") << (kills ? ", kills" : "") << (jumps ? ", clocks jump" : "");
  return out.str();
}

Scenario make_scenario(std::uint64_t seed, std::size_t operations) {
  Random random(seed);
  Scenario scenario;
  scenario.seed = seed;
  Setting& setting = scenario.setting;
  setting.nodes = seed % 4 == 0 ? 1 : 3;
  setting.store = setting.nodes == 1 ? (random.chance(1, 2) ? StoreKind::kMemory : StoreKind::kSqlite)
                                     : static_cast<StoreKind>(seed % 4 - 1);
  setting.loops = 1 + random.below(2);
  setting.history = setting.nodes == 1 && random.chance(1, 2);
  setting.ack_timeout = milliseconds(random.chance(1, 2) ? 0 : 1000 + random.below(4000));
  setting.max_backlog = random.chance(1, 3) ? 4096 + random.below(8192) : 256 * 1024;
  setting.drop_slow = random.chance(1, 4);
  setting.client_max_connections = random.chance(1, 3) ? 1 : 0;
  setting.per_recipient = random.chance(1, 8) ? 4 : 10'000;
  scenario.preempt = std::array<std::uint64_t, 3>{0, 200, 15}.at(random.below(3));
  scenario.network_faults = setting.nodes > 1 && random.chance(1, 2);
  scenario.store_faults = random.chance(1, 2);
  scenario.kills = random.chance(1, 2);
  scenario.jumps = random.chance(1, 3);
  for (std::size_t i = 0; i < operations; ++i) {
    const std::uint64_t what = random.below(200);
    Kind kind = Kind::kTime;
    if (what < 60) {
      kind = Kind::kSend;
    } else if (what < 88) {
      kind = Kind::kConnect;
    } else if (what < 103) {
      kind = Kind::kDisconnect;
    } else if (what < 128) {
      kind = Kind::kConfirm;
    } else if (what < 133) {
      kind = Kind::kFalseConfirm;
    } else if (what < 140) {
      kind = Kind::kListen;
    } else if (what < 146) {
      kind = random.chance(1, 2) ? Kind::kChannels : Kind::kPause;
    } else if (what < 160) {
      kind = Kind::kTime;
    } else if (what < (setting.history ? 165U : 164U)) {
      kind = Kind::kErase;
    } else if (what < 167) {
      kind = Kind::kRetry;
    } else if (what < 169) {
      kind = Kind::kRequeue;
    } else if (what < 177) {
      kind = Kind::kNetwork;
    } else if (what < 179) {
      kind = scenario.network_faults ? Kind::kRegistry : Kind::kTime;
    } else if (what < 185) {
      kind = scenario.store_faults ? Kind::kStoreFault : Kind::kTime;
    } else if (what < 187) {
      kind = scenario.jumps ? Kind::kJump : Kind::kTime;
    } else if (what < 189) {
      kind = Kind::kStop;
    } else if (what < 191) {
      kind = scenario.kills ? Kind::kKill : Kind::kSend;
    } else if (what < 195) {
      kind = Kind::kRestart;
    } else if (what < 196) {
      kind = Kind::kSendAway;
    } else {
      kind = Kind::kProbe;
    }
    scenario.operations.push_back({kind, random.number(), random.number(), random.number(), random.number()});
  }
  return scenario;
}

Outcome run_here(const Scenario& scenario, const std::vector<std::size_t>& kept) {
  // Never destroyed: threads of processes that were killed still have parts of it.
  the_runner = new Runner(scenario);
  return the_runner->go(kept);
}

// The first line of what the child writes says how long the failure is.
Outcome run(const Scenario& scenario, const std::vector<std::size_t>& kept) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {"no pipe", ""};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    ::close(ends[0]);
    result_fd = ends[1];
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, died);
    if (std::getenv("SSE_SIMULATION_LOG") == nullptr) observe::init_logging({observe::Level::kError, {}, "/dev/null"});
    const Outcome outcome = run_here(scenario, kept);
    write_all(ends[1], std::to_string(outcome.failure.size()) + "\n" + outcome.failure + outcome.log);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  std::array<char, 65536> buffer{};
  bool timed_out = false;
  for (;;) {
    pollfd waiting{ends[0], POLLIN, 0};
    if (::poll(&waiting, 1, 180'000) == 0) {
      timed_out = true;
      ::kill(child, SIGKILL);
    }
    const ssize_t n = ::read(ends[0], buffer.data(), buffer.size());
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  std::error_code ignored;
  std::filesystem::remove_all(std::filesystem::temp_directory_path() / ("sse-simulation-" + std::to_string(child)),
                              ignored);
  if (timed_out) return {"it hangs: 180 seconds without an end", text};
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return {"the process died: a defect, see above", text};
  const std::size_t line = text.find('\n');
  const std::size_t size = std::strtoull(text.c_str(), nullptr, 10);
  return {text.substr(line + 1, size), text.substr(line + 1 + size)};
}

Outcome run(const Scenario& scenario) {
  std::vector<std::size_t> all(scenario.operations.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return run(scenario, all);
}

namespace {

// What has failed, without the numbers of the run.
std::string kind_of(const std::string& failure) {
  std::string kind;
  for (const char c : failure.substr(0, failure.find('\n'))) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) kind += c;
  }
  return kind;
}

}  // namespace

// As delta debugging does it: pieces are left out, large ones first.
std::vector<std::size_t> minimise(const Scenario& scenario, const std::string& failure, std::size_t max_runs) {
  std::vector<std::size_t> kept(scenario.operations.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  std::size_t runs = 0;
  for (std::size_t piece = kept.size() / 2; piece > 0 && runs < max_runs; piece /= 2) {
    for (std::size_t begin = 0; begin < kept.size() && runs < max_runs;) {
      std::vector<std::size_t> fewer(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(begin));
      fewer.insert(fewer.end(), kept.begin() + static_cast<std::ptrdiff_t>(std::min(begin + piece, kept.size())),
                   kept.end());
      ++runs;
      if (kind_of(run(scenario, fewer).failure) == kind_of(failure)) {
        kept = std::move(fewer);
      } else {
        begin += piece;
      }
    }
  }
  return kept;
}

}  // namespace sse::simulation
