// Runs a real server under a random mix of everything that happens in long operation, and checks its invariants:
// clients that stay connected receive every event once and in order, memory and descriptors do not grow, counters add
// up. Users authenticate with signed tokens, and a history is kept for clients that resume. Some of the permanent
// clients acknowledge messages and lose a tenth of the acknowledgements: these messages are redelivered with the same
// id.
//
// With --nodes it tests a cluster: streams use its nodes in turn, and requests go to any node.
//
//   soak [--minutes N] [--seed N] [--nodes N]       run by scripts/soak; two minutes of it by ctest
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "soak/expectations.h"
#include "soak/servers.h"
#include "soak/tokens.h"
#include "soak/visitors.h"
#include "soak/watch.h"
#include "support/client.h"
#include "support/confirmations.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::soak {
namespace {

using testing::Json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPermanentClients = 200;
constexpr const char* kQosMark = " qos ";  // in the data of messages that must be confirmed

bool confirms(std::size_t stayer) {
  return stayer % 5 == 4;
}

struct Options {
  double minutes = 30;
  unsigned seed = 1;
  std::size_t nodes = 1;
};

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        random_(options.seed),
        tokens_(folder_),
        servers_(options.nodes, {"--heartbeat", "1s", "--max-backlog", "256KiB", "--qos-ack-timeout", "300ms", "--auth",
                                 "jwt", "--jwt-secret-file", tokens_.file(), "--channel-rule", "*=anyone"}),
        permanent_clients_(servers_.pages()),
        visitors_(servers_.pages(), servers_.admin(0), tokens_, random_),
        confirmations_(servers_.pages().back(), options.seed) {
    permanent_clients_.on_event(
        [this](std::size_t stream, const testing::ReceivedEvent& event) { on_received(stream, event); });
    for (std::size_t i = 0; i < kPermanentClients; ++i) {
      credentials_.push_back(
          tokens_.of("s" + std::to_string(i), "t" + std::to_string(i % 3), "k" + std::to_string(i % 7)));
      permanent_clients_.connect(credentials_.back() + "&channel=c" + std::to_string(i % 5) + "&keepaliveTime=0" +
                                 (i % 2 == 0 ? "&listeners=news" : "") +
                                 (confirms(i) ? "&ack=1&clientId=s" + std::to_string(i) : ""));
    }
  }

  int run() {
    std::printf("%8s %9s %9s %11s %8s %9s %5s %8s %8s\n", "seconds", "sends", "opened", "deliveries", "pending",
                "memory", "fds", "threads", "closed by");
    const auto length = std::chrono::duration<double>(options_.minutes * 60);
    const auto start = Clock::now();
    const auto period = std::chrono::duration_cast<Clock::duration>(length / 15);
    auto next_calm = start + period;
    while (Clock::now() - start < length) {
      busy_moment();
      if (Clock::now() < next_calm) continue;
      calm_moment(std::chrono::duration<double>(Clock::now() - start).count());
      next_calm = Clock::now() + period;
    }
    calm_moment(options_.minutes * 60);
    return verdict();
  }

 private:
  void on_received(std::size_t stayer, const testing::ReceivedEvent& event) {
    const std::uint64_t number = std::strtoull(event.data.c_str(), nullptr, 10);
    if (confirms(stayer) && event.data.find(kQosMark) != std::string::npos) {
      confirmations_.received(permanent_clients_[stayer].connection_id, credentials_[stayer], event.id);
      const std::pair key{stayer, number};
      const auto earlier = earlier_ids_.find(key);
      const auto [known, fresh] = ids_.try_emplace(key, event.id);
      if ((!fresh && known->second == event.id) || (earlier != earlier_ids_.end() && earlier->second == event.id)) {
        ++redelivered_;
        return;
      }
    }
    expectations_.on_received(stayer, number);
  }
  template <class Done>
  bool run_until(Done done) {
    const auto deadline = Clock::now() + testing::kTimeout;
    while (!done()) {
      if (Clock::now() > deadline) return false;
      permanent_clients_.run(std::chrono::milliseconds(20));
      confirmations_.send();
    }
    return true;
  }

  void busy_moment() {
    if (random_() % 3 == 0) {
      send(random_() % 20 == 0 ? 10 : 1);
    } else {
      visitors_.act();
    }
    if (random_() % 200 == 0) flood();
    visitors_.run();
    permanent_clients_.run(std::chrono::milliseconds(1));
    confirmations_.send();
  }

