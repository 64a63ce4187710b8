// Measures how time and memory grow with the number n of streams, users, messages or nodes. Each row is measured at n,
// 2n, 4n and 8n, and the best-fitting exponent is printed. 1 means proportional; values above 1.2 are marked.
#include <malloc.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/descriptors.h"
#include "base/manual_clock.h"
#include "cluster/core/cluster.h"
#include "cluster/core/topics.h"
#include "delivery/confirmation_waiter.h"
#include "delivery/history.h"
#include "delivery/trace.h"
#include "delivery/waiting_sends.h"
#include "event/event.h"
#include "hub/connection_scan.h"
#include "hub/hub.h"
#include "observe/log.h"
#include "store/memory/memory_repository.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/files.h"
#include "support/memory_bus.h"
#include "support/memory_discovery.h"

namespace {

using namespace sse;  // NOLINT(google-build-using-namespace): a program of its own
using event::Target;
using event::TargetKind;

constexpr double kMarked = 1.2;
constexpr int kDoublings = 3;
const ServiceName kService("bench");
bool quick = false;
std::string only;  // run only rows whose name contains this; empty: all

double heap_bytes() {
  return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd);
}

struct NullDelegate final : hub::HubDelegate {
  bool request_replay(const hub::ReplayRequest&) override { return false; }
  void acknowledged(TargetKind, std::string_view, MessageId, ConnectionId) override {}
};

// A hub with two loops, and streams whose client sockets are never read.
class Streams {
 public:
  Streams() {
    hub::HubOptions options;
    options.service = kService;
    options.heartbeat = std::chrono::milliseconds(0);
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    hub_ = std::make_unique<hub::Hub>(options, loops_, ids_, metrics_, delegate_);
    for (const auto& loop : loops_) loop->start();
  }
  ~Streams() {
    for (const auto& loop : loops_) loop->stop();
    hub_.reset();
    for (const int fd : clients_) ::close(fd);
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  hub::Hub& operator*() { return *hub_; }
  ConnectionId open(const std::string& user, const std::string& query = "", bool confirms = false,
                    const std::string& tenant = "", std::vector<std::string> listeners = {},
                    const std::string& channel = "") {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      std::perror("socketpair");
      std::exit(1);
    }
    clients_.push_back(ends[1]);
    hub::NewConnection fresh;
    fresh.identity = {UserId(user), TenantId(tenant), {}};
    if (!channel.empty()) fresh.channels.push_back({ChannelName(channel)});
    fresh.attributes.query = query;
    fresh.listeners = std::move(listeners);
    fresh.confirms = confirms;
    fresh.socket = net::Socket(UniqueFd(ends[0]));
    fresh.response_head = "HTTP/1.1 200 OK\r\n\r\n";
    return hub_->connect(std::move(fresh));
  }
  void settle() {
    for (int i = 0; i < 2; ++i) hub_->directory().visit({}, [](hub::Shard&, std::size_t) {});
  }

 private:
  IdGenerator ids_{1};
  observe::Registry metrics_;
  NullDelegate delegate_;
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::unique_ptr<hub::Hub> hub_;
  std::vector<int> clients_;
};

event::FrameRef frame(std::uint64_t message, TargetKind kind = TargetKind::kUser, std::size_t bytes = 10) {
  return event::Frame::make("data:" + std::string(bytes, 'x') + "\n\n", MessageId(message), kind);
}

struct Sample {
  double seconds = 0;
  double bytes = 0;
};

// CPU time of `work` on all threads, which other load on the machine hardly affects, and the memory left allocated.
Sample measured(const std::function<void()>& work) {
  const double heap = heap_bytes();
  const std::clock_t begin = std::clock();
  work();
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return {seconds, heap_bytes() - heap};
}

