#include "api/types.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/error.h"
#include "support/errors.h"

namespace sse::api {
namespace {

std::string refusal(const std::function<void()>& act) {
  const Error error = testing::error_of(act);
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  return error.what();
}

TEST(SendRequestJson, SurvivesTheRoundTrip) {
  SendRequest request;
  request.service = ServiceName("hr");
  request.target = event::Target::user(UserId("1"));
  request.target.listening = true;
  request.event = "note";
  request.data = "a\nb";
  request.qos = true;
  request.ttl = std::chrono::hours(1);
  request.notify = true;
  const Json json = to_json(request);
  EXPECT_EQ(json["ttl"], "1h");
  const SendRequest back = send_request_from_json(json);
  EXPECT_EQ(back.service, request.service);
  EXPECT_EQ(back.target.names, request.target.names);
  EXPECT_TRUE(back.target.listening);
  EXPECT_EQ(back.event, "note");
  EXPECT_EQ(back.data, "a\nb");
  EXPECT_TRUE(back.qos);
  EXPECT_TRUE(back.notify);
  EXPECT_EQ(back.ttl, request.ttl);
}

TEST(SendRequestJson, HasAUnionAndAClientThatIsLeftOut) {
  const std::string text =
      R"({"data":"x","event":"news","except":"tab-1","target":{"channels":["c"],"tenants":["t"],"users":["1"]}})";
  const SendRequest request = send_request_from_json(Json::parse(text));
  EXPECT_EQ(request.target.kind, event::TargetKind::kChannel);
  ASSERT_EQ(request.also.size(), 2U);
  EXPECT_EQ(request.also[0].kind, event::TargetKind::kUser);
  EXPECT_EQ(request.also[1].kind, event::TargetKind::kTenant);
  EXPECT_EQ(request.except, "tab-1");
  EXPECT_EQ(event::dump_json(to_json(request)), text);
  EXPECT_NE(refusal([] {
              send_request_from_json(Json::parse(R"({"target":{"users":["1"],"channels":["c"]},"qos":true})"));
            }).find("with qos a send to several kinds of recipients is for users and tokens only"),
            std::string::npos);
  EXPECT_NE(refusal([] {
              send_request_from_json(Json::parse(R"({"target":{"users":["1"]},"except":"c","qos":true})"));
            }).find("with qos no client can be left out"),
            std::string::npos);
  EXPECT_NE(refusal([] {
              send_request_from_json(Json::parse(R"({"target":{"users":["1"]},"except":1})"));
            }).find("field 'except' must be a string"),
            std::string::npos);
}

TEST(SendRequestJson, FillsInTheDefaults) {
  const SendRequest request = send_request_from_json(Json::parse(R"({"target":{"all":true}})"));
  EXPECT_EQ(request.event, "server-push");
  EXPECT_EQ(request.data, "");
  EXPECT_FALSE(request.qos);
  EXPECT_FALSE(request.ttl.has_value());
}

TEST(SendRequestJson, SendsOtherValuesAsJsonText) {
  const SendRequest request = send_request_from_json(Json::parse(R"({"target":{"users":["1"]},"data":{"a":[1]}})"));
  EXPECT_EQ(request.data, R"({"a":[1]})");
}

TEST(SendRequestJson, NamesWhatIsWrong) {
  EXPECT_NE(refusal([] { send_request_from_json(Json::parse(R"({"data":"x"})")); }).find("'target'"),
            std::string::npos);
  EXPECT_NE(refusal([] { send_request_from_json(Json::parse(R"({"target":{"all":true},"qoss":1})")); }).find("'qoss'"),
            std::string::npos);
  EXPECT_NE(refusal([] { send_request_from_json(Json::parse(R"({"target":{"all":true},"ttl":60})")); }).find("'ttl'"),
            std::string::npos);
  EXPECT_NE(refusal([] {
              send_request_from_json(Json::parse(R"({"target":{"all":true},"notify":true})"));
            }).find("notify needs qos"),
            std::string::npos);
  refusal([] { send_request_from_json(Json::parse("[]")); });
}

TEST(SendResultJson, SurvivesTheRoundTrip) {
  SendResult result;
  result.id = MessageId(9007199254740993);
  result.delivered = 2;
  result.pending = 1;
  result.recipients.push_back({event::TargetKind::kChannel, "news", 2});
  const Json json = to_json(result);
  EXPECT_EQ(json["id"], "9007199254740993");
  const SendResult back = send_result_from_json(json);
  EXPECT_EQ(back.id, result.id);
  EXPECT_EQ(back.delivered, 2U);
  EXPECT_EQ(back.pending, 1U);
  ASSERT_EQ(back.recipients.size(), 1U);
  EXPECT_EQ(back.recipients[0].kind, event::TargetKind::kChannel);
  EXPECT_EQ(back.recipients[0].name, "news");
}

TEST(SendResultJson, IgnoresNewFieldsButWantsTheCounts) {
  EXPECT_EQ(send_result_from_json(Json::parse(R"({"id":"1","delivered":0,"pending":0,"new":1})")).id, MessageId(1));
  refusal([] { send_result_from_json(Json::parse(R"({"id":"1","delivered":"0","pending":0})")); });
}

TEST(CloseRequestJson, TakesIdsOrATarget) {
  CloseRequest by_id;
  by_id.ids = {ConnectionId(7), ConnectionId(9007199254740993)};
  EXPECT_EQ(close_request_from_json(to_json(by_id)).ids, by_id.ids);
  CloseRequest by_target;
  by_target.target = event::Target::all();
  EXPECT_EQ(close_request_from_json(to_json(by_target)).target->kind, event::TargetKind::kAll);
  EXPECT_EQ(close_request_from_json(Json::parse(R"({"ids":[7]})")).ids[0], ConnectionId(7));
  refusal([] { close_request_from_json(Json::object()); });
  refusal([] { close_request_from_json(Json::parse(R"({"ids":["1"],"target":{"all":true}})")); });
  refusal([] { close_request_from_json(Json::parse(R"({"ids":[]})")); });
  EXPECT_NE(refusal([] { close_request_from_json(Json::parse(R"({"ids":["x"]})")); }).find("\"x\""), std::string::npos);
}

TEST(TicketRequestJson, SurvivesTheRoundTripAndRefusesWhatNamesNoUser) {
  TicketRequest request;
  request.service = ServiceName("hr");
  request.user = "ann";
  request.tenant = "acme";
  request.token = "s1";
  request.profile = R"({"name":"Ann"})";
  request.channels = {"team.*"};
  request.ttl = std::chrono::seconds(5);
  const TicketRequest read = ticket_request_from_json(to_json(request));
  EXPECT_EQ(read.service, request.service);
  EXPECT_EQ(read.user, "ann");
  EXPECT_EQ(read.tenant, "acme");
  EXPECT_EQ(read.token, "s1");
  EXPECT_EQ(read.profile, request.profile);
  EXPECT_EQ(read.channels, request.channels);
  EXPECT_EQ(read.ttl, request.ttl);
  EXPECT_FALSE(ticket_request_from_json(Json{{"user", "ann"}}).ttl);
  EXPECT_NE(refusal([] { ticket_request_from_json(Json::object()); }).find("field 'user'"), std::string::npos);
  refusal([] { ticket_request_from_json(Json{{"user", 7}}); });
  refusal([] { ticket_request_from_json(Json{{"user", "a"}, {"profile", "Ann"}}); });
  refusal([] { ticket_request_from_json(Json{{"user", "a"}, {"ttl", "soon"}}); });
  refusal([] { ticket_request_from_json(Json{{"user", "a"}, {"channels", "news"}}); });
  refusal([] { ticket_request_from_json(Json{{"user", "a"}, {"tennant", "x"}}); });
  request.profile = "{";
  refusal([&] { to_json(request); });
}

TEST(QueryParameters, HoldOnlyWhatIsSet) {
  ConnectionQuery query;
  query.user = "1";
  query.listening = "note";
  const QueryParameters expected{{"user", "1"}, {"listening", "note"}, {"pageNum", "2"}, {"pageSize", "50"}};
  EXPECT_EQ(parameters(query, {2, 50}), expected);
}

}  // namespace
}  // namespace sse::api
