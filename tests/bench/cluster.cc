// Several nodes over one Redis: events to users of another node, compared with PUBLISH and XADD of Redis itself, and
// many streams.
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>

#include "base/error.h"
#include "pace.h"
#include "redis.h"
#include "sections.h"
#include "ssectl/load/mark.h"
#include "ssectl/load/peer.h"

namespace sse::bench {
namespace {

constexpr std::size_t kUsers = 2000;
constexpr std::size_t kToOne = 5000;
constexpr std::size_t kSenders = 64;
constexpr std::size_t kReadBytes = std::size_t{256} * 1024;
constexpr std::size_t kMaxSamples = 1'000'000;
constexpr std::chrono::seconds kTimeout{20};

std::string resp(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return text;
}

// A child process that only subscribes to the channels u<first>, u<first + 1>, …, with a connection for each.
class BareSubscriber {
 public:
  BareSubscriber(int port, std::size_t first, std::size_t channels, std::size_t size) {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw system_error(errno, "cannot prepare a subscriber");
    shared_ = new (memory) Shared;
    pid_ = fork();
    if (pid_ == 0) serve(port, first, channels, size);
    wait([&] { return shared_->subscribed.load() == channels; });
  }
  ~BareSubscriber() {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    munmap(shared_, sizeof(Shared));
  }
  BareSubscriber(const BareSubscriber&) = delete;
  BareSubscriber& operator=(const BareSubscriber&) = delete;

  std::uint64_t events() const { return shared_->events.load(); }
  void wait_events(std::uint64_t count) const {
    wait([&] { return events() >= count; });
  }
  // Latencies in milliseconds of the events since number `from`.
  std::vector<double> latencies(std::uint64_t from) const {
    std::vector<double> all;
    for (std::uint64_t i = from; i < std::min<std::uint64_t>(events(), kMaxSamples); ++i)
      all.push_back(shared_->micros[i] / 1000.0);
    std::ranges::sort(all);
    return all;
  }

 private:
  struct Shared {
    std::atomic<std::uint64_t> subscribed{0};
    std::atomic<std::uint64_t> events{0};
    std::uint32_t micros[kMaxSamples];
  };
  struct Connection {
    UniqueFd fd;
    bool subscribed = false;
    std::string text;  // received bytes that are not parsed yet
  };

  template <class Done>
  static void wait(Done done) {
    const SteadyTime deadline = steady_now() + kTimeout;
    while (!done()) {
      if (steady_now() > deadline) throw Error(ErrorCode::kTimeout, "the subscriber of Redis lost events");
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  [[noreturn]] void serve(int port, std::size_t first, std::size_t channels, std::size_t size) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
      std::vector<std::unique_ptr<Connection>> all;
      for (std::size_t channel = first; channel < first + channels; ++channel) {
        all.push_back(std::make_unique<Connection>(Connection{connect_to_redis(port), false, ""}));
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = all.back().get();
        if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, all.back()->fd.get(), &event) != 0) _exit(1);
        send_to_redis(all.back()->fd.get(), resp({"SUBSCRIBE", "u" + std::to_string(channel)}));
      }
      const std::string before = "\r\n$" + std::to_string(size) + "\r\n";
      std::vector<char> buffer(kReadBytes);
      std::array<epoll_event, 1024> ready{};
      for (;;) {
        const int n = epoll_wait(epoll.get(), ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < n; ++i)
          read(*static_cast<Connection*>(ready.at(static_cast<std::size_t>(i)).data.ptr), buffer, before, size);
      }
    } catch (const std::exception&) {
      _exit(1);
    }
  }

  void read(Connection& connection, std::vector<char>& buffer, const std::string& before, std::size_t size) {
    const ssize_t n = recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) _exit(1);
    std::string& text = connection.text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (!connection.subscribed) {
      // The reply ends with the number of subscribed channels.
      if (!text.ends_with(":1\r\n")) return;
      connection.subscribed = true;
      shared_->subscribed.fetch_add(1);
      text.clear();
    }
    std::size_t at = 0;
    for (std::size_t found = text.find(before); found != std::string::npos; found = text.find(before, at)) {
      const std::size_t begin = found + before.size();
      if (begin + size > text.size()) break;
      at = begin + size;
      const auto mark = load::read_mark(std::string_view(text).substr(begin, size));
      if (!mark) continue;
      const std::uint64_t number = shared_->events.load();
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_now() - mark->intended);
      if (number < kMaxSamples) shared_->micros[number] = static_cast<std::uint32_t>(took.count());
      shared_->events.store(number + 1);
    }
    text.erase(0, at);
  }

  Shared* shared_;
  pid_t pid_ = -1;
};