  testing::HttpClient& some_admin() { return servers_.admin(random_() % servers_.size()); }

  // Sends `count` events with one request and records at which clients they must arrive.
  void send(unsigned count) {
    std::string body;
    for (unsigned i = 0; i < count; ++i) body += (i == 0 ? "" : "\n") + message().dump();
    const testing::HttpResponse response =
        some_admin().request("POST", "/api/v1/send", body, count == 1 ? "application/json" : "application/x-ndjson");
    if (response.status != 200 || response.body.find("\"detail\"") != std::string::npos)
      throw std::runtime_error("a send was refused: " + response.body);
    sends_ += count;
  }

  Json message() {
    const std::uint64_t event = ++last_event_;
    const bool news = random_() % 4 == 0;
    const bool qos = random_() % 3 == 0;
    Json message{{"event", news ? "news" : "e"},
                 {"data", std::to_string(event) + (qos ? kQosMark : " ") + std::string(random_() % 2000, 'x')}};
    // A short TTL removes messages whose recipients never connect.
    if (qos) message.update({{"qos", true}, {"ttl", "5s"}});
    const auto expect = [&](auto matches) {
      for (std::size_t i = 0; i < kPermanentClients; ++i) {
        if (matches(i)) expectations_.expect(i, event);
      }
    };
    const std::size_t pick = random_();
    Json& target = message["target"];
    switch (random_() % 8) {
      case 0:
      case 1: {
        const std::size_t one = pick % kPermanentClients;
        const std::size_t other = (one + 1 + random_() % 10) % kPermanentClients;
        target = {{"users", {"s" + std::to_string(one), "s" + std::to_string(other)}}};
        expect([&](std::size_t i) { return i == one || i == other; });
        break;
      }
      case 2:
        target = {{"tenants", {"t" + std::to_string(pick % 3)}}};
        expect([&](std::size_t i) { return i % 3 == pick % 3; });
        break;
      case 3:
        target = {{"tokens", {"k" + std::to_string(pick % 7)}}};
        expect([&](std::size_t i) { return i % 7 == pick % 7; });
        break;
      case 4:
        target = {{"channels", {"c" + std::to_string(pick % 5)}}};
        expect([&](std::size_t i) { return i % 5 == pick % 5; });
        break;
      case 5:
        target = {{"all", true}, {"listening", true}};
        message["event"] = "news";
        expect([](std::size_t i) { return i % 2 == 0; });
        break;
      case 6:
        target = {{"users", {(random_() % 4 == 0 ? "nobody" : "v") + std::to_string(pick % 20)}}};
        break;
      default:
        target = {{"all", true}};
        expect([](std::size_t) { return true; });
    }
    return message;
  }

