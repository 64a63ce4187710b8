#include "presence/channel_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "event/json.h"
#include "support/event_parser.h"

namespace sse::presence {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Member member(const std::string& user, const std::string& profile = "") {
  return {{"", user}, profile};
}

class ChannelViewTest : public ::testing::Test {
 protected:
  void join(const std::string& node, const std::vector<std::string>& users) {
    RosterUpdate update;
    for (const std::string& user : users) update.joined.push_back(member(user));
    view_.apply(node, update);
  }
  void leave(const std::string& node, const std::vector<std::string>& users) {
    RosterUpdate update;
    for (const std::string& user : users) update.left.push_back({"", user});
    view_.apply(node, update);
  }
  static std::string shown(const PresenceEvent& event) {
    const testing::ReceivedEvent received = testing::parse_events(event.text).at(0);
    const event::Json data = event::parse_json(received.data, "an event");
    EXPECT_EQ(data.at("version").get<std::uint64_t>(), event.version);
    EXPECT_EQ(data.at("channel").get<std::string>(), "room");
    EXPECT_EQ(received.id, "");
    std::string text = received.type + " " + event::dump_json(data.at("count"));
    if (data.contains("members")) {
      for (const event::Json& one : data.at("members")) text += " " + one.at("user").get<std::string>();
    }
    return text;
  }
  std::vector<std::string> events() {
    std::vector<std::string> all;
    while (const auto event = view_.take_event()) all.push_back(shown(*event));
    return all;
  }
  void know(const std::string& node, const std::vector<std::string>& users) {
    join(node, users);
    events();
  }