class BarePublisher {
 public:
  explicit BarePublisher(int port) : fd_(connect_to_redis(port)) {}

  void publish(std::size_t user, std::size_t size, SteadyTime intended = steady_now()) {
    begin(user, size, intended);
    finish();
  }
  // The two halves of a call, for a thread with many connections: call finish() when fd() is readable.
  void begin(std::size_t user, std::size_t size, SteadyTime intended = steady_now()) {
    send_to_redis(fd_.get(), command(user, size, intended));
  }
  // Adds an entry to the user's Redis stream instead of publishing.
  void begin_adding(std::size_t user, std::size_t size) {
    send_to_redis(fd_.get(), resp({"XADD", "entries:u" + std::to_string(user), "*", "data",
                                   load::payload({steady_now(), 0, sequence_++}, size)}));
  }
  void finish() { read_answers(1); }
  int fd() const { return fd_.get(); }

  // Publishes one event for each of `users`, in one pipeline.
  void publish_all(const std::vector<std::size_t>& users, std::size_t size) {
    std::string text;
    for (const std::size_t user : users) text += command(user, size, steady_now());
    std::thread writer([&] { send_to_redis(fd_.get(), text); });
    read_answers(users.size());
    writer.join();
  }

 private:
  std::string command(std::size_t user, std::size_t size, SteadyTime intended) {
    return resp({"PUBLISH", "u" + std::to_string(user), load::payload({intended, 0, sequence_++}, size)});
  }
  // A reply is a number, or an id preceded by its length.
  void read_answers(std::size_t count) {
    char buffer[4096];
    while (count > 0) {
      const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) throw system_error(errno, "cannot read from Redis");
      for (ssize_t i = 0; i < n; ++i) {
        if (buffer[i] == '-' && i + 1 < n && std::isupper(static_cast<unsigned char>(buffer[i + 1])) != 0)
          throw Error(ErrorCode::kInternal, "Redis answered " + std::string(buffer + i, buffer + n));
        if ((buffer[i] == ':' || buffer[i] == '-') && count > 0) --count;
      }
    }
  }

  UniqueFd fd_;
  std::uint64_t sequence_ = 0;
};

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(q * static_cast<double>(sorted.size())))];
}

// Like measure(), for BareSubscriber.
template <class Send>
void measure_bare(const BareSubscriber& subscriber, std::uint64_t events, Figures& figures, Send send) {
  const std::uint64_t before = subscriber.events();
  const SteadyTime begin = steady_now();
  send();
  subscriber.wait_events(before + events);
  figures.rate.push_back(static_cast<double>(events) / seconds_since(begin));
  const std::vector<double> latencies = subscriber.latencies(before);
  figures.p50_ms.push_back(quantile(latencies, 0.5));
  figures.p99_ms.push_back(quantile(latencies, 0.99));
}

// Makes `count` calls, distributed over all callers that run concurrently; `begin(caller, number)` starts a call.
template <class Caller, class Begin, class Finish>
void call_each(const std::vector<std::unique_ptr<Caller>>& callers, std::size_t count, Begin begin, Finish finish) {
  run_concurrently(
      callers,
      [&](std::size_t n) {
        if (count == 0) return false;
        begin(*callers[n], --count);
        return true;
      },
      [&](std::size_t n) { finish(*callers[n]); });
}

}  // namespace