  // Exceeds the backlog limit of the slow readers.
  void flood() {
    if (visitors_.slow() == 0) return;
    const Json message{{"target", {{"channels", {"flood"}}}}, {"data", std::string(60'000, 'f')}};
    for (int i = 0; i < 8; ++i) some_admin().post("/api/v1/send", message);
  }

  void calm_moment(double seconds) {
    visitors_.clear();
    IdleSample calm;
    // Wait for the streams to end first, so that no message is sent to them any more.
    run_until([&] { return look(servers_).open == kPermanentClients; });
    delete_pending();
    const bool quiet = run_until([&] {
      calm = look(servers_);
      return (calm.open == kPermanentClients && expectations_.outstanding() == 0 && calm.pending == 0) ||
             permanent_clients_.ended() != 0;
    });
    earlier_ids_ = std::exchange(ids_, {});
    calms_.push_back(calm);
    std::string reasons;
    for (const auto& [reason, count] : calm.closed) {
      if (count != 0) reasons += " " + reason + " " + std::to_string(count);
    }
    std::printf("%8.0f %9llu %9llu %11llu %8llu %7.1fMB %5llu %8llu %s\n", seconds,
                static_cast<unsigned long long>(sends_), static_cast<unsigned long long>(calm.opened),
                static_cast<unsigned long long>(expectations_.received()),
                static_cast<unsigned long long>(calm.pending), static_cast<double>(calm.memory) / 1e6,
                static_cast<unsigned long long>(calm.descriptors), static_cast<unsigned long long>(calm.threads),
                reasons.c_str());
    std::fflush(stdout);
    if (permanent_clients_.ended() != 0) throw std::runtime_error("the stream of a permanent client ended");
    if (quiet) return;
    throw std::runtime_error("the server did not become idle: " + std::to_string(calm.open) + " streams, " +
                             std::to_string(calm.pending) + " pending, " + std::to_string(expectations_.outstanding()) +
                             " events lost");
  }

  // Each loop of a node of a cluster remembers the latest 65,536 confirmations of a service: full after some minutes.
  std::uint64_t filling() const {
    return servers_.size() > 1 && options_.minutes < 6 ? std::uint64_t{6} * 1024 * 1024 : 0;
  }

  // Deletes messages for users who did not reconnect.
  void delete_pending() {
    for (;;) {
      const Json list = servers_.admin(0).get("/api/v1/messages?pageSize=1000").json().at("list");
      if (list.empty()) return;
      for (const Json& message : list)
        servers_.admin(0).request("DELETE", "/api/v1/messages/" + message.at("id").get<std::string>());
    }
  }

  int verdict() {
    std::vector<std::string> wrong = find_problems(calms_, servers_.size(), filling());
    if (confirmations_.lost() == 0 || redelivered_ == 0) wrong.emplace_back("no lost confirmation caused a redelivery");
    if (confirmations_.refused() != 0)
      wrong.push_back(std::to_string(confirmations_.refused()) + " confirmations were refused");
    if (expectations_.duplicates() != 0)
      wrong.push_back(std::to_string(expectations_.duplicates()) + " duplicate events");
    if (expectations_.late() != 0) wrong.push_back(std::to_string(expectations_.late()) + " events were out of order");
    const std::uint64_t ours = visitors_.opened() + kPermanentClients;
    if (calms_.back().opened != ours) {
      wrong.push_back("the server counted " + std::to_string(calms_.back().opened) + " streams, and " +
                      std::to_string(ours) + " were opened");
    }
    std::printf("%llu sends, %llu deliveries to %zu permanent clients, %llu streams opened, %llu peers vanished\n",
                static_cast<unsigned long long>(sends_), static_cast<unsigned long long>(expectations_.received()),
                kPermanentClients, static_cast<unsigned long long>(ours),
                static_cast<unsigned long long>(visitors_.vanished()));
    for (const std::string& sentence : wrong) std::printf("WRONG: %s\n", sentence.c_str());
    if (wrong.empty()) std::printf("nothing lost, doubled or out of order; nothing grew; the counters add up\n");
    permanent_clients_.close_all();
    if (!servers_.stop()) wrong.emplace_back("the server did not stop cleanly");
    return wrong.empty() ? 0 : 1;
  }

  const Options options_;
  std::mt19937 random_;
  const testing::TempFolder folder_;
  const Tokens tokens_;
  Servers servers_;
  testing::Streams permanent_clients_;
  Visitors visitors_;
  testing::Confirmations confirmations_;
  std::vector<std::string> credentials_;  // of the permanent clients
  // Message ids that the confirming clients received, since the last calm moment and since the one before.
  std::map<std::pair<std::size_t, std::uint64_t>, std::string> ids_, earlier_ids_;
  std::uint64_t redelivered_ = 0;
  Expectations expectations_{kPermanentClients};
  std::vector<IdleSample> calms_;
  std::uint64_t last_event_ = 0;
  std::uint64_t sends_ = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    char* end = nullptr;
    const double value = std::strtod(argv[i + 1], &end);
    if (*end != '\0' || !(value > 0) || value > 100'000)
      throw std::invalid_argument(name + " '" + argv[i + 1] + "' is not a number");
    if (name == "--minutes") {
      options.minutes = value;
    } else if (name == "--seed") {
      options.seed = static_cast<unsigned>(value);
    } else if (name == "--nodes" && value <= 9) {
      options.nodes = static_cast<std::size_t>(value);
    } else {
      throw std::invalid_argument("unknown option, or too large: " + name);
    }
  }
  if (argc % 2 == 0) throw std::invalid_argument("usage: soak [--minutes N] [--seed N] [--nodes N]");
  return options;
}

}  // namespace
}  // namespace sse::soak

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const sse::soak::Options options = sse::soak::parse(argc, argv);
    sse::testing::raise_descriptor_limit();
    return sse::soak::Soak(options).run();
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "soak: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "soak: %s\n", e.what());
    return 1;
  }
}