// The slope of the regression line through the logarithms; 0 if the values are too small to measure. Values below an
// eighth of `least` count as that, which is what a proportional row has at its first size: the rest is noise.
double exponent(const std::vector<double>& n, const std::vector<double>& values, double least) {
  if (values.back() < least) return 0;
  double sx = 0;
  double sy = 0;
  double sxx = 0;
  double sxy = 0;
  for (std::size_t i = 0; i < n.size(); ++i) {
    const double x = std::log2(n[i]);
    const double y = std::log2(std::max(values[i], least / 8));
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  const auto count = static_cast<double>(n.size());
  return (count * sxy - sx * sy) / (count * sxx - sx * sx);
}

int marked = 0;

// Prints one row. With a `unit`, Sample::seconds is a count of that unit instead of seconds.
void row(const char* what, std::size_t max_size, const std::function<Sample(std::size_t)>& sample,
         const char* unit = nullptr) {
  if (std::string_view(what).find(only) == std::string_view::npos) return;
  if (quick) max_size = std::max<std::size_t>(max_size / 8, 1 << kDoublings);
  std::vector<double> sizes;
  std::vector<double> seconds(kDoublings + 1, std::numeric_limits<double>::infinity());
  std::vector<double> bytes = seconds;
  for (int i = kDoublings; i >= 0; --i) sizes.push_back(static_cast<double>(max_size >> i));
  double time = 0;
  double memory = 0;
  bool mark = true;
  // Again if it seems to exceed: the best of more rounds is nearer to what the work itself takes.
  for (int attempt = 0; mark && attempt < 3; ++attempt) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      for (int round = quick ? 2 : 0; round < 3; ++round) {
        const Sample one = sample(static_cast<std::size_t>(sizes[i]));
        seconds[i] = std::min(seconds[i], one.seconds);
        bytes[i] = std::min(bytes[i], std::max(one.bytes, 0.0));
      }
    }
    time = exponent(sizes, seconds, unit == nullptr ? 0.0005 : 1);
    memory = exponent(sizes, bytes, 64.0 * 1024);
    mark = time > kMarked || memory > kMarked;
  }
  if (mark) ++marked;
  std::printf("%-58s %6zu %9.*f %s %5.2f %9.0f KiB %5.2f%s\n", what, max_size, unit == nullptr ? 4 : 0, seconds.back(),
              unit == nullptr ? "s" : unit, time, bytes.back() / 1024, memory, mark ? "  <-- more than 1.2" : "");
  std::fflush(stdout);
}

std::vector<std::string> names(std::size_t n) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back("u" + std::to_string(i));
  return all;
}

void of_streams() {
  row("streams of one user, a client each", 8000, [](std::size_t n) {
    Streams streams;
    return measured([&] {
      for (std::size_t i = 0; i < n; ++i) streams.open("kiosk", "clientId=" + std::to_string(i));
      streams.settle();
    });
  });
  row("streams of as many users", 8000, [](std::size_t n) {
    Streams streams;
    return measured([&] {
      for (std::size_t i = 0; i < n; ++i) streams.open(std::to_string(i));
      streams.settle();
    });
  });
  row("ids in one ack.do, 20 ended streams of the client", 8000, [](std::size_t n) {
    Streams streams;
    std::vector<MessageId> ids;
    ConnectionId last;
    for (int s = 0; s <= 20; ++s) {
      last = streams.open("u", "clientId=c", true);
      std::vector<hub::Hub::Delivery> deliveries;
      const Target target{TargetKind::kUser, {"u"}};
      ids.clear();
      for (std::size_t i = 1; i <= n; ++i) {
        ids.emplace_back(n + 1 - i);
        deliveries.push_back({target, "news", frame(i), {}});
      }
      (*streams).deliver(std::move(deliveries));
      if (s < 20) (*streams).disconnect(last, {UserId("u")});
    }
    return measured([&] { (*streams).acknowledge(last, {UserId("u")}, ids); });
  });
  row("300 sends beside streams that await acknowledgements", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open("slow");
    streams.open("u");
    (*streams).deliver({TargetKind::kUser, {"slow"}}, "news", frame(1));
    return measured([&] {
      for (std::uint64_t i = 2; i < 302; ++i) (*streams).deliver({TargetKind::kUser, {"u"}}, "news", frame(i));
    });
  });
  row("messages located among as many members of a group", 8000, [](std::size_t n) {
    Streams streams;
    std::vector<hub::DeliveryState> asked;
    for (std::size_t i = 1; i <= n; ++i) {
      streams.open(std::to_string(i), "", true, "t");
      asked.push_back({TargetKind::kTenant, "t", MessageId(i), "news", i % 2 == 0});
    }
    (*streams).deliver({TargetKind::kTenant, {"t"}}, "news", frame(7, TargetKind::kTenant));
    return measured([&] { (*streams).directory().find_delivery_states(asked); });
  });
  row("tenants in names", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open("", "", false, std::to_string(i));
    std::vector<std::string> found;
    return measured([&] { found = (*streams).directory().names(TargetKind::kTenant); });
  });
  row("streams drained 50 at a time", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open(std::to_string(i));
    streams.settle();
    return measured([&] {
      hub::ConnectionIterator turn((*streams).directory());
      for (std::size_t sent = 0; sent < n;)
        sent += (*streams).close_for_reconnect(turn.next(50), std::chrono::milliseconds(1000));
    });
  });
  row("channels, a stream in each, an event for each and for all", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open("", "", false, "", {}, "u" + std::to_string(i));
    const Target all{TargetKind::kChannel, names(n)};
    return measured([&] {
      (*streams).deliver(all, "news", frame(1, TargetKind::kChannel));
      for (const std::string& name : all.names)
        (*streams).deliver({TargetKind::kChannel, {name}}, "news", frame(2, TargetKind::kChannel));
    });
  });
  row("tenants of one user id, 300 events for that of one", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open("u", "", false, std::to_string(i));
    const Target one{TargetKind::kMember, {event::member_name("u", "7")}};
    return measured([&] {
      for (std::uint64_t i = 1; i <= 300; ++i) (*streams).deliver(one, "news", frame(i, TargetKind::kMember));
    });
  });
  row("ended streams of as many clients, confirmed afterwards", 2000, [](std::size_t n) {
    Streams streams;
    std::vector<ConnectionId> ended;
    for (std::size_t i = 0; i < n; ++i) {
      const std::string user = std::to_string(i);
      ended.push_back(streams.open(user, "clientId=c", true));
      (*streams).deliver({TargetKind::kUser, {user}}, "news", frame(i + 1));
    }
    return measured([&] {
      for (std::size_t i = 0; i < n; ++i) (*streams).disconnect(ended[i], {UserId(std::to_string(i))});
      for (std::size_t i = 0; i < n; ++i)
        (*streams).acknowledge(ended[i], {UserId(std::to_string(i))}, {MessageId(i + 1)});
    });
  });
  row("listeners of one stream", hub::kMaxListeners, [](std::size_t n) {
    Streams streams;
    const ConnectionId id = streams.open("u");
    streams.settle();
    return measured([&] { (*streams).change_listeners(id, {UserId("u")}, names(n), true); });
  });
}