  ChannelView view_{"room", 4};
};

TEST_F(ChannelViewTest, TellsOfJoinsAndLeavesWithTheNumberAfterThem) {
  join("", {"ann", "bob"});
  EXPECT_THAT(events(), ElementsAre("sse-join 2 ann bob"));
  EXPECT_EQ(shown(view_.snapshot()), "sse-presence 2 ann bob");
  leave("", {"ann"});
  EXPECT_THAT(events(), ElementsAre("sse-leave 1 ann"));
  EXPECT_EQ(shown(view_.snapshot()), "sse-presence 1 bob");
  EXPECT_FALSE(view_.waits());
}

TEST_F(ChannelViewTest, VersionsGrow) {
  const std::uint64_t first = view_.snapshot().version;
  EXPECT_GT(first, 0U);
  join("", {"ann"});
  EXPECT_GT(view_.take_event()->version, first);
  EXPECT_GT(view_.snapshot().version, first);
}

TEST_F(ChannelViewTest, WhatCancelsOutIsNotTold) {
  know("", {"ann"});
  join("", {"bob"});
  leave("", {"bob"});
  EXPECT_THAT(events(), ElementsAre());
  join("", {"bob"});
  EXPECT_THAT(events(), ElementsAre("sse-join 2 bob"));
}

TEST_F(ChannelViewTest, JoinsAndLeavesTakeTurns) {
  know("", {"a", "b"});
  leave("", {"a"});
  join("", {"c"});
  EXPECT_EQ(shown(*view_.take_event()), "sse-leave 2 a") << "the joins had their turn before";
  join("", {"d"});
  leave("", {"b"});
  EXPECT_EQ(shown(*view_.take_event()), "sse-join 2 c d");
  EXPECT_EQ(shown(*view_.take_event()), "sse-leave 2 b");
}

TEST_F(ChannelViewTest, AMemberOfTwoNodesLeavesWithTheLast) {
  know("", {"ann"});
  know("b", {"ann", "bob"});
  leave("", {"ann"});
  EXPECT_THAT(events(), ElementsAre());
  leave("b", {"ann"});
  EXPECT_THAT(events(), ElementsAre("sse-leave 1 ann"));
}

TEST_F(ChannelViewTest, TheMembersOfALostNodeLeave) {
  know("", {"ann"});
  know("b", {"ann", "bob", "cid"});
  EXPECT_TRUE(view_.has("b"));
  view_.remove("b");
  view_.remove("b");
  EXPECT_FALSE(view_.has("b"));
  EXPECT_THAT(events(), ElementsAre("sse-leave 1 bob cid"));
}

TEST_F(ChannelViewTest, AllMembersOfANodeReplaceThoseKnownBefore) {
  know("b", {"ann", "bob"});
  view_.apply("b", {.all = true, .joined = {member("bob"), member("cid")}});
  EXPECT_THAT(events(), ElementsAre("sse-leave 2 ann", "sse-join 2 cid"));
}

TEST_F(ChannelViewTest, AnotherProfileIsAJoin) {
  view_.apply("", {.joined = {member("ann", R"({"name":"Ann"})")}});
  EXPECT_THAT(view_.take_event()->text, HasSubstr(R"({"profile":{"name":"Ann"},"user":"ann"})"));
  view_.apply("", {.joined = {member("ann", R"({"name":"Anne"})")}});
  EXPECT_THAT(events(), ElementsAre("sse-join 1 ann"));
  view_.apply("b", {.joined = {member("ann")}});
  EXPECT_THAT(events(), ElementsAre()) << "a node that knows no profile takes none away";
}

TEST_F(ChannelViewTest, AboveTheLimitOnlyTheNumberIsTold) {
  know("", {"a", "b", "c", "d"});
  join("", {"e"});
  EXPECT_THAT(events(), ElementsAre("sse-presence 5"));
  EXPECT_TRUE(view_.counts_only());
  EXPECT_EQ(shown(view_.snapshot()), "sse-presence 5");
  join("", {"f", "g"});
  leave("", {"e"});
  EXPECT_THAT(events(), ElementsAre("sse-presence 6"));
  join("", {"h"});
  leave("", {"f"});
  EXPECT_THAT(events(), ElementsAre()) << "as many as before";
  leave("", {"g", "h", "d"});
  EXPECT_THAT(events(), ElementsAre("sse-presence 3 a b c"));
  EXPECT_FALSE(view_.counts_only());
  leave("", {"a"});
  EXPECT_THAT(events(), ElementsAre("sse-leave 2 a"));
}

TEST_F(ChannelViewTest, ANodeWithTooManyMembersGivesTheirNumber) {
  know("", {"ann"});
  view_.apply("b", {.all = true, .count = 4000});
  EXPECT_THAT(events(), ElementsAre("sse-presence 4001"));
  view_.apply("b", {.count = 4001});
  EXPECT_THAT(events(), ElementsAre("sse-presence 4002"));
  view_.apply("b", {.all = true, .joined = {member("bob")}});
  EXPECT_THAT(events(), ElementsAre("sse-presence 2 ann bob"));
  view_.apply("b", {.all = true, .count = 7});
  view_.remove("b");
  EXPECT_THAT(events(), ElementsAre("sse-leave 1 bob"));
}

TEST_F(ChannelViewTest, AListThatIsTooLongInBytesIsANumberToo) {
  ChannelView large("room", 1000);
  RosterUpdate update;
  const std::string profile = R"({"text":")" + std::string(1000, 'x') + "\"}";
  for (int i = 0; i < 300; ++i) update.joined.push_back(member("u" + std::to_string(i), profile));
  large.apply("", update);
  EXPECT_EQ(shown(*large.take_event()), "sse-presence 300");
}

TEST_F(ChannelViewTest, AnyNameOfAUserIsText) {
  for (const char* user : {"*", "a.b", "{tenant}", "\"", "x\ny", "\xff"}) {
    ChannelView view("room", 4);
    view.apply("", {.joined = {member(user)}});
    EXPECT_THAT(view.take_event()->text, ::testing::EndsWith("]}\n\n")) << user;
  }
}

}  // namespace
}  // namespace sse::presence
