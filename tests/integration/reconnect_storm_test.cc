#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <string>

#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

constexpr int kReconnectTime = 2000;
constexpr int kJitter = 60'000;

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

// All at once, as if none had waited: the worst the jitter is there to prevent.
void storm(Streams& streams, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    streams.open("userId=u" + std::to_string(i), ConnectOptions{"127.0.0." + std::to_string(2 + i % 8), 0, true});
    // The server's backlog holds 4096: no connection may wait for a retransmitted SYN.
    if (i % 2000 != 1999) continue;
    ASSERT_TRUE(streams.run_until([&] { return streams.connected() + 1000 > streams.size(); }));
  }
  ASSERT_TRUE(streams.run_until([&] { return streams.connected() == count; }))
      << streams.connected() << " of " << count << " streams open";
}

TEST(ReconnectStorm, IsSpreadByTheJitterServedAllTheSameAndItsMemoryServesTheNext) {
  const std::size_t count = std::min<std::size_t>(kSanitized ? 2000 : 10'000, raise_descriptor_limit() - 300);
  const TempFolder folder;
  ServerProcess server(folder, {"--reconnect-time", std::to_string(kReconnectTime) + "ms", "--reconnect-jitter",
                                std::to_string(kJitter) + "ms"});
  HttpClient admin(server.admin());
  // What does not come back is what a first request of each kind needs.
  {
    Streams first(server.pages());
    ASSERT_NO_FATAL_FAILURE(storm(first, 50));
    first.close_all();
  }
  ASSERT_TRUE(eventually([&] { return admin.get("/api/v1/status").json()["connections"] == 0; }));
  const std::uint64_t before = resident_bytes(server.pid());

  std::uint64_t during = 0;
  {
    Streams streams(server.pages());
    ASSERT_NO_FATAL_FAILURE(storm(streams, count));
    // Each was told a time of its own; over the jitter they come back evenly.
    std::array<std::size_t, 10> tenths{};
    for (std::size_t i = 0; i < count; ++i) {
      const int retry = static_cast<int>(streams[i].parser.retry());
      ASSERT_GE(retry, kReconnectTime);
      ASSERT_LE(retry, kReconnectTime + kJitter);
      ++tenths.at(static_cast<std::size_t>(std::min(retry - kReconnectTime, kJitter - 1)) * tenths.size() / kJitter);
    }
    for (const std::size_t n : tenths) {
      EXPECT_GT(n, count / 10 - count / 40);
      EXPECT_LT(n, count / 10 + count / 40);
    }
    const HttpResponse sent = admin.post("/api/v1/send", {{"target", {{"all", true}}}, {"data", "to everybody"}});
    EXPECT_EQ(sent.json()["delivered"], count);
    ASSERT_TRUE(streams.run_until([&] { return streams.events() == count; })) << streams.events();
    during = resident_bytes(server.pid()) - before;
    streams.close_all();
  }
  const auto no_stream_left = [&] { return admin.get("/api/v1/status").json()["connections"] == 0; };
  ASSERT_TRUE(eventually(no_stream_left));
  if (kSanitized) return;  // their allocators keep what was freed, to find its misuse
  // Pages that something lives on stay with the process, of every thread's part of the heap: more than a half has come
  // back in most runs, some in all.
  const auto left = [&] { return resident_bytes(server.pid()) - std::min(before, resident_bytes(server.pid())); };
  EXPECT_TRUE(eventually([&] { return left() < during / 4 * 3; }))
      << left() << " bytes of the storm's " << during << " are still held";
  std::cout << count << " streams took " << during / count << " bytes each, " << left() << " bytes stayed in all\n";
  // And what stayed serves the next storm: were nothing free, it would take twice as much.
  Streams again(server.pages());
  ASSERT_NO_FATAL_FAILURE(storm(again, count));
  EXPECT_LT(resident_bytes(server.pid()) - before, during / 5 * 8);
  again.close_all();
  ASSERT_TRUE(eventually(no_stream_left));
  EXPECT_EQ(server.stop(), 0);
}

}  // namespace
}  // namespace sse::testing