// A temporary SQLite database, removed by the destructor.
class Database {
 public:
  Database() {
    store::SqliteRepository::Options options;
    options.path = folder_.file("pending.db");
    repository_ = std::make_unique<store::SqliteRepository>(options, ids_);
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  store::SqliteRepository& operator*() { return *repository_; }
  store::SqliteRepository* operator->() { return repository_.get(); }

 private:
  const testing::TempFolder folder_;
  IdGenerator ids_{1};
  std::unique_ptr<store::SqliteRepository> repository_;
};

store::NewMessage message_for(std::string user, std::size_t bytes) {
  store::NewMessage message;
  message.service = kService;
  message.target = {TargetKind::kUser, {std::move(user)}};
  message.event = "news";
  message.data = std::string(bytes, 'x');
  message.created = wall_now();
  message.expires = message.created + std::chrono::seconds(1);
  return message;
}

// Finds, expires and lists as a dead letter a message of 64 KiB for n recipients.
Sample large_message(store::MessageRepository& repository, store::MessageCatalog& catalog, store::DeadLetters& dead,
                     std::size_t n) {
  store::NewMessage message = message_for("", 64 * 1024);
  message.target.names = names(n);
  const MessageId id = repository.add(message);
  std::vector<store::PendingMessage> rows;
  std::vector<store::DeadLetter> letters;
  return measured([&] {
    rows = catalog.find(id);
    repository.expire(message.expires + std::chrono::seconds(1));
    letters = dead.list_dead({}, 0, n);
  });
}

// n messages that expire, are listed page by page, are requeued, expire again and are purged.
template <class Repository>
Sample dead_letters(Repository& repository, std::size_t n) {
  std::vector<store::NewMessage> messages;
  for (std::size_t i = 0; i < n; ++i) messages.push_back(message_for("u" + std::to_string(i % 100), 100));
  repository.add_all(messages);
  return measured([&] {
    const WallTime later = messages.back().expires + std::chrono::seconds(1);
    repository.expire(later);
    for (std::size_t seen = 0; seen < n; seen += 100) repository.list_dead({}, seen, 100);
    repository.requeue({}, {}, later);
    repository.expire(later + std::chrono::seconds(2));
    repository.purge_dead({}, {});
  });
}

void of_messages() {
  row("dead letters (memory)", 8000, [](std::size_t n) {
    IdGenerator ids(1);
    store::MemoryRepository repository(ids);
    return dead_letters(repository, n);
  });
  row("dead letters (SQLite)", 8000, [](std::size_t n) {
    Database database;
    return dead_letters(*database, n);
  });
  row("recipients of a dead letter of 64 KiB, sent again (SQLite)", 2000, [](std::size_t n) {
    Database database;
    store::NewMessage message = message_for("", 64 * 1024);
    message.target.names = names(n);
    database->add(message);
    database->expire(message.expires + std::chrono::seconds(1));
    return measured([&] { database->requeue({}, {}, message.expires + std::chrono::seconds(1)); });
  });
  row("messages of 1 MiB on their way before a small one", 64, [](std::size_t n) {
    Database database;
    std::latch done(static_cast<std::ptrdiff_t>(n));
    for (std::size_t i = 0; i < n; ++i)
      database->add_async(message_for("large", 1 << 20),
                          [&](store::NewMessage&&, store::AddOutcome&&) { done.count_down(); });
    // This row measures waiting, so it uses wall time.
    const SteadyTime begin = steady_now();
    database->add(message_for("small", 10));
    const double seconds = std::chrono::duration<double>(steady_now() - begin).count();
    done.wait();
    return Sample{seconds, 0};
  });
  row("senders that wait for confirmations", 8000, [](std::size_t n) {
    delivery::WaitingSends waiting(Clock::system());
    waiting.start();
    std::latch left(static_cast<std::ptrdiff_t>(n));
    const SteadyTime deadline = steady_now() + std::chrono::minutes(5);
    std::vector<std::atomic<bool>> confirmed(n + 1);
    return measured([&] {
      for (std::size_t i = 1; i <= n; ++i) {
        waiting.add(MessageId(i), deadline, std::chrono::milliseconds(0), [&, i](bool) {
          if (!confirmed[i]) return false;
          left.count_down();
          return true;
        });
      }
      for (std::size_t i = n; i > 0; --i) {
        confirmed[i] = true;
        waiting.confirmed(MessageId(i));
      }
      left.wait();
    });
  });
  row("recipients of 64 KiB, found and expired (memory)", 8000, [](std::size_t n) {
    IdGenerator ids(1);
    store::MemoryRepository repository(ids);
    return large_message(repository, repository, repository, n);
  });
  row("recipients of 64 KiB, found and expired (SQLite)", 2000, [](std::size_t n) {
    Database database;
    return large_message(*database, *database, *database, n);
  });
  row("recipients that a sender waits for", 8000, [](std::size_t n) {
    std::vector<store::Recipient> recipients;
    for (std::string& name : names(n)) recipients.push_back({TargetKind::kUser, std::move(name)});
    return measured([&] {
      delivery::ConfirmationWaiter waits;
      delivery::ConfirmationWaiter::Wait wait(waits, MessageId(5));
      std::thread loop([&] {
        for (const store::Recipient& one : recipients) waits.confirmed(one.kind, one.name, MessageId(5));
      });
      wait.until(recipients, steady_now() + std::chrono::minutes(1));
      loop.join();
    });
  });
  row("events replayed to a client that resumes", 80'000, [](std::size_t n) {
    observe::Registry metrics;
    delivery::HistoryOptions options;
    options.events = n;
    delivery::History history(options, MessageId(1), metrics, kService);
    for (std::uint64_t i = 2; i < n + 2; ++i) history.keep(Target::all(), "news", MessageId(i), frame(i), steady_now());
    delivery::History::Client client;
    client.connection = ConnectionId(n + 10);
    client.last_event_id = "1";
    client.topics = {{TargetKind::kUser, "u"}, {TargetKind::kAll, ""}};
    client.listens = [](std::string_view) { return true; };
    return measured([&] { history.resume(client, steady_now()); });
  });
  row("streams that one message was sent into, traced", 8000, [](std::size_t n) {
    delivery::Trace trace;
    for (std::uint64_t i = 1; i <= n; ++i) {
      trace.add({wall_now(), MessageId(1), delivery::Trace::Step::kSent, TargetKind::kUser, std::to_string(i),
                 ConnectionId(i)});
      trace.ended(ConnectionId(i), net::CloseReason::kClientClosed, wall_now());
    }
    std::vector<delivery::Trace::Entry> story;
    return measured([&] { story = trace.of(MessageId(1)); });
  });
}

