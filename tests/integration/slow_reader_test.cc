#include <gtest/gtest.h>

#include "support/client.h"
#include "support/process.h"
#include "support/streams.h"

namespace sse::testing {
namespace {

const ConnectOptions kSmallBuffer{"", 4096};
constexpr const char* kSlowClosed =
    R"(sse_streams_closed_total{reason="slow-consumer",service="defaultConnectionService"} )";

// The sample's value in a Prometheus text; -1 when it is not there.
double sample(const std::string& metrics, const std::string& series) {
  const std::size_t found = metrics.find("\n" + series);
  return found == std::string::npos ? -1 : std::stod(metrics.substr(found + 1 + series.size()));
}

TEST(SlowReader, DelaysNoOtherClientAndIsClosedForItsBacklog) {
  const TempFolder folder;
  ServerProcess server(folder, {"--max-backlog", "256KiB"});
  HttpClient admin(server.admin());
  Streams healthy(server.pages());
  const std::size_t stream = healthy.connect("userId=healthy");
  // Of the same user, too: the two share a loop and a group.
  const UniqueFd stalled = connect_to(server.pages(), kSmallBuffer);
  ASSERT_TRUE(write_all(stalled.get(), "GET /my-sse/connect?userId=healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  ASSERT_TRUE(eventually([&] { return admin.get("/api/v1/status").json()["connections"] == 2; }));

  const std::string data(32 * 1024, 'x');
  std::size_t sent = 0;
  const auto slow_closed = [&] { return sample(admin.get("/metrics").body, kSlowClosed); };
  ASSERT_EQ(slow_closed(), 0);
  while (slow_closed() == 0 && sent < 1000) {
    ASSERT_EQ(admin.post("/api/v1/send", {{"target", {{"users", {"healthy"}}}}, {"data", data}}).status, 200);
    ++sent;
    ASSERT_TRUE(healthy.run_until([&] { return healthy.events() == sent; })) << "held up by the stalled one";
  }
  EXPECT_EQ(slow_closed(), 1);
  // At least the backlog it was allowed, at most that and what the kernel buffers on both sides.
  EXPECT_GT(sent, 8U);
  EXPECT_LT(sent, 200U);
  EXPECT_FALSE(healthy[stream].ended);
  EXPECT_EQ(admin.get("/api/v1/status").json()["connections"], 1);
  EXPECT_TRUE(eventually([&] { return server.log().find("reason=slow-consumer") != std::string::npos; }))
      << server.log();
}

TEST(SlowReader, OnlyMissesEventsWhenToldToDrop) {
  const TempFolder folder;
  ServerProcess server(folder, {"--max-backlog", "256KiB", "--slow-consumer", "drop"});
  HttpClient admin(server.admin());
  Streams streams(server.pages());
  const std::size_t stream = streams.connect("userId=1", kSmallBuffer);
  const std::string data(32 * 1024, 'x');
  int delivered = 0;
  int dropped = 0;
  // Nothing is read meanwhile.
  while (dropped < 3 && delivered < 1000) {
    const HttpResponse sent = admin.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", data}});
    ASSERT_EQ(sent.status, 200);
    ++(sent.json()["delivered"] == 1 ? delivered : dropped);
  }
  EXPECT_EQ(dropped, 3);
  EXPECT_TRUE(streams.run_until([&] { return streams.events() == static_cast<std::size_t>(delivered); }));
  EXPECT_FALSE(streams[stream].ended);
  ASSERT_EQ(admin.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "now"}}).json()["delivered"], 1);
  EXPECT_TRUE(streams.run_until([&] { return streams[stream].events.back().data == "now"; }));
}

TEST(SlowReader, KeepsItsPendingMessagesForTheNextStream) {
  const TempFolder folder;
  ServerProcess server(folder);
  HttpClient admin(server.admin());
  const std::string data(1024 * 1024, 'q');
  std::string id;
  {
    const UniqueFd breaking = connect_to(server.pages(), kSmallBuffer);
    ASSERT_TRUE(write_all(breaking.get(), "GET /my-sse/connect?userId=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    read_until(breaking.get(),
               [](const std::string& text) { return text.find("connect-finish") != std::string::npos; });
    const HttpResponse sent =
        admin.post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", data}, {"qos", true}});
    ASSERT_EQ(sent.status, 200) << sent.body;
    EXPECT_EQ(sent.json()["delivered"], 1);
    id = sent.json()["id"];
    // In the middle of the event.
    read_until(breaking.get(), [](const std::string& text) { return text.find("qqqq") != std::string::npos; });
    reset_on_close(breaking.get());
  }
  ASSERT_TRUE(eventually([&] { return admin.get("/api/v1/status").json()["connections"] == 0; }));
  EXPECT_EQ(admin.get("/api/v1/messages/" + id).status, 200);
  Streams streams(server.pages());
  const std::size_t stream = streams.connect("userId=1");
  ASSERT_TRUE(streams.run_until([&] { return streams.events() == 1; }));
  EXPECT_EQ(streams[stream].events[0].id, id);
  EXPECT_TRUE(streams[stream].events[0].data == data);
  EXPECT_TRUE(eventually([&] { return admin.get("/api/v1/messages/" + id).status == 404; }));
}

}  // namespace
}  // namespace sse::testing
