#include "ssectl/commands/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "ssectl/terminal/width.h"

namespace sse::ctl {
namespace {

using api::Json;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::ResultOf;

Json connection(const std::string& id, const std::string& user, std::uint64_t backlog, std::uint64_t events,
                std::int64_t age_seconds) {
  return {{"id", id},
          {"accessUserId", user},
          {"channel", "c"},
          {"requestIp", "127.0.0.1"},
          {"createTime", to_millis(wall_now()) - age_seconds * 1000},
          {"messageCount", events},
          {"backlogBytes", backlog},
          {"oldestUnsentMillis", backlog == 0 ? Json(nullptr) : Json(1500)},
          {"lastWriteMillis", 200},
          {"droppedCount", 3}};
}

Json page(const std::vector<Json>& list) {
  return {{"total", list.size()}, {"list", list}};
}

Json status(double deliveries) {
  return {{"serverId", "vm:8080"},
          {"state", "ready"},
          {"uptimeMillis", 185'000},
          {"connections", 3},
          {"users", 2},
          {"pending", 7},
          {"memoryBytes", 1048576},
          {"cpuMicros", 0},
          {"counters",
           {{"sse_deliveries_total{service=\"a\"}", deliveries}, {"sse_deliveries_total{service=\"b\"}", 1.0}}}};
}

class TopViewTest : public ::testing::Test {
 protected:
  TopViewTest() {
    view_.update(status(0),
                 page({connection("1", "ann", 0, 10, 30), connection("2", "bob", 5000, 10, 20),
                       connection("3", "名前の長い人", 100, 10, 10)}),
                 now_);
    view_.update(status(200),
                 page({connection("1", "ann", 0, 110, 30), connection("2", "bob", 5000, 20, 20),
                       connection("3", "名前の長い人", 100, 10, 10)}),
                 now_ + seconds(2));
  }
  std::vector<std::string> ids() {
    std::vector<std::string> out;
    for (const std::string& line : view_.draw(24, 80, false)) {
      if (!line.empty() && line[0] >= '1' && line[0] <= '9') out.push_back(line.substr(0, line.find(' ')));
    }
    return out;
  }

  SteadyTime now_ = steady_now();
  TopView view_;
};

// Whatever a server says, a terminal shows it and does nothing else.
TEST_F(TopViewTest, ShowsControlCharactersAndObeysNone) {
  const std::string evil = "x\x1b]0;t\x07\xC2\x9B";
  Json all = status(1);
  for (const char* name : {"serverId", "state", "connections", "users", "pending"}) all[name] = evil;
  view_.update(all, page({connection(evil, evil, 1, 1, 1)}), now_ + seconds(2));
  view_.set_message("the server answered: " + evil);
  view_.filter("x");
  for (const std::string& line : view_.draw(24, 200, false)) {
    for (const char c : line) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << line;
    EXPECT_EQ(line.find("\xC2\x9B"), std::string::npos) << line;
  }
}

TEST_F(TopViewTest, SortsByBacklogRateAndAge) {
  EXPECT_THAT(ids(), ::testing::ElementsAre("2", "3", "1"));
  view_.sort_by(TopOrder::kRate);
  EXPECT_THAT(ids(), ::testing::ElementsAre("1", "2", "3"));
  view_.sort_by(TopOrder::kAge);
  EXPECT_THAT(ids(), ::testing::ElementsAre("1", "2", "3"));
}

TEST_F(TopViewTest, FillsTheTerminalExactlyWhateverItsSize) {
  for (const auto& [rows, columns] :
       {std::pair{24U, 80U}, std::pair{40U, 140U}, std::pair{8U, 40U}, std::pair{3U, 10U}}) {
    const std::vector<std::string> lines = view_.draw(rows, columns, false);
    EXPECT_EQ(lines.size(), rows);
    EXPECT_THAT(lines, Each(ResultOf([](const std::string& line) { return display_width(line); }, Le(columns))));
  }
}

TEST_F(TopViewTest, LeavesOutColumnsThatDoNotFitInsteadOfCuttingThem) {
  for (const unsigned columns : {54U, 61U, 62U, 69U, 70U, 75U, 76U, 80U, 103U, 104U, 122U}) {
    const std::string titles = view_.draw(24, columns, false)[4];
    EXPECT_TRUE(titles.ends_with(" *BACKLOG") || titles.ends_with(" UNSENT") || titles.ends_with(" WRITE") ||
                titles.ends_with(" DROPS"))
        << columns << ": " << titles;
  }
  EXPECT_TRUE(view_.draw(24, 80, false)[4].ends_with(" DROPS"));
}

TEST_F(TopViewTest, ShowsTotalsRatesAndWhatAStreamIsOwed) {
  const std::vector<std::string> lines = view_.draw(24, 80, false);
  EXPECT_THAT(lines[0], HasSubstr("vm:8080  up 3m  ready"));
  EXPECT_THAT(lines[2], HasSubstr("deliveries 100/s"));
  EXPECT_THAT(lines[2], HasSubstr("on 2 streams"));
  EXPECT_THAT(lines[5], HasSubstr("bob"));
  EXPECT_THAT(lines[5], HasSubstr("5.0"));
  EXPECT_THAT(lines[5], HasSubstr("4.9 KiB      1s   200ms     3"));
  EXPECT_THAT(lines[6], HasSubstr("名前の長い人"));
}

TEST_F(TopViewTest, KeepsTheSelectionOnItsStream) {
  view_.move(1);
  ASSERT_NE(view_.selected(), nullptr);
  EXPECT_EQ(view_.selected()->id, "3");
  view_.sort_by(TopOrder::kAge);
  EXPECT_EQ(view_.selected()->id, "3");
  view_.move(100);
  EXPECT_EQ(view_.selected()->id, "3");
  view_.move(-100);
  EXPECT_EQ(view_.selected()->id, "1");
  view_.update(status(0), page({}), now_ + seconds(3));
  EXPECT_EQ(view_.selected(), nullptr);
  EXPECT_THAT(view_.draw(24, 80, false)[5], HasSubstr("no stream is open"));
}

TEST_F(TopViewTest, FiltersByTextWhateverItsCase) {
  view_.filter("ANN");
  EXPECT_THAT(ids(), ::testing::ElementsAre("1"));
  EXPECT_THAT(view_.draw(24, 80, false).back(), HasSubstr("filter: ANN (1)"));
  view_.filter("nobody");
  EXPECT_EQ(view_.selected(), nullptr);
}

TEST(TopOfACluster, AddsUpWhatTheNodesSay) {
  const auto node = [](const char* id, const char* state, std::uint64_t connections, double deliveries) {
    return Json{{"id", id},      {"state", state},     {"connections", connections},
                {"users", 1},    {"memoryBytes", 100}, {"deliveries", deliveries},
                {"startTime", 1}};
  };
  Json nodes{{"degraded", nullptr}, {"list", {node("a", "ready", 2, 10), node("b", "ready", 3, 5)}}};
  const Json all = status_of_cluster(status(1), nodes);
  EXPECT_EQ(all["connections"], 5);
  EXPECT_EQ(all["memoryBytes"], 200);
  EXPECT_EQ(all["counters"]["sse_deliveries_total"], 15);
  EXPECT_EQ(all["state"], "ready");
  EXPECT_EQ(all["serverId"], "cluster of 2 nodes");
  EXPECT_EQ(all["pending"], 7);
  nodes["list"][1]["state"] = "draining";
  EXPECT_EQ(status_of_cluster(status(1), nodes)["state"], "b draining");
  nodes["degraded"] = "Redis is gone";
  EXPECT_EQ(status_of_cluster(status(1), nodes)["state"], "degraded");
}

}  // namespace
}  // namespace sse::ctl