// In every row, sse-serve and the reference have the same number of receiving connections and of concurrent calls. Only
// the server between them differs.
void cross_node(const Settings& settings, Table& table) {
  Redis redis;
  const std::size_t users = std::min(settings.streams, kUsers);
  const std::size_t alone = users;  // the number of the user who receives all events of a row
  const std::vector<std::size_t> all_users = first_streams(users);
  const std::vector<std::size_t> to_one(settings.quick ? 500 : kToOne, alone);
  BareSubscriber subscriber(redis.port(), 0, users, settings.size);
  BareSubscriber single(redis.port(), alone, 1, settings.size);
  SseServe sending(settings, "sending node", redis.node_options(1));
  SseServe holding(settings, "holding node", redis.node_options(2));
  Attached ours(holding, users);
  Attached our_one(holding, 1, alone);
  BarePublisher publisher(redis.port());
  std::vector<std::unique_ptr<load::Poster>> posters;
  std::vector<std::unique_ptr<BarePublisher>> publishers;
  for (std::size_t n = 0; n < kSenders; ++n) {
    posters.push_back(std::make_unique<load::Poster>(sending.admin(), "/api/v1/send", "application/json"));
    publishers.push_back(std::make_unique<BarePublisher>(redis.port()));
  }
  const std::size_t rounds = static_cast<std::size_t>(settings.rounds);
  const std::size_t count = settings.quick ? 300 : 3000;
  const std::size_t calls_at_once = settings.quick ? 500 : 5 * users;
  constexpr double kRate = 500;
  Figures paced, bare_paced, calls, bare_calls, many, bare_many, bulk, bare_bulk, solo, bare_solo, warm_up;
  std::vector<double> kept;
  std::vector<double> added;
  measure(ours, users, warm_up, [&](auto) { sending.unicast_bulk(all_users, settings.size); });
  for (std::size_t round = 0; round < rounds; ++round) {
    measure(ours, count, paced, [&](auto) {
      at_rate(kRate, count, [&](std::size_t n, SteadyTime due) { sending.unicast(n % users, settings.size, due); });
    });
    measure_bare(subscriber, count, bare_paced, [&] {
      at_rate(kRate, count, [&](std::size_t n, SteadyTime due) { publisher.publish(n % users, settings.size, due); });
    });
    measure(ours, users, calls, [&](auto) {
      for (std::size_t i = 0; i < users; ++i) sending.unicast(i, settings.size);
    });
    measure_bare(subscriber, users, bare_calls, [&] {
      for (std::size_t i = 0; i < users; ++i) publisher.publish(i, settings.size);
    });
    const auto post = [](load::Poster& poster) { SseServe::require_accepted(poster.finish()); };
    const auto answer = [](BarePublisher& one) { one.finish(); };
    measure(ours, calls_at_once, many, [&](auto) {
      call_each(
          posters, calls_at_once,
          [&](load::Poster& poster, std::size_t n) { poster.begin(sending.unicast_body(n % users, settings.size)); },
          post);
    });
    measure_bare(subscriber, calls_at_once, bare_many, [&] {
      call_each(
          publishers, calls_at_once, [&](BarePublisher& one, std::size_t n) { one.begin(n % users, settings.size); },
          answer);
    });
    const SteadyTime begin_kept = steady_now();
    call_each(
        posters, calls_at_once,
        [&](load::Poster& poster, std::size_t n) {
          poster.begin(SseServe::message(R"("users":["offline)" + std::to_string(n % users) + R"("])",
                                         load::payload({steady_now(), 0, n}, settings.size), true));
        },
        post);
    kept.push_back(static_cast<double>(calls_at_once) / seconds_since(begin_kept));
    const SteadyTime begin_added = steady_now();
    call_each(
        publishers, calls_at_once,
        [&](BarePublisher& one, std::size_t n) { one.begin_adding(n % users, settings.size); }, answer);
    added.push_back(static_cast<double>(calls_at_once) / seconds_since(begin_added));
    measure(ours, users, bulk, [&](auto) { sending.unicast_bulk(all_users, settings.size); });
    measure_bare(subscriber, users, bare_bulk, [&] { publisher.publish_all(all_users, settings.size); });
    measure(our_one, to_one.size(), solo, [&](auto) { sending.unicast_bulk(to_one, settings.size); });
    measure_bare(single, to_one.size(), bare_solo, [&] { publisher.publish_all(to_one, settings.size); });
  }
  const char* name = "bare PUBLISH";
  const std::string steady = "500 sends/s to users of another node";
  const auto add = [&](const std::string& what, const Figures& figures, const Figures& bare, std::optional<Bar> bar) {
    table.add({"j", what, "sends/s", median(figures.rate), median(bare.rate), name, bar});
  };
  table.add({"j", steady, "p50 ms", median(paced.p50_ms), median(bare_paced.p50_ms), name, std::nullopt});
  table.add({"j", steady, "p99 ms", median(paced.p99_ms), median(bare_paced.p99_ms), name, Bar::ratio_at_most(2)});
  add("a call each, one after the other", calls, bare_calls, std::nullopt);
  add("a call each, " + std::to_string(kSenders) + " senders", many, bare_many, std::nullopt);
  table.add({"j", "qos sends kept in Redis, " + std::to_string(kSenders) + " senders", "sends/s", median(kept),
             median(added), "bare XADD", std::nullopt});
  add("one bulk call to " + std::to_string(users) + " users, a pipeline", bulk, bare_bulk, Bar::ratio_at_least(0.7));
  add("one bulk call to one user, a pipeline", solo, bare_solo, std::nullopt);
}

