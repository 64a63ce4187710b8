#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

constexpr std::size_t kUsers = 20;
constexpr std::size_t kSenders = 8;
constexpr std::size_t kSends = 1000;

int rounds() {
  const char* text = std::getenv("SSE_CRASH_ROUNDS");
  return text != nullptr ? std::max(1, std::atoi(text)) : kSanitized ? 3 : 20;
}

unsigned base_seed() {
  const char* text = std::getenv("SSE_CRASH_SEED");
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : std::random_device{}();
}

// What was promised and what came, over all rounds: messages of one round may arrive in a later one.
struct Ledger {
  std::mutex mutex;
  std::map<std::string, std::string> accepted;                // data → id of the answer
  std::map<std::string, std::set<std::string>> arrived;       // data → ids it came with
  std::map<std::string, std::set<std::string>> arrived_with;  // user → data
  std::map<std::string, std::size_t> copies;                  // data → times it came
};

void listen(Streams& streams, const std::vector<std::string>& users, Ledger& ledger) {
  streams.on_event([users, &ledger](std::size_t stream, const ReceivedEvent& event) {
    ledger.arrived[event.data].insert(event.id);
    ++ledger.copies[event.data];
    ledger.arrived_with[users.at(stream)].insert(event.data);
  });
}

class Senders {
 public:
  Senders(const Endpoint& admin, int round, unsigned seed, Ledger& ledger) {
    for (std::size_t s = 0; s < kSenders; ++s) {
      threads_.emplace_back([=, this, &ledger] { run(admin, round, s, seed, ledger); });
    }
  }
  ~Senders() {
    for (std::thread& thread : threads_) thread.join();
  }

  std::size_t answered() const { return answered_; }

 private:
  void run(const Endpoint& admin, int round, std::size_t sender, unsigned seed, Ledger& ledger) {
    HttpClient client(admin);
    std::mt19937 random(seed + static_cast<unsigned>(sender) + 1);
    for (std::size_t i = 0; i < kSends / kSenders; ++i) {
      const std::string user = std::to_string(random() % kUsers);
      const std::string data =
          "u" + user + " r" + std::to_string(round) + " s" + std::to_string(sender) + " n" + std::to_string(i);
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
  std::vector<std::thread> threads_;
};

TEST(Crash, NoAcceptedMessageIsLost) {
  const unsigned first_seed = base_seed();
  const ScratchFolder folder;
  Ledger ledger;
  std::size_t killed_while_sending = 0;
  for (int round = 0; round < rounds(); ++round) {
    const unsigned seed = first_seed + static_cast<unsigned>(round);
    std::mt19937 random(seed);
    const std::size_t kill_after = random() % kSends;
    const std::size_t accepted_before = ledger.accepted.size();
    {
      ServerProcess server(folder);
      Streams streams(server.pages());
      std::vector<std::string> online;
      for (std::size_t user = 0; user < kUsers; ++user) {
        if (random() % 2 == 0) online.push_back(std::to_string(user));
      }
      listen(streams, online, ledger);
      for (const std::string& user : online) streams.open("userId=" + user);
      ASSERT_TRUE(streams.run_until([&] { return streams.connected() == online.size(); }));
      Senders senders(server.admin(), round, seed, ledger);
      ASSERT_TRUE(streams.run_until([&] { return senders.answered() >= kill_after || ::testing::Test::HasFailure(); }));
      server.kill();
      if (senders.answered() < kSends) ++killed_while_sending;
      // What had reached the clients' machine counts as delivered.
      ASSERT_TRUE(streams.run_until([&] { return streams.ended() == streams.size(); }));
    }
    ServerProcess server(folder);
    Streams streams(server.pages());
    std::vector<std::string> everybody;
    for (std::size_t user = 0; user < kUsers; ++user) everybody.push_back(std::to_string(user));
    listen(streams, everybody, ledger);
    for (const std::string& user : everybody) streams.open("userId=" + user);
    const auto missing = [&] {
      return std::count_if(ledger.accepted.begin(), ledger.accepted.end(),
                           [&](const auto& one) { return !ledger.arrived.contains(one.first); });
    };
    streams.run_until([&] { return missing() == 0; }, std::chrono::seconds(kSanitized ? 60 : 20));
    std::cout << "round " << round << " (SSE_CRASH_SEED=" << seed << "): killed after " << kill_after << ", accepted "
              << ledger.accepted.size() - accepted_before << "\n";
    for (const auto& [data, id] : ledger.accepted) {
      ASSERT_TRUE(ledger.arrived.contains(data)) << "accepted as " << id << " and lost: " << data;
      ASSERT_EQ(ledger.arrived[data], std::set<std::string>{id}) << "came with another id: " << data;
    }
    for (const auto& [user, texts] : ledger.arrived_with) {
      for (const std::string& data : texts) ASSERT_TRUE(data.starts_with("u" + user + " ")) << user << " got " << data;
    }
    // Confirmed, all of them: the next round begins with an empty repository.
    HttpClient admin(server.admin());
    const auto pending = [&] {
      streams.run(std::chrono::milliseconds(5));
      return admin.get("/api/v1/status").json()["pending"].get<int>();
    };
    ASSERT_TRUE(eventually([&] { return pending() == 0; })) << pending() << " stay pending";
    streams.close_all();
    ASSERT_EQ(server.stop(), 0);
  }
  const auto twice = std::ranges::count_if(ledger.copies, [](const auto& one) { return one.second > 1; });
  std::cout << rounds() << " rounds (SSE_CRASH_SEED=" << first_seed << "), " << killed_while_sending
            << " killed while sending: " << ledger.accepted.size() << " accepted, 0 lost, " << twice
            << " came more than once, always with the same id\n";
  EXPECT_GT(killed_while_sending, 0U) << "no round was interrupted: this showed nothing";
}

}  // namespace
}  // namespace sse::testing
