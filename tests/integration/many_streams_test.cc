#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <string>

#include "event/json.h"
#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

// Both ends need a descriptor for each stream, but in different processes.
std::size_t affordable_streams() {
  const std::size_t wanted = kSanitized ? 3000 : 10'000;
  return std::min(wanted, raise_descriptor_limit() - 300);
}

void open_until(Streams& streams, std::size_t count, const std::string& more = "") {
  while (streams.size() < count) {
    const std::size_t number = streams.size();
    streams.open("userId=u" + std::to_string(number) + "&clientId=c" + std::to_string(number) + more,
                 ConnectOptions{"127.0.0." + std::to_string(2 + number % 5), 0, true});
    // The server's backlog holds 4096: no connection may wait for a retransmitted SYN.
    if (number % 500 != 499) continue;
    ASSERT_TRUE(streams.run_until([&] { return streams.connected() == streams.size(); }));
  }
  ASSERT_TRUE(streams.run_until([&] { return streams.connected() == count; }))
      << streams.connected() << " of " << count << " streams open";
}

TEST(ManyStreams, AllGetAnEventWhileThreadsDoNotGrow) {
  const std::size_t count = affordable_streams();
  if (count < 10'000) std::cout << "descriptor limit or sanitizer: only " << count << " streams\n";
  const TempFolder folder;
  ServerProcess server(folder);
  HttpClient admin(server.admin());
  Streams streams(server.pages());

  ASSERT_NO_FATAL_FAILURE(open_until(streams, 100));
  const int threads_before = server.threads();
  ASSERT_NO_FATAL_FAILURE(open_until(streams, count));
  const Json status = admin.get("/api/v1/status").json();
  EXPECT_EQ(status["connections"], count);
  EXPECT_EQ(status["users"], count);
  // Request handlers come and go with the load: at most 8 a core, whatever the number of streams.
  const int handlers = 8 * status["loops"].get<int>();
  EXPECT_LE(status["threads"], threads_before + handlers);
  EXPECT_LE(server.threads(), threads_before + handlers);

  const HttpResponse sent = admin.post("/api/v1/send", {{"target", {{"all", true}}}, {"data", "to everybody"}});
  ASSERT_EQ(sent.status, 200) << sent.body;
  EXPECT_EQ(sent.json()["delivered"], count);
  EXPECT_TRUE(streams.run_until([&] { return streams.events() >= count; })) << streams.events();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& events = streams[i].events;
    ASSERT_EQ(events.size(), 1U) << "stream " << i;
    EXPECT_EQ(events[0], (ReceivedEvent{"server-push", "to everybody", sent.json()["id"]}));
  }
  EXPECT_EQ(streams.ended(), 0U);
  streams.close_all();
  EXPECT_EQ(server.stop(), 0);
}

// The events about presence in between have only numbers, at most one a second, and no other stream waits for them.
TEST(ManyStreams, AllLeaveAChannelAtOnceAndItsWatcherIsTold) {
  const std::size_t count = affordable_streams();
  const TempFolder folder;
  ServerProcess server(folder, {"--presence-grace", "1s"});
  HttpClient admin(server.admin());
  Streams watcher(server.pages());
  watcher.connect("userId=watcher&presence=stadium");
  Streams crowd(server.pages());
  ASSERT_NO_FATAL_FAILURE(open_until(crowd, count, "&channel=stadium"));
  const auto told = [&] {
    const auto& events = watcher[0].events;
    return events.empty() ? std::string() : events.back().data;
  };
  const auto number = [&] {
    const std::string data = told();
    return data.empty() ? 0U : event::parse_json(data, "an event").at("count").get<std::size_t>();
  };
  EXPECT_TRUE(watcher.run_until([&] { return number() == count + 1; })) << told();
  EXPECT_EQ(told().find("members"), std::string::npos);
  crowd.close_all();
  EXPECT_EQ(admin.get("/api/v1/status").status, 200);
  EXPECT_TRUE(watcher.run_until([&] { return number() == 1; })) << told();
  EXPECT_NE(told().find(R"("members":[{"user":"watcher"}])"), std::string::npos);
  EXPECT_EQ(watcher[0].events.back().id, watcher[0].connection_id) << "none has an id";
  EXPECT_EQ(server.stop(), 0);
}

}  // namespace
}  // namespace sse::testing
