#include "admin/node_replies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::admin {
namespace {

using cluster::NodeList;
using event::Json;
using ::testing::ElementsAre;

Json document(std::uint64_t total, const Json& list) {
  return {{"total", total}, {"pageNum", 1}, {"pageSize", 100}, {"list", list}};
}

template <class Row>
NodeList<Row> merged(const std::vector<Json>& documents) {
  std::vector<NodeList<Row>> lists;
  for (const Json& one : documents) lists.push_back(NodeList<Row>::read(one));
  return cluster::merge_lists(std::move(lists));
}

// The JSON of the merged list.
template <class Row>
Json page_of_all(const std::vector<Json>& documents, std::uint64_t page, std::uint64_t size,
                 std::string_view column = "", bool descending = false) {
  NodeList<Row> all = merged<Row>(documents);
  cluster::sort_rows(all.rows, column, descending);
  return cluster::page_json(all, page, size);
}

template <class Reply>
Json merged_replies(const std::vector<Json>& documents) {
  Reply all = Reply::read(documents.front());
  for (std::size_t i = 1; i < documents.size(); ++i) all.merge(Reply::read(documents[i]));
  return all.json();
}

Json user(const char* id, std::uint64_t connections, const Json& more = Json::object()) {
  Json row{{"id", id},
           {"name", ""},
           {"user", nullptr},
           {"connections", connections},
           {"tenants", Json::array()},
           {"channels", Json::array()},
           {"firstConnectTime", 10},
           {"lastConnectTime", 10},
           {"lastRequestTime", nullptr},
           {"sessionDuration", 0}};
  row.update(more);
  return row;
}

TEST(NodeReplies, CutOnePageOutOfWhatAllNodesHold) {
  const Json a = document(3, {{{"id", "847140540416001"}}, {{"id", "847140540416003"}}, {{"id", "847140540416005"}}});
  const Json b = document(2, {{{"id", "847140540416002"}}, {{"id", "1847140540416004"}}});
  Json page = page_of_all<ConnectionRow>({a, b}, 1, 3);
  EXPECT_EQ(page["total"], 5);
  EXPECT_EQ(page["list"],
            (Json{{{"id", "847140540416001"}}, {{"id", "847140540416002"}}, {{"id", "847140540416003"}}}));
  EXPECT_FALSE(page.contains("approximate"));
  // Longer ids are larger ones.
  EXPECT_EQ(page_of_all<ConnectionRow>({a, b}, 2, 3)["list"],
            (Json{{{"id", "847140540416005"}}, {{"id", "1847140540416004"}}}));
  EXPECT_EQ(page_of_all<ConnectionRow>({a, b}, 1'000'000'000'000, 3)["list"], Json::array());
}

TEST(NodeReplies, RefuseOrOutliveWhatNoNodeOfOursAnswers) {
  const Json good = document(1, Json::array({Json{{"connection", "1"}, {"gets", true}}}));
  const Json list{{"total", -1}, {"receivers", "many"}, {"list", Json::array({Json{{"connection", Json::array()}}})}};
  for (const Json& odd : {document(UINT64_MAX, Json::array({Json{{"reasons", 7}, {"gets", "yes"}}})), list}) {
    const ExplainReply explained =
        ExplainReply::merged({ExplainReply::read(good), ExplainReply::read(odd), ExplainReply::read(odd)});
    EXPECT_GE(explained.rows.size(), 1U) << odd;
    EXPECT_LE(explained.total, cluster::kMaxTotal) << odd;
    EXPECT_LE(merged<UserRow>({odd, odd}).total, cluster::kMaxTotal);
    EXPECT_EQ(merged<ConnectionRow>({good, odd}).rows.size(), 2U);
  }
  for (const Json& odd : {document(2, Json::array({1, 2})), Json{{"list", 7}}, Json::array({1, 2}), Json("text"),
                          Json(nullptr), Json::object()}) {
    EXPECT_THROW(NodeList<UserRow>::read(odd), Error) << odd;
    EXPECT_THROW(NodeList<UserIdRow>::read(odd), Error) << odd;
    EXPECT_THROW(NodeList<NameRow>::read(odd), Error) << odd;
    EXPECT_THROW(NodeList<ConnectionRow>::read(odd), Error) << odd;
    EXPECT_THROW(ExplainReply::read(odd), Error) << odd;
    EXPECT_THROW(TraceReply::read(odd), Error) << odd;
    EXPECT_THROW(UserReply::read(odd), Error) << odd;
    EXPECT_THROW(ChannelReply::read(odd), Error) << odd;
    EXPECT_THROW(DurationsReply::read(odd), Error) << odd;
    EXPECT_THROW(CloseReply::read(odd), Error) << odd;
    EXPECT_THROW(RequeueReply::read(odd), Error) << odd;
  }
  EXPECT_THROW(CloseReply::read(Json{{"closed", -1}}), Error);
}

TEST(NodeReplies, SortByAnyColumnAndDescending) {
  const Json a = document(2, {{{"id", "1"}, {"bytesSent", 9}}, {{"id", "2"}, {"bytesSent", 100}}});
  const Json b = document(2, {{{"id", "4"}, {"bytesSent", 20}}, {{"id", "3"}, {"bytesSent", 20}}});
  const auto ids = [&](std::string_view column, bool descending) {
    std::string order;
    const Json page = page_of_all<ConnectionRow>({a, b}, 1, 10, column, descending);
    for (const Json& row : page["list"]) order += row["id"].text();
    return order;
  };
  EXPECT_EQ(ids("bytes", true), "2431");
  EXPECT_EQ(ids("bytes", false), "1342");
  EXPECT_EQ(ids("", false), "1234");
  EXPECT_EQ(ids("created", true), "4321");
}

TEST(NodeReplies, SortByTheRateOfEvents) {
  NodeList<ConnectionRow> list =
      merged<ConnectionRow>({document(2, {{{"id", "1"}, {"messageCount", 100}, {"createTime", 0}},
                                          {{"id", "2"}, {"messageCount", 50}, {"createTime", 90'000}}})});
  for (ConnectionRow& row : list.rows) row.note_rate(from_millis(100'000));
  cluster::sort_rows(list.rows, "rate", true);
  EXPECT_EQ(list.rows.front().document["id"], "2");
  EXPECT_FALSE(list.rows.front().json().contains("rate"));
}

TEST(NodeReplies, MakeOneRowOfAUserWhoIsOnSeveralNodes) {
  const Json a = document(2, {user("1", 2,
                                   {{"channels", Json::array({"news"})},
                                    {"firstConnectTime", 10},
                                    {"lastConnectTime", 30},
                                    {"sessionDuration", 5}}),
                              user("3", 1)});
  const Json b = document(2, {user("1", 3,
                                   {{"channels", {"news", "sport"}},
                                    {"firstConnectTime", 20},
                                    {"lastConnectTime", 40},
                                    {"lastRequestTime", 7},
                                    {"sessionDuration", 9},
                                    {"unknown", 9}}),
                              user("2", 1)});
  const Json page = page_of_all<UserRow>({a, b}, 1, 2);
  EXPECT_EQ(page["total"], 3);
  ASSERT_EQ(page["list"].size(), 2u);
  EXPECT_EQ(page["list"][0], user("1", 5,
                                  {{"channels", {"news", "sport"}},
                                   {"firstConnectTime", 10},
                                   {"lastConnectTime", 40},
                                   {"lastRequestTime", 7},
                                   {"sessionDuration", 9}}));
  EXPECT_EQ(page["list"][1]["id"], "2");
}

TEST(NodeReplies, NeverAddUpWhatTheApplicationSaysAboutAUser) {
  for (const auto& [older, newer] : std::vector<std::pair<Json, Json>>{
           {30, 31}, {{1, 2}, {2, 3}}, {{{"age", 30}}, {{"age", 30}, {"lastSeen", 4}}}, {"x", 7}, {nullptr, 5}}) {
    const Json a = user("1", 1, {{"name", "old"}, {"user", older}, {"lastConnectTime", 10}});
    const Json b = user("1", 2, {{"name", "new"}, {"user", newer}, {"lastConnectTime", 20}});
    for (const std::vector<Json>& both : {std::vector<Json>{a, b}, std::vector<Json>{b, a}}) {
      UserRow one = UserRow::read(both[0]);
      one.merge(UserRow::read(both[1]));
      EXPECT_EQ(one.json()["user"], newer);
      EXPECT_EQ(one.json()["name"], "new");
      EXPECT_EQ(one.json()["connections"], 3);
    }
  }
}

TEST(NodeReplies, SayWhenATotalMayBeTooHigh) {
  const Json a = document(5000, Json::array({user("1", 1)}));
  const Json b = document(1, Json::array({user("1", 1)}));
  const Json page = page_of_all<UserRow>({a, b}, 1, 1);
  EXPECT_EQ(page["total"], 5000);
  EXPECT_EQ(page["approximate"], true);
  EXPECT_FALSE(page_of_all<UserRow>({a}, 1, 1).contains("approximate"));
}

TEST(NodeReplies, TakePlainNamesToo) {
  const Json page = page_of_all<UserIdRow>({document(2, {"b", "c"}), document(2, {"a", "c"})}, 1, 10);
  EXPECT_EQ(page["total"], 3);
  EXPECT_EQ(page["list"], (Json{"a", "b", "c"}));
}

TEST(NodeReplies, CountAUserOfSeveralNodesOnce) {
  const auto row = [](const char* name, std::vector<std::string> users) {
    return Json{{"name", name}, {"connections", 2}, {"users", users.size()}, {"userKeys", users}, {"key", name}};
  };
  const Json one{{"total", 2}, {"list", Json::array({row("a", {"u1", "u2"}), row("b", {"u1"})})}};
  const Json two{{"total", 1}, {"list", Json::array({row("a", {"u1"})})}};
  const Json page = page_of_all<NameRow>({one, two, two}, 1, 10, "users", true);
  ASSERT_EQ(page["list"].size(), 2U);
  const auto expected = [](const char* name, int connections, int users) {
    return Json{{"name", name},
                {"connections", connections},
                {"users", users},
                {"firstConnectTime", 0},
                {"lastConnectTime", 0}};
  };
  EXPECT_EQ(page["list"][0], expected("a", 6, 2));
  EXPECT_EQ(page["list"][1], expected("b", 2, 1));
  EXPECT_EQ(page["total"], 2);
}

TEST(NodeReplies, MaskedTokensThatLookTheSameStayApart) {
  const auto row = [](const char* key) { return Json{{"name", "ab***"}, {"connections", 1}, {"key", key}}; };
  const Json page = page_of_all<NameRow>(
      {document(1, Json::array({row("k1")})), document(2, Json::array({row("k1"), row("k2")}))}, 1, 10);
  EXPECT_EQ(page["total"], 2);
  EXPECT_EQ(page["list"].size(), 2U);
}

TEST(NodeReplies, AddUpCounts) {
  EXPECT_EQ(merged_replies<CloseReply>({{{"closed", 1}}, {{"closed", 0}}, {{"closed", 4}}}), (Json{{"closed", 5}}));
  EXPECT_EQ(merged_replies<CloseReply>({{{"closed", 1}, {"unknown", 7}}}), (Json{{"closed", 1}}));
  EXPECT_EQ(merged_replies<DeleteReply>({{{"deleted", 1}}, {{"deleted", UINT64_MAX}}})["deleted"], cluster::kMaxTotal);
  EXPECT_EQ(merged_replies<RetryReply>({{{"delivered", 1}}, {{"delivered", 2}}}), (Json{{"delivered", 3}}));
  const Json set{{"duration", 7}, {"connections", 1}, {"pending", 0}};
  EXPECT_EQ(merged_replies<SetDurationReply>({set, set}), (Json{{"duration", 7}, {"connections", 2}, {"pending", 0}}));
  const Json clear{{"connections", 1}, {"pending", 2}};
  EXPECT_EQ(merged_replies<ClearDurationReply>({clear, clear}), (Json{{"connections", 2}, {"pending", 4}}));
  EXPECT_EQ(merged_replies<RequeueReply>({{{"ids", {"1", "2"}}}, {{"ids", Json::array({"2"})}}}),
            (Json{{"ids", {"1", "2"}}}));
}

// Counts how often it is compared.
struct CountedRow {
  int number;
  std::uint64_t* compared;

  bool operator<(const CountedRow& other) const {
    ++*compared;
    return number < other.number;
  }
};

TEST(NodeReplies, AppendNewRowsInOrderWithoutComparingEachWithAllOthers) {
  std::uint64_t compared = 0;
  const auto rows = [&](int from, int to) {
    std::vector<CountedRow> list;
    for (int number = from; number < to; ++number) list.push_back({number, &compared});
    return list;
  };
  std::vector<CountedRow> all = rows(0, 4000);
  add_new(all, rows(2000, 6000));
  ASSERT_EQ(all.size(), 6000U);
  for (int number = 0; number < 6000; ++number) ASSERT_EQ(all[static_cast<std::size_t>(number)].number, number);
  EXPECT_LT(compared, 8000U * 3 * 13) << "logarithmic for each row";
}

TEST(NodeReplies, OfSettingsThatWaitAtSeveralNodesTheNewestApplies) {
  const auto reply = [](const char* connection, const Json& pending) {
    return Json{{"connections", Json::array({Json{{"id", connection}}})}, {"pending", pending}};
  };
  const Json older{{"id", "9"}, {"duration", 1}};
  const Json newer{{"id", "10"}, {"duration", 2}};
  for (const auto& both : {std::vector<Json>{reply("1", older), reply("2", newer), reply("2", nullptr)},
                           std::vector<Json>{reply("1", nullptr), reply("2", newer), reply("1", older)}}) {
    const Json merged = merged_replies<DurationsReply>(both);
    EXPECT_EQ(merged["pending"], newer);
    EXPECT_EQ(merged["connections"].size(), 2U);
  }
}

TEST(NodeReplies, AUserHasTheConnectionsOfAllNodes) {
  const auto reply = [](const char* connection, const char* token) {
    return user("1", 1,
                {{"service", "s"},
                 {"tokens", Json::array({token})},
                 {"connectionList", Json::array({Json{{"id", connection}}})}});
  };
  const Json merged = merged_replies<UserReply>({reply("1", "a***"), reply("2", "b***"), reply("3", "a***")});
  EXPECT_EQ(merged["connections"], 3);
  EXPECT_EQ(merged["service"], "s");
  EXPECT_EQ(merged["tokens"], (Json{"a***", "b***"}));
  EXPECT_EQ(merged["connectionList"].size(), 3U);
}

TEST(NodeReplies, AChannelHasTheMembersOfAllNodes) {
  const auto reply = [](std::vector<std::string> users, std::uint64_t count, std::int64_t first, const Json& history) {
    Json members = Json::array();
    for (const std::string& user : users) members.push_back({{"user", user}, {"connections", 1}});
    return Json{{"name", "room"},       {"service", "s"},       {"connections", 5},
                {"memberCount", count}, {"eventsPerMinute", 3}, {"firstConnectTime", first},
                {"lastConnectTime", 9}, {"history", history},   {"members", std::move(members)}};
  };
  const Json both = merged_replies<ChannelReply>(
      {reply({"ann", "bob"}, 2, 7, nullptr), reply({"bob", "cid"}, 2, 5, {{"events", 2}, {"bytes", 90}})});
  EXPECT_EQ(both["connections"], 10);
  EXPECT_EQ(both["memberCount"], 3) << "bob is at both";
  EXPECT_EQ(both["firstConnectTime"], 5);
  EXPECT_EQ(both["eventsPerMinute"], 3) << "both have had the same events";
  EXPECT_EQ(both["history"], (Json{{"events", 2}, {"bytes", 90}}));
  ASSERT_EQ(both["members"].size(), 3U);
  EXPECT_EQ(both["members"][1], (Json{{"user", "bob"}, {"connections", 2}}));
  EXPECT_EQ(
      merged_replies<ChannelReply>({reply({"ann"}, 4000, 7, nullptr), reply({"bob"}, 1, 5, nullptr)})["memberCount"],
      4001)
      << "not all are listed";
}

TEST(NodeReplies, AMessageHasTheRecipientsOfAllNodes) {
  const Json here{{"list", Json::array({Json{{"id", "7"}, {"recipient", "1"}}})}};
  const Json there{{"list", Json::array({Json{{"id", "7"}, {"recipient", "2"}}})}, {"missing", Json::array({"c"})}};
  const Json merged = merged_replies<MessageReply>({here, there});
  EXPECT_EQ(merged["list"].size(), 2U);
  EXPECT_EQ(merged["missing"], Json::array({"c"}));
  EXPECT_FALSE(merged_replies<MessageReply>({here}).contains("missing"));
}

TEST(NodeReplies, ShowAUserAsOfflineOnlyWhereEveryNodeSaysSo) {
  const auto row = [](const Json& connection, const std::string& user, bool gets) {
    return Json{{"connection", connection}, {"user", user}, {"gets", gets}, {"reasons", Json::array()}};
  };
  const Json a{{"total", 3},
               {"receivers", 0},
               {"list", {row("847140540416009", "1", false), row(nullptr, "2", false), row(nullptr, "3", false)}}};
  const Json b{{"total", 3},
               {"receivers", 1},
               {"list", {row("847140540416001", "2", true), row(nullptr, "1", false), row(nullptr, "3", false)}}};
  const ExplainReply both = ExplainReply::merged({ExplainReply::read(a), ExplainReply::read(b)});
  const Json merged = both.json(1, 10);
  EXPECT_EQ(merged["total"], 3);
  EXPECT_EQ(merged["receivers"], 1);
  ASSERT_EQ(merged["list"].size(), 3u);
  EXPECT_EQ(merged["list"][0]["user"], "2");
  EXPECT_EQ(merged["list"][1]["user"], "1");
  EXPECT_EQ(merged["list"][2]["user"], "3");
  EXPECT_EQ(both.json(2, 2)["list"].size(), 1u);
}

TEST(NodeReplies, PutTheStepsOfATraceInTheOrderOfTheirTime) {
  const auto step = [](int time, const char* what) { return Json{{"time", time}, {"what", what}}; };
  const Json here{{"id", "7"},
                  {"list", Json::array({step(10, "accepted"), step(11, "committed"), step(30, "sent")})},
                  {"pending", Json::array()}};
  const Json there{
      {"id", "7"},
      {"list", Json::array({step(10, "accepted"), step(12, "committed"), step(20, "sent"), step(40, "confirmed")})},
      {"pending", Json::array({Json{{"recipient", "1"}}})}};
  std::string order;
  const Json merged = merged_replies<TraceReply>({here, there});
  for (const Json& one : merged["list"])
    order += std::to_string(one["time"].get<int>()) + " " + one["what"].get<std::string>() + ",";
  EXPECT_EQ(order, "10 accepted,11 committed,20 sent,30 sent,40 confirmed,");
  EXPECT_EQ(merged["id"], "7");
  EXPECT_EQ(merged["pending"].size(), 1U);
}

TEST(NodeReplies, TellOnceThatARecipientsMessageExpired) {
  const auto expired = [](int time, const char* name) {
    return Json{{"time", time}, {"what", "expired"}, {"kind", "user"}, {"recipient", name}};
  };
  const auto reply = [](const Json& steps) { return Json{{"id", "7"}, {"list", steps}, {"pending", Json::array()}}; };
  const Json here = reply(Json::array({expired(10, "1"), expired(10, "2")}));
  const Json there = reply(Json::array({expired(9, "1"), expired(10, "2"), expired(12, "3")}));
  EXPECT_EQ(merged_replies<TraceReply>({here, there})["list"],
            Json::array({expired(9, "1"), expired(10, "2"), expired(12, "3")}));
}

}  // namespace
}  // namespace sse::admin
