// How work and memory grow with what there is of something: each is measured at n, 2n, 4n and 8n, and the exponent that
// fits best is printed. 1 is in proportion; what exceeds 1.2 is marked.
#include <malloc.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptors.h"
#include "base/manual_clock.h"
#include "delivery/history.h"
#include "delivery/memory_repository.h"
#include "delivery/sqlite_repository.h"
#include "delivery/trace.h"
#include "delivery/waits.h"
#include "event/event.h"
#include "hub/hub.h"
#include "hub/survey.h"

namespace {

using namespace sse;  // NOLINT(google-build-using-namespace): a program of its own
using event::Target;
using event::TargetKind;

constexpr double kMarked = 1.2;
constexpr int kDoublings = 3;
const ServiceName kService("bench");
bool quick = false;

double heap_bytes() {
  return static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd);
}

struct Nobody final : hub::HubDelegate {
  bool replay_wanted(const hub::ReplayRequest&) override { return false; }
  void acknowledged(TargetKind, std::string_view, MessageId, ConnectionId) override {}
};

// A hub with two loops and streams into sockets that nobody reads.
class Streams {
 public:
  Streams() {
    hub::HubOptions options;
    options.service = kService;
    options.heartbeat = std::chrono::milliseconds(0);
    for (int i = 0; i < 2; ++i) loops_.push_back(std::make_unique<net::EventLoop>("loop-" + std::to_string(i)));
    hub_ = std::make_unique<hub::Hub>(options, loops_, ids_, metrics_, nobody_);
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
                    const std::string& tenant = "", std::vector<std::string> listeners = {}) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      std::perror("socketpair");
      std::exit(1);
    }
    clients_.push_back(ends[1]);
    hub::NewConnection fresh;
    fresh.identity = {UserId(user), TenantId(tenant), {}};
    fresh.attributes.query = query;
    fresh.listeners = std::move(listeners);
    fresh.confirms = confirms;
    fresh.socket = net::Socket(UniqueFd(ends[0]));
    fresh.response_head = "HTTP/1.1 200 OK\r\n\r\n";
    return hub_->connect(std::move(fresh));
  }
  void settle() {
    for (int i = 0; i < 2; ++i) hub_->visit({}, [](hub::Shard&, std::size_t) {});
  }

 private:
  IdGenerator ids_{1};
  observe::Registry metrics_;
  Nobody nobody_;
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

// Processor time of `work` on all threads, which a busy machine does not spoil, and what it leaves in memory.
Sample measured(const std::function<void()>& work) {
  const double heap = heap_bytes();
  const std::clock_t begin = std::clock();
  work();
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  return {seconds, heap_bytes() - heap};
}

// The slope of the line through the logarithms; what is too little to measure does not grow.
double exponent(const std::vector<double>& n, const std::vector<double>& values, double least) {
  if (values.back() < least) return 0;
  double sx = 0;
  double sy = 0;
  double sxx = 0;
  double sxy = 0;
  for (std::size_t i = 0; i < n.size(); ++i) {
    const double x = std::log2(n[i]);
    const double y = std::log2(std::max(values[i], least / 100));
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  const auto count = static_cast<double>(n.size());
  return (count * sxy - sx * sy) / (count * sxx - sx * sx);
}

int marked = 0;

void row(const char* what, std::size_t most, const std::function<Sample(std::size_t)>& sample) {
  if (quick) most /= 8;
  std::vector<double> sizes;
  std::vector<double> seconds;
  std::vector<double> bytes;
  for (int i = kDoublings; i >= 0; --i) {
    const std::size_t n = most >> i;
    Sample best = sample(n);
    for (int round = quick ? 2 : 0; round < 2; ++round) {
      const Sample again = sample(n);
      best.seconds = std::min(best.seconds, again.seconds);
      best.bytes = std::min(best.bytes, again.bytes);
    }
    sizes.push_back(static_cast<double>(n));
    seconds.push_back(best.seconds);
    bytes.push_back(std::max(best.bytes, 0.0));
  }
  const double time = exponent(sizes, seconds, 0.0005);
  const double memory = exponent(sizes, bytes, 64.0 * 1024);
  const bool mark = time > kMarked || memory > kMarked;
  if (mark) ++marked;
  std::printf("%-58s %6zu %9.4f s %5.2f %9.0f KiB %5.2f%s\n", what, most, seconds.back(), time, bytes.back() / 1024,
              memory, mark ? "  <-- more than 1.2" : "");
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
    std::vector<hub::Whereabouts> asked;
    for (std::size_t i = 1; i <= n; ++i) {
      streams.open(std::to_string(i), "", true, "t");
      asked.push_back({TargetKind::kTenant, "t", MessageId(i), "news", i % 2 == 0});
    }
    (*streams).deliver({TargetKind::kTenant, {"t"}}, "news", frame(7, TargetKind::kTenant));
    return measured([&] { (*streams).locate(asked); });
  });
  row("tenants in names", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open("", "", false, std::to_string(i));
    std::vector<std::string> found;
    return measured([&] { found = (*streams).names(TargetKind::kTenant); });
  });
  row("streams drained 50 at a time", 8000, [](std::size_t n) {
    Streams streams;
    for (std::size_t i = 0; i < n; ++i) streams.open(std::to_string(i));
    streams.settle();
    return measured([&] {
      hub::ConnectionsInTurn turn(*streams);
      for (std::size_t sent = 0; sent < n;)
        sent += (*streams).send_away(turn.next(50), std::chrono::milliseconds(1000));
    });
  });
  row("listeners of one stream", hub::kMostListeners, [](std::size_t n) {
    Streams streams;
    const ConnectionId id = streams.open("u");
    streams.settle();
    return measured([&] { (*streams).change_listeners(id, {UserId("u")}, names(n), true); });
  });
}

