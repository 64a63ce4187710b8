// kill -9 while others send: nothing that was accepted is lost, and what comes is in order. SSE_CRASH_ROUNDS and
// SSE_CRASH_SEED ask for more or for one again.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "support/client.h"
#include "support/confirmations.h"
#include "support/process.h"
#include "support/redis.h"
#include "support/streams.h"
#include "support/token.h"

namespace sse::testing {
namespace {

constexpr std::size_t kUsers = 20;
constexpr std::size_t kSenders = 8;

int rounds(int otherwise, int sanitized) {
  const char* text = std::getenv("SSE_CRASH_ROUNDS");
  return text != nullptr ? std::max(1, std::atoi(text)) : kSanitized ? sanitized : otherwise;
}

unsigned base_seed() {
  const char* text = std::getenv("SSE_CRASH_SEED");
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : std::random_device{}();
}

// What was promised and what came, over all rounds: messages of one round may arrive in a later one.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, std::string> accepted;           // data → id of the answer
  std::map<std::string, std::set<std::string>> arrived;  // data → ids it came with
  std::map<std::string, std::size_t> copies;             // data → times it came
};

std::string data_of(const std::string& user, int round, std::size_t sender, std::size_t number) {
  return "u" + user + " r" + std::to_string(round) + "s" + std::to_string(sender) + " " + std::to_string(number);
}

// Before the order of what two senders sent counts, each of them must be in order: their "r1s2" and number.
std::pair<std::string, int> sent_as(const std::string& data) {
  const std::size_t sender = data.find(' ') + 1;
  const std::size_t number = data.find(' ', sender) + 1;
  return {data.substr(sender, number - sender), std::atoi(data.c_str() + number)};
}

class Senders {
 public:
  // Sender i speaks to the node i modulo their number.
  Senders(const std::vector<Endpoint>& nodes, int round, std::size_t sends, unsigned seed, Ledger& ledger) {
    for (std::size_t s = 0; s < kSenders; ++s) {
      threads_.emplace_back([=, this, node = nodes[s % nodes.size()], &ledger] {
        run(node, round, s, sends / kSenders, seed, ledger);
        ++done_;
      });
    }
  }
  ~Senders() {
    for (std::thread& thread : threads_) thread.join();
  }

  std::size_t answered() const { return answered_; }
  bool done() const { return done_ == kSenders; }

 private:
  void run(const Endpoint& admin, int round, std::size_t sender, std::size_t sends, unsigned seed, Ledger& ledger) {
    HttpClient client(admin);
    std::mt19937 random(seed + static_cast<unsigned>(sender) + 1);
    for (std::size_t i = 0; i < sends; ++i) {
      const std::string user = std::to_string(random() % kUsers);
      const std::string data = data_of(user, round, sender, i);
      const HttpResponse answer =
          client.post("/api/v1/send", {{"target", {{"users", {user}}}}, {"data", data}, {"qos", true}});
      // The crash: whether this one was kept is not known, and was not promised.
      if (answer.status == 0) return;
      if (answer.status != 200) {
        ADD_FAILURE() << answer.status << " " << answer.body;
        return;
      }
      const std::scoped_lock lock(ledger.mutex);
      ledger.accepted[data] = answer.json()["id"];
      ++answered_;
    }
  }