void five_nodes(const Settings& settings, Table& table) {
  constexpr std::size_t kNodes = 5;
  Redis redis;
  std::vector<std::unique_ptr<SseServe>> nodes;
  std::vector<std::unique_ptr<Clients>> clients;
  for (std::size_t n = 0; n < kNodes; ++n) {
    nodes.push_back(std::make_unique<SseServe>(settings, "node " + std::to_string(n), redis.node_options(n)));
  }
  const std::size_t each = settings.idle;
  for (std::size_t n = 0; n < kNodes; ++n) clients.push_back(std::make_unique<Clients>(*nodes[n], each, n * each));
  const SteadyTime begin = steady_now();
  for (auto& one : clients) one->open(each);
  const double opened = seconds_since(begin);
  const std::size_t streams = kNodes * each;
  table.add({"k", "5 nodes: streams opened, subscriptions standing", "streams/s", static_cast<double>(streams) / opened,
             0, "", std::nullopt});

  const auto received = [&] {
    double sum = 0;
    for (const auto& node : nodes) sum += node->status(".sse_cluster_received_total");
    return sum;
  };
  const auto events = [&] {
    std::uint64_t sum = 0;
    for (const auto& one : clients) sum += one->events();
    return sum;
  };
  const auto wait_events = [&](std::uint64_t count) {
    const SteadyTime deadline = steady_now() + 3 * kTimeout;
    while (events() < count) {
      if (steady_now() > deadline) throw Error(ErrorCode::kTimeout, "the nodes lost events");
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  };

  // Send to users of the other nodes.
  const std::size_t unicasts = settings.quick ? 100 : 2000;
  double commands = received();
  std::uint64_t expected = events() + unicasts;
  for (std::size_t i = 0; i < unicasts; ++i) nodes[0]->unicast(each + i * 7919 % (streams - each), settings.size);
  wait_events(expected);
  const double per_unicast = (received() - commands) / static_cast<double>(unicasts);
  table.add({"k", "5 nodes: commands received by all nodes for a unicast", "per send", per_unicast, 0, "",
             Bar::at_most(1.0001)});

  commands = received();
  const int rounds = settings.quick ? 1 : settings.rounds;
  std::vector<double> rates;
  std::vector<double> p50;
  std::vector<double> p99;
  for (int round = 0; round < rounds; ++round) {
    for (auto& one : clients) one->take();
    expected = events() + streams;
    const SteadyTime start = steady_now();
    nodes[0]->broadcast(1, settings.size);
    wait_events(expected);
    rates.push_back(static_cast<double>(streams) / seconds_since(start));
    double worst50 = 0;
    double worst99 = 0;
    for (auto& one : clients) {
      const Clients::Taken taken = one->take();
      worst50 = std::max(worst50, taken.p50_ms);
      worst99 = std::max(worst99, taken.p99_ms);
    }
    p50.push_back(worst50);
    p99.push_back(worst99);
  }
  table.add({"k", "5 nodes: commands received by all nodes for an event to all", "per send",
             (received() - commands) / rounds, 0, "", Bar::at_most(kNodes - 1 + 0.0001)});
  table.add({"k", "5 nodes: an event to all streams", "deliveries/s", median(rates), 0, "", std::nullopt});
  table.add({"k", "5 nodes: an event to all streams, slowest node", "p50 ms", median(p50), 0, "", std::nullopt});
  table.add({"k", "5 nodes: an event to all streams, slowest node", "p99 ms", median(p99), 0, "", std::nullopt});
}

}  // namespace sse::bench