// Lists, expires and lists again a message of 64 KiB for n.
Sample large_message(delivery::MessageRepository& repository, delivery::MessageCatalog& catalog,
                     delivery::DeadLetters& dead, std::size_t n) {
  delivery::NewMessage message;
  message.service = kService;
  message.target = {TargetKind::kUser, names(n)};
  message.event = "news";
  message.data = std::string(64 * 1024, 'x');
  message.created = wall_now();
  message.expires = message.created + std::chrono::seconds(1);
  const MessageId id = repository.add(message);
  std::vector<delivery::PendingMessage> rows;
  std::vector<delivery::DeadLetter> letters;
  return measured([&] {
    rows = catalog.find(id);
    repository.expire(message.expires + std::chrono::seconds(1));
    letters = dead.list_dead({}, 0, n);
  });
}

void of_messages() {
  row("recipients of 64 KiB, found and expired (memory)", 8000, [](std::size_t n) {
    IdGenerator ids(1);
    delivery::MemoryRepository repository(ids);
    return large_message(repository, repository, repository, n);
  });
  row("recipients of 64 KiB, found and expired (SQLite)", 2000, [](std::size_t n) {
    char folder[] = "/tmp/sse-growth-XXXXXX";
    if (mkdtemp(folder) == nullptr) std::exit(1);
    Sample sample;
    {
      IdGenerator ids(1);
      delivery::SqliteRepository::Options options;
      options.path = std::string(folder) + "/pending.db";
      delivery::SqliteRepository repository(options, ids);
      sample = large_message(repository, repository, repository, n);
    }
    std::filesystem::remove_all(folder);
    return sample;
  });
  row("recipients that somebody waits for", 8000, [](std::size_t n) {
    std::vector<delivery::Recipient> recipients;
    for (std::string& name : names(n)) recipients.push_back({TargetKind::kUser, std::move(name)});
    return measured([&] {
      delivery::Waits waits;
      delivery::Waits::Wait wait(waits, MessageId(5));
      std::thread loop([&] {
        for (const delivery::Recipient& one : recipients) waits.confirmed(one.kind, one.name, MessageId(5));
      });
      wait.until(recipients, steady_now() + std::chrono::minutes(1));
      loop.join();
    });
  });
  row("events kept for a client that comes back", 80'000, [](std::size_t n) {
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
      trace.add({wall_now(), MessageId(1), delivery::Trace::What::kSent, TargetKind::kUser, std::to_string(i),
                 ConnectionId(i)});
      trace.ended(ConnectionId(i), net::CloseReason::kClientClosed, wall_now());
    }
    std::vector<delivery::Trace::Entry> story;
    return measured([&] { story = trace.of(MessageId(1)); });
  });
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else {
      std::fprintf(stderr, "usage: growth [--quick]\n");
      return 2;
    }
  }
  if (const std::size_t limit = raise_descriptor_limit(); !quick && limit < 16'100) {
    std::fprintf(stderr, "16,100 descriptors are needed, and the hard limit (RLIMIT_NOFILE) is %zu\n", limit);
    return 1;
  }
  std::printf("%-58s %6s %11s %5s %13s %5s\n", "n, doubled three times", "at", "takes", "n^", "leaves", "n^");
  of_streams();
  of_messages();
  std::printf(marked == 0 ? "nothing exceeds 1.2\n" : "%d exceed 1.2\n", marked);
  return 0;
}