  std::atomic<std::size_t> answered_{0};
  std::atomic<std::size_t> done_{0};
  std::vector<std::thread> threads_;
};

// A client of each user. Every other one confirms by itself (ack=1), and loses some of that.
class Audience {
 public:
  struct Options {
    bool resumes = false;    // comes back with its last event id
    bool ids_ascend = true;  // on a stream; else only those of each sender
    // A message is kept by another node than that of the stream, and the confirmation may die with that node.
    bool kept_elsewhere = false;
    bool tokens = false;  // signed ones, of `secret`; else the demo's user ids
    std::string secret{};
    std::size_t nodes = 1;
  };
  Audience(Options options, Ledger& ledger) : options_(std::move(options)), ledger_(ledger), nodes_(options_.nodes) {
    for (std::size_t user = 0; user < kUsers; ++user) {
      Client client;
      client.user = std::to_string(user);
      client.confirms = user % 2 == 1;
      client.credentials = "userId=" + client.user;
      if (options_.tokens) {
        const Json claims{{"sub", client.user}, {"exp", 4'000'000'000}};
        client.credentials = "access-token=" + signed_token(options_.secret, claims.dump());
      }
      clients_.push_back(std::move(client));
    }
  }

  // A node serves there from now on; what was open at one before is gone.
  void serves(std::size_t node, const Endpoint& pages, unsigned seed) {
    for (Client& client : clients_) {
      if (client.node == node) client.stream.reset();
    }
    nodes_[node] = std::make_unique<AtNode>(pages, seed);
    nodes_[node]->streams.on_event(
        [this, node](std::size_t stream, const ReceivedEvent& event) { took(*nodes_[node], stream, event); });
  }
  void open(std::size_t user, std::size_t node) {
    Client& client = clients_[user];
    client.node = node;
    std::string query = client.credentials + "&keepaliveTime=0&clientId=c" + client.user;
    if (client.confirms) query += "&ack=1";
    if (options_.resumes && !client.last_id.empty()) query += "&lastEventId=" + client.last_id;
    client.stream = nodes_[node]->streams.open(query);
    nodes_[node]->of_streams.push_back({&client, {}, 0, {}});
  }
  bool connected(std::size_t node) {
    const Streams& streams = nodes_[node]->streams;
    return run_until([&] { return streams.connected() + streams.refused() == streams.size(); }) &&
           streams.refused() == 0;
  }
  // Leaves in an orderly way, having read all that was sent there, and comes back.
  void reconnect(std::size_t user, std::size_t node) {
    Client& client = clients_[user];
    if (!client.stream) return;
    Streams& streams = nodes_[client.node]->streams;
    const std::size_t old = *client.stream;
    if (!streams[old].connected) return;
    streams.finish(old);
    ASSERT_TRUE(run_until([&] { return streams[old].ended; }));
    open(user, node);
  }
  bool is_open(std::size_t user) const { return clients_[user].stream.has_value(); }
  bool is_at(std::size_t user, std::size_t node) const { return clients_[user].node == node; }
  // What had reached this machine counts as delivered.
  bool read_to_the_end(std::size_t node) {
    const Streams& streams = nodes_[node]->streams;
    return run_until([&] { return streams.ended() == streams.size(); });
  }
  void close_all() {
    for (const auto& node : nodes_) node->streams.close_all();
  }

  void run() {
    for (const auto& node : nodes_) {
      node->streams.run(std::chrono::milliseconds(1));
      node->confirmations.send();
    }
  }
  template <class Done>
  bool run_until(Done done, std::chrono::milliseconds timeout = kTimeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      run();
    }
    return true;
  }
  std::size_t lost_confirmations() const { return lost_confirmations_; }

 private:
  struct Client {
    std::string user{};
    bool confirms = false;
    std::string credentials{};
    std::string last_id{};
    std::size_t node = 0;
    std::optional<std::size_t> stream{};
  };
  struct OfStream {
    Client* client;
    std::set<std::string> seen;  // ids
    std::uint64_t last_id = 0;
    std::map<std::string, int> last_of;  // senders
  };
  struct AtNode {
    AtNode(const Endpoint& pages, unsigned seed) : streams(pages), confirmations(pages, seed) {}
    Streams streams;
    Confirmations confirmations;
    std::vector<OfStream> of_streams;
  };

  void took(AtNode& node, std::size_t number, const ReceivedEvent& event) {
    OfStream& stream = node.of_streams.at(number);
    Client& client = *stream.client;
    client.last_id = event.id;
    if (event.type == "resync") return;
    EXPECT_EQ(event.type, "server-push") << event.data;
    ledger_.arrived[event.data].insert(event.id);
    ++ledger_.copies[event.data];
    EXPECT_TRUE(event.data.starts_with("u" + client.user + " ")) << client.user << " got " << event.data;
    if (client.confirms) {
      const std::size_t lost = node.confirmations.lost();
      node.confirmations.received(node.streams[number].connection_id, client.credentials, event.id);
      lost_confirmations_ += node.confirmations.lost() - lost;
    }
    // One that was not confirmed comes once more, behind younger ones.
    const bool again = !stream.seen.insert(event.id).second;
    EXPECT_TRUE(!again || client.confirms || options_.kept_elsewhere) << "came twice on a stream: " << event.data;
    if (again) return;
    const std::uint64_t id = std::stoull(event.id);
    if (options_.ids_ascend) {
      EXPECT_GT(id, stream.last_id) << "came too late: " << event.data;
    }
    stream.last_id = std::max(stream.last_id, id);
    const auto [sender, number_of_it] = sent_as(event.data);
    const auto [last, first] = stream.last_of.try_emplace(sender, number_of_it);
    if (!first) {
      EXPECT_GT(number_of_it, std::exchange(last->second, number_of_it)) << "came too late: " << event.data;
    }
  }

  const Options options_;
  Ledger& ledger_;
  std::vector<Client> clients_;
  std::vector<std::unique_ptr<AtNode>> nodes_;
  std::size_t lost_confirmations_ = 0;
};

// What was accepted has come, under the id that was answered, and is confirmed.
void expect_all_arrived(Audience& audience, Ledger& ledger, const std::function<std::int64_t()>& pending) {
  const auto missing = [&] {
    return std::count_if(ledger.accepted.begin(), ledger.accepted.end(),
                         [&](const auto& one) { return !ledger.arrived.contains(one.first); });
  };
  audience.run_until([&] { return missing() == 0; }, std::chrono::seconds(kSanitized ? 60 : 20));
  for (const auto& [data, id] : ledger.accepted) {
    ASSERT_TRUE(ledger.arrived.contains(data)) << "accepted as " << id << " and lost: " << data;
    ASSERT_EQ(ledger.arrived[data], std::set<std::string>{id}) << "came with another id: " << data;
  }
  // The next round begins with an empty repository.
  ASSERT_TRUE(audience.run_until([&] { return pending() == 0; })) << pending() << " stay pending";
}

std::int64_t pending_at(HttpClient& admin) {
  const HttpResponse answer = admin.get("/api/v1/status");
  return answer.status == 200 ? answer.json()["pending"].get<std::int64_t>() : -1;
}

void tell(const std::string& what, int rounds, unsigned seed, std::size_t interrupted, const Ledger& ledger,
          const Audience& audience) {
  const auto twice = std::ranges::count_if(ledger.copies, [](const auto& one) { return one.second > 1; });
  std::cout << what << ": " << rounds << " rounds (SSE_CRASH_SEED=" << seed << "), " << interrupted
            << " killed while sending: " << ledger.accepted.size() << " accepted, 0 lost, " << twice
            << " came more than once, always with the same id; " << audience.lost_confirmations()
            << " confirmations lost\n";
  EXPECT_GT(interrupted, 0U) << "no round was interrupted: this showed nothing";
}

// One server that is killed and started again.
void crash_one_server(const std::string& what, int rounds, Audience::Options options,
                      std::vector<std::string> arguments) {
  constexpr std::size_t kSends = 1000;
  const unsigned first_seed = base_seed();
  const TempFolder folder;
  if (options.tokens) {
    options.secret = write_secret(folder.file("secret"));
    arguments.insert(arguments.end(), {"--auth", "jwt", "--jwt-secret-file", folder.file("secret")});
  }
  arguments.insert(arguments.end(), {"--qos-ack-timeout", "300ms"});
  Ledger ledger;
  Audience audience(options, ledger);
  std::size_t killed_while_sending = 0;
  for (int round = 0; round < rounds; ++round) {
    const unsigned seed = first_seed + static_cast<unsigned>(round);
    std::mt19937 random(seed);
    const std::size_t kill_after = random() % kSends;
    const std::size_t accepted_before = ledger.accepted.size();
    {
      ServerProcess server(folder, arguments);
      audience.serves(0, server.pages(), seed);
      for (std::size_t user = 0; user < kUsers; ++user) {
        if (random() % 2 == 0) audience.open(user, 0);
      }
      ASSERT_TRUE(audience.connected(0));
      Senders senders({server.admin()}, round, kSends, seed, ledger);
      ASSERT_TRUE(audience.run_until([&] {
        if (random() % 20 == 0) audience.reconnect(random() % kUsers, 0);
        return senders.answered() >= kill_after || ::testing::Test::HasFailure();
      }));
      server.kill();
      if (senders.answered() < kSends) ++killed_while_sending;
      ASSERT_TRUE(audience.read_to_the_end(0));
    }
    ServerProcess server(folder, arguments);
    audience.serves(0, server.pages(), seed);
    for (std::size_t user = 0; user < kUsers; ++user) audience.open(user, 0);
    ASSERT_TRUE(audience.connected(0));
    std::cout << "round " << round << " (SSE_CRASH_SEED=" << seed << "): killed after " << kill_after << ", accepted "
              << ledger.accepted.size() - accepted_before << std::endl;
    HttpClient admin(server.admin());
    expect_all_arrived(audience, ledger, [&] { return pending_at(admin); });
    if (::testing::Test::HasFailure()) return;
    audience.close_all();
    ASSERT_EQ(server.stop(), 0);
  }
  tell(what, rounds, first_seed, killed_while_sending, ledger, audience);
}

TEST(Crash, NoAcceptedMessageIsLost) {
  crash_one_server("a server", rounds(20, 3), {}, {});
}

TEST(Crash, NoAcceptedMessageIsLostWithAHistoryAndSignedTokens) {
  Audience::Options options;
  options.resumes = true;
  options.tokens = true;
  crash_one_server("a server with a history and signed tokens", rounds(5, 2), options, {"--history", "500"});
}

// One of two nodes is killed; its clients go to the other. `pending`: where that is counted by each node alone, of
// both.
void crash_one_node(const std::string& what, int rounds,
                    const std::function<std::vector<std::string>(std::size_t node)>& arguments_of) {
  constexpr std::size_t kSends = 400;
  constexpr std::size_t kNodes = 2;
  const unsigned first_seed = base_seed();
  const std::array<TempFolder, kNodes> folders;
  std::array<std::unique_ptr<ServerProcess>, kNodes> servers;
  Ledger ledger;
  Audience::Options options;
  options.nodes = kNodes;
  // Each node hands over what it is sent: nothing orders what two of them send at once.
  options.ids_ascend = false;
  options.kept_elsewhere = true;
  Audience audience(options, ledger);
  const auto start = [&](std::size_t node, unsigned seed) {
    std::vector<std::string> arguments = arguments_of(node);
    arguments.insert(arguments.end(), {"--server-id", "node-" + std::to_string(node), "--qos-ack-timeout", "300ms"});
    servers[node] = std::make_unique<ServerProcess>(folders[node], arguments);
    audience.serves(node, servers[node]->pages(), seed);
  };
  const auto know_each_other = [&] {
    return std::ranges::all_of(servers, [](const auto& server) {
      const HttpResponse answer = HttpClient(server->admin()).get("/api/v1/nodes");
      return answer.status == 200 && answer.json()["list"].size() == kNodes;
    });
  };
  for (std::size_t node = 0; node < kNodes; ++node) start(node, first_seed);
  std::size_t killed_while_sending = 0;
  for (int round = 0; round < rounds; ++round) {
    const unsigned seed = first_seed + static_cast<unsigned>(round);
    std::mt19937 random(seed);
    ASSERT_TRUE(audience.run_until(know_each_other));
    for (std::size_t user = 0; user < kUsers; ++user) {
      if (!audience.is_open(user) && random() % 2 == 0) audience.open(user, random() % kNodes);
    }
    const std::size_t kill_after = random() % (kSends / 2);
    const std::size_t victim = random() % kNodes;
    const std::size_t other = 1 - victim;
    for (std::size_t node = 0; node < kNodes; ++node) ASSERT_TRUE(audience.connected(node));
    {
      Senders senders({servers[0]->admin(), servers[1]->admin()}, round, kSends, seed, ledger);
      ASSERT_TRUE(audience.run_until([&] {
        if (random() % 20 == 0) audience.reconnect(random() % kUsers, random() % kNodes);
        return senders.answered() >= kill_after || ::testing::Test::HasFailure();
      }));
      if (!senders.done()) ++killed_while_sending;
      servers[victim]->kill();
      ASSERT_TRUE(audience.read_to_the_end(victim));
      for (std::size_t user = 0; user < kUsers; ++user) {
        if (audience.is_open(user) && audience.is_at(user, victim)) audience.open(user, other);
      }
      ASSERT_TRUE(audience.run_until([&] { return senders.done(); }));
    }
    start(victim, seed);
    for (std::size_t user = 0; user < kUsers; ++user) {
      if (!audience.is_open(user)) audience.open(user, random() % kNodes);
    }
    std::cout << "round " << round << " (SSE_CRASH_SEED=" << seed << "): node " << victim << " killed after "
              << kill_after << ", accepted so far " << ledger.accepted.size() << std::endl;
    expect_all_arrived(audience, ledger, [&] {
      std::int64_t sum = 0;
      for (const auto& server : servers) {
        HttpClient admin(server->admin());
        sum += std::abs(pending_at(admin));
      }
      return sum;
    });
    if (::testing::Test::HasFailure()) return;
  }
  tell(what, rounds, first_seed, killed_while_sending, ledger, audience);
  audience.close_all();
  for (const auto& server : servers) EXPECT_EQ(server->stop(), 0);
}

TEST(Crash, OfANodeOverRedisLosesNoAcceptedMessage) {
  const RedisProcess redis;
  crash_one_node("a node over Redis", rounds(3, 1), [&](std::size_t) {
    return std::vector<std::string>{"--cluster", redis.url()};
  });
}

TEST(Crash, OfANodeOfAMeshLosesNoAcceptedMessage) {
  const TempFolder folder;
  write_secret(folder.file("secret"));
  std::array<int, 2> ports{};
  for (int& port : ports) listen_on_free_port(port);
  const auto at = [&](std::size_t node) { return "127.0.0.1:" + std::to_string(ports.at(node)); };
  crash_one_node("a node of a mesh", rounds(3, 1), [&](std::size_t node) {
    return std::vector<std::string>{"--discovery",           "static:" + at(0) + "," + at(1),
                                    "--cluster-secret-file", folder.file("secret"),
                                    "--cluster-listen",      at(node)};
  });
}

}  // namespace
}  // namespace sse::testing