// A node of a cluster in this process, with one user's stream. Counts the commands it receives.
class Member final : public cluster::LocalNode {
 public:
  Member(std::size_t number, const std::shared_ptr<cluster::MemoryExchange>& exchange,
         const std::shared_ptr<cluster::MemoryRegistry>& registry) {
    const std::string id = "node" + std::to_string(number);
    cluster::Cluster::Options options;
    options.node = id;
    options.heartbeat = std::chrono::milliseconds(20);
    auto bus = std::make_unique<cluster::MemoryBus>(exchange, cluster::bus_name(id));
    cluster::MemoryBus& started = *bus;
    cluster_ = std::make_unique<cluster::Cluster>(options, std::move(bus),
                                                  std::make_unique<cluster::MemoryDiscovery>(registry), metrics_);
    started.start(cluster_->receiver());
    cluster_->join(*this);
    cluster_->start();
    std::latch stands(1);
    cluster_->interest().acquire({cluster::receiver_topic(kService, TargetKind::kUser, "u" + std::to_string(number)),
                                  cluster::receiver_topic(kService, TargetKind::kAll, "")},
                                 [&] { stands.count_down(); });
    stands.wait();
  }
  ~Member() { cluster_->stop(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void deliver(std::vector<cluster::DeliverCommand> commands,
               std::function<void(std::vector<std::uint32_t>)> done) override {
    commands_ += commands.size();
    done(std::vector<std::uint32_t>(commands.size(), 1));
  }
  std::string handle(const cluster::RequestCommand&) override {
    ++commands_;
    return "";
  }
  std::vector<std::vector<ConnectionId>> connections_of(const std::vector<cluster::ClientCommand>& clients) override {
    ++commands_;
    return std::vector<std::vector<ConnectionId>>(clients.size());
  }
  std::vector<cluster::Place> find_delivery_states(
      const std::vector<cluster::DeliveryStateCommand>& messages) override {
    ++commands_;
    return std::vector<cluster::Place>(messages.size());
  }
  void on_messages_missed() override {}
  event::Json facts() override { return event::Json::object(); }

  void send(TargetKind kind, const std::string& name) {
    const std::vector<cluster::DeliverCommand> commands{{kService, kind, name, false, "news", frame(1, kind)}};
    cluster_->finish(*cluster_->deliver(commands));
  }
  cluster::Cluster& cluster() { return *cluster_; }
  std::size_t commands() const { return commands_; }

 private:
  observe::Registry metrics_;
  std::atomic<std::size_t> commands_{0};
  std::unique_ptr<cluster::Cluster> cluster_;
};

void of_nodes() {
  const auto counted = [](std::size_t n, const std::function<void(Member&)>& act) {
    const auto exchange = std::make_shared<cluster::MemoryExchange>();
    const auto registry = std::make_shared<cluster::MemoryRegistry>();
    std::vector<std::unique_ptr<Member>> members;
    for (std::size_t i = 0; i < n; ++i) members.push_back(std::make_unique<Member>(i, exchange, registry));
    const auto commands = [&] {
      std::size_t all = 0;
      for (const auto& member : members) all += member->commands();
      return static_cast<double>(all);
    };
    const double before = commands();
    for (const auto& member : members) act(*member);
    return Sample{commands() - before, 0};
  };
  row(
      "nodes, each sends an event to a user of another", 32,
      [&](std::size_t n) { return counted(n, [](Member& member) { member.send(TargetKind::kUser, "u0"); }); },
      "commands");
  row(
      "nodes, one of which sends an event to all", 32,
      [&](std::size_t n) {
        bool sent = false;
        return counted(n, [&](Member& member) {
          if (!std::exchange(sent, true)) member.send(TargetKind::kAll, "");
        });
      },
      "commands");
  row(
      "nodes, one of which asks for a client's streams", 32,
      [&](std::size_t n) {
        bool asked = false;
        return counted(n, [&](Member& member) {
          if (!std::exchange(asked, true)) member.cluster().connections_of({{kService, "u1", "c", "", ""}});
        });
      },
      "commands");
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr, "usage: growth [--quick] [--only TEXT]\n");
      return 2;
    }
  }
  observe::LogOptions log;
  log.level = observe::Level::kError;
  observe::init_logging(log);
  if (const std::size_t limit = raise_descriptor_limit(); !quick && limit < 16'100) {
    std::fprintf(stderr, "16,100 descriptors are needed, and the hard limit (RLIMIT_NOFILE) is %zu\n", limit);
    return 1;
  }
  std::printf("%-58s %6s %11s %5s %13s %5s\n", "n, doubled three times", "at", "takes", "n^", "leaves", "n^");
  of_streams();
  of_messages();
  of_nodes();
  std::printf(marked == 0 ? "nothing exceeds 1.2\n" : "%d exceed 1.2\n", marked);
  return 0;
}
