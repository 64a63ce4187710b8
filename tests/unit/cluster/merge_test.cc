#include "cluster/core/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sse::cluster {
namespace {

using event::Json;

Json document(std::uint64_t total, const Json& list) {
  return {{"total", total}, {"pageNum", 1}, {"pageSize", 100}, {"list", list}};
}

TEST(Merge, CutsOnePageOutOfWhatAllNodesHold) {
  const Json a = document(3, {{{"id", "847140540416001"}}, {{"id", "847140540416003"}}, {{"id", "847140540416005"}}});
  const Json b = document(2, {{{"id", "847140540416002"}}, {{"id", "1847140540416004"}}});
  ListRule rule{"", "id", "", false, 1, 3};
  Json page = merge_lists({a, b}, rule);
  EXPECT_EQ(page["total"], 5);
  EXPECT_EQ(page["list"],
            (Json{{{"id", "847140540416001"}}, {{"id", "847140540416002"}}, {{"id", "847140540416003"}}}));
  EXPECT_FALSE(page.contains("approximate"));
  rule.page = 2;
  page = merge_lists({a, b}, rule);
  // Longer ids are larger ones.
  EXPECT_EQ(page["list"], (Json{{{"id", "847140540416005"}}, {{"id", "1847140540416004"}}}));
  rule.page = 1'000'000'000'000;
  EXPECT_EQ(merge_lists({a, b}, rule)["list"], Json::array());
}

TEST(Merge, MakesWhatItCanOfWhatNoNodeOfOursAnswers) {
  const std::uint64_t huge = UINT64_MAX;
  const Json good = document(1, {{{"connection", "1"}, {"gets", true}}});
  for (const Json& odd : {document(2, {1, 2}), document(huge, {{{"reasons", 7}, {"gets", "yes"}}}), Json{{"list", 7}},
                          Json{1, 2}, Json("text"), Json(nullptr),
                          Json{{"receivers", "many"}, {"total", -1}, {"list", {{{"connection", Json::array()}}}}}}) {
    const Json merged = merge_explanations({good, odd, odd}, 1, 10);
    EXPECT_GE(merged["list"].size(), 1U) << odd;
    EXPECT_LE(merged["total"].get<std::uint64_t>(), std::uint64_t{1} << 53) << odd;
    EXPECT_GE(merge_lists({good, odd, odd}, {"id", "id", "", false, 1, 10})["list"].size(), 1U) << odd;
    combine(odd, good);
    combine(good, odd);
  }
  EXPECT_EQ(combine({{"n", INT64_MAX}}, {{"n", huge}})["n"], INT64_MAX);
  EXPECT_EQ(combine({{"n", INT64_MIN}}, {{"n", -5}})["n"], INT64_MIN);
}

TEST(Merge, SortsByAnyFieldAndDescending) {
  const Json a = document(2, {{{"id", "x"}, {"bytes", 9}}, {{"id", "y"}, {"bytes", 100}}});
  const Json b = document(2, {{{"id", "z"}, {"bytes", 20}}, {{"id", "a"}, {"bytes", 20}}});
  const Json page = merge_lists({a, b}, {"", "bytes", "id", true, 1, 10});
  std::vector<std::string> ids;
  for (const Json& row : page["list"]) ids.push_back(row["id"]);
  EXPECT_THAT(ids, ::testing::ElementsAre("y", "z", "a", "x"));
}

TEST(Merge, MakesOneRowOfAUserWhoIsOnSeveralNodes) {
  const Json a = document(2, {{{"id", "1"},
                               {"connections", 2},
                               {"channels", {"news"}},
                               {"firstConnectTime", 10},
                               {"lastConnectTime", 30},
                               {"lastRequestTime", nullptr},
                               {"sessionDuration", 5}},
                              {{"id", "3"}, {"connections", 1}}});
  const Json b = document(2, {{{"id", "1"},
                               {"connections", 3},
                               {"channels", {"news", "sport"}},
                               {"firstConnectTime", 20},
                               {"lastConnectTime", 40},
                               {"lastRequestTime", 7},
                               {"sessionDuration", 9}},
                              {{"id", "2"}, {"connections", 1}}});
  const Json page = merge_lists({a, b}, {"id", "id", "", false, 1, 2});
  EXPECT_EQ(page["total"], 3);
  ASSERT_EQ(page["list"].size(), 2u);
  EXPECT_EQ(page["list"][0], (Json{{"id", "1"},
                                   {"connections", 5},
                                   {"channels", {"news", "sport"}},
                                   {"firstConnectTime", 10},
                                   {"lastConnectTime", 40},
                                   {"lastRequestTime", 7},
                                   {"sessionDuration", 9}}));
  EXPECT_EQ(page["list"][1]["id"], "2");
}

TEST(Merge, TakesTheApplicationsRowsAsTheyAre) {
  const Json old_one{{"id", "1"}, {"age", 30}, {"roles", {"a"}}, {"last", "x"}, {"address", {{"zip", 1}}}};
  const Json new_one{{"id", "1"}, {"age", 31}, {"roles", {"b"}}, {"phone", 5}};
  ListRule rule{"id", "id", "", false, 1, 10, true};
  const Json page =
      merge_lists({document(1, Json::array({old_one})), document(2, {new_one, {{"id", "2"}, {"age", 7}}})}, rule);
  EXPECT_EQ(page["total"], 2);
  ASSERT_EQ(page["list"].size(), 2u);
  EXPECT_TRUE(page["list"][0] == old_one || page["list"][0] == new_one) << page["list"][0].dump();
  EXPECT_EQ(page["list"][1], (Json{{"id", "2"}, {"age", 7}}));
  // Whichever node is asked.
  EXPECT_EQ(merge_lists({document(1, Json::array({new_one})), document(1, Json::array({old_one}))}, rule)["list"][0],
            page["list"][0]);
  EXPECT_EQ(merge_lists({document(1, Json::array({old_one})), document(1, Json::array({old_one}))}, rule)["list"][0],
            old_one);
}

TEST(Merge, NeverAddsUpWhatTheApplicationSaysAboutAUser) {
  for (const auto& [older, newer] : std::vector<std::pair<Json, Json>>{
           {30, 31}, {{1, 2}, {2, 3}}, {{{"age", 30}}, {{"age", 30}, {"lastSeen", 4}}}, {"x", 7}, {nullptr, 5}}) {
    const Json a{{"id", "1"}, {"connections", 1}, {"name", "old"}, {"user", older}, {"lastConnectTime", 10}};
    const Json b{{"id", "1"}, {"connections", 2}, {"name", "new"}, {"user", newer}, {"lastConnectTime", 20}};
    for (const Json& both : {combine(a, b), combine(b, a)}) {
      EXPECT_EQ(both["user"], newer);
      EXPECT_EQ(both["name"], "new");
      EXPECT_EQ(both["connections"], 3);
    }
  }
}

TEST(Merge, SaysWhenATotalMayBeTooHigh) {
  const Json a = document(5000, {{{"id", "1"}}});
  const Json b = document(1, {{{"id", "1"}}});
  const Json page = merge_lists({a, b}, {"id", "id", "", false, 1, 1});
  EXPECT_EQ(page["total"], 5000);
  EXPECT_EQ(page["approximate"], true);
  EXPECT_FALSE(merge_lists({a}, {"id", "id", "", false, 1, 1}).contains("approximate"));
}

TEST(Merge, TakesPlainNamesToo) {
  const Json page = merge_lists({document(2, {"b", "c"}), document(2, {"a", "c"})}, {"name", "name", "", false, 1, 10});
  EXPECT_EQ(page["total"], 3);
  EXPECT_EQ(page["list"], (Json{"a", "b", "c"}));
}

TEST(Merge, AddsUpCounts) {
  EXPECT_EQ(merge_objects({{{"closed", 1}}, {{"closed", 0}}, {{"closed", 4}}}), (Json{{"closed", 5}}));
  EXPECT_EQ(merge_objects({{{"closed", 1}}}), (Json{{"closed", 1}}));
}

TEST(Merge, LooksAwayFromWhatIsNoList) {
  const Json page =
      merge_lists({Json("nonsense"), Json::object(), document(1, {{{"id", "1"}}})}, {"", "id", "", false, 1, 10});
  EXPECT_EQ(page["total"], 1);
}

TEST(Merge, ShowsSomebodyAsOfflineOnlyWhereEveryNodeSaysSo) {
  const auto row = [](const Json& connection, const std::string& user, bool gets) {
    return Json{{"connection", connection}, {"user", user}, {"gets", gets}, {"reasons", Json::array()}};
  };
  const Json a{{"total", 3},
               {"receivers", 0},
               {"list", {row("847140540416009", "1", false), row(nullptr, "2", false), row(nullptr, "3", false)}}};
  const Json b{{"total", 3},
               {"receivers", 1},
               {"list", {row("847140540416001", "2", true), row(nullptr, "1", false), row(nullptr, "3", false)}}};
  const Json merged = merge_explanations({a, b}, 1, 10);
  EXPECT_EQ(merged["total"], 3);
  EXPECT_EQ(merged["receivers"], 1);
  ASSERT_EQ(merged["list"].size(), 3u);
  EXPECT_EQ(merged["list"][0]["user"], "2");
  EXPECT_EQ(merged["list"][1]["user"], "1");
  EXPECT_EQ(merged["list"][2]["user"], "3");
  EXPECT_EQ(merge_explanations({a, b}, 2, 2)["list"].size(), 1u);
}

TEST(Merge, CountsWhatIsInTheSetsOfSeveralNodesOnce) {
  const auto row = [](const char* name, std::vector<std::string> users) {
    return Json{{"name", name}, {"connections", 2}, {"users", users.size()}, {"userKeys", users}};
  };
  const Json one{{"total", 2}, {"list", Json::array({row("a", {"u1", "u2"}), row("b", {"u1"})})}};
  const Json two{{"total", 1}, {"list", Json::array({row("a", {"u1"})})}};
  ListRule rule;
  rule.key = "name";
  rule.sort = "users";
  rule.tie = "name";
  rule.descending = true;
  rule.set = "userKeys";
  rule.count = "users";
  const Json merged = merge_lists({one, two, two}, rule);
  ASSERT_EQ(merged["list"].size(), 2U);
  EXPECT_EQ(merged["list"][0], (Json{{"name", "a"}, {"connections", 6}, {"users", 2}}));
  EXPECT_EQ(merged["list"][1], (Json{{"name", "b"}, {"connections", 2}, {"users", 1}}));
  EXPECT_EQ(merged["total"], 2);
}

TEST(Merge, PutsTheStepsOfATraceInTheOrderOfTheirTime) {
  const auto step = [](int time, const char* what) { return Json{{"time", time}, {"what", what}}; };
  const Json here{{"id", "7"}, {"list", Json::array({step(10, "accepted"), step(11, "committed"), step(30, "sent")})}};
  const Json there{{"id", "7"},
                   {"list", Json::array({step(10, "accepted"), step(12, "committed"), step(20, "sent"),
                                         step(40, "confirmed"), "nonsense"})}};
  std::string order;
  const Json merged = merge_traces({here, there});
  for (const Json& one : merged["list"]) {
    if (one.is_object()) order += std::to_string(one["time"].get<int>()) + " " + one["what"].get<std::string>() + ",";
  }
  EXPECT_EQ(order, "10 accepted,11 committed,20 sent,30 sent,40 confirmed,");
}

TEST(Merge, TellsOnceThatARecipientsMessageExpired) {
  const auto expired = [](int time, const char* name) {
    return Json{{"time", time}, {"what", "expired"}, {"kind", "user"}, {"recipient", name}};
  };
  const Json here{{"id", "7"}, {"list", Json::array({expired(10, "1"), expired(10, "2")})}};
  const Json there{{"id", "7"}, {"list", Json::array({expired(9, "1"), expired(10, "2"), expired(12, "3")})}};
  EXPECT_EQ(merge_traces({here, there})["list"], Json::array({expired(9, "1"), expired(10, "2"), expired(12, "3")}));
}

}  // namespace
}  // namespace sse::cluster
