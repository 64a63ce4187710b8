#include "presence/peer_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "base/error.h"

namespace sse::presence {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PeerMessages, ArriveAsTheyWereSent) {
  const auto watch = std::get<WatchMessage>(decode_peer_message(
      encode(WatchMessage{.all = true, .ask = true, .channels = {{"hr", "a"}, {"hr", "b\n\""}, {"x", "a"}}})));
  EXPECT_TRUE(watch.all && watch.ask && watch.watches);
  EXPECT_THAT(watch.channels, ElementsAre(ChannelKey("hr", "a"), ChannelKey("hr", "b\n\""), ChannelKey("x", "a")));
  const auto none = std::get<WatchMessage>(decode_peer_message(encode(WatchMessage{.watches = false})));
  EXPECT_FALSE(none.all || none.ask || none.watches);
  EXPECT_THAT(none.channels, IsEmpty());

  MembersMessage sent{{"hr", "room"}, {.joined = {{{"acme", "ann"}, R"({"name":"Ann"})"}, {{"", "*"}, ""}}}};
  sent.update.left = {{"", "a.b"}};
  const auto members = std::get<MembersMessage>(decode_peer_message(encode(sent)));
  EXPECT_EQ(members.channel, ChannelKey("hr", "room"));
  EXPECT_FALSE(members.update.all || members.update.count);
  ASSERT_EQ(members.update.joined.size(), 2U);
  EXPECT_EQ(members.update.joined[0].id, (MemberId{"acme", "ann"}));
  EXPECT_EQ(members.update.joined[0].profile, R"({"name":"Ann"})");
  EXPECT_EQ(members.update.joined[1].id, (MemberId{"", "*"}));
  EXPECT_THAT(members.update.left, ElementsAre(MemberId{"", "a.b"}));

  const auto count =
      std::get<MembersMessage>(decode_peer_message(encode(MembersMessage{{"hr", "c"}, {.all = true, .count = 4711}})));
  EXPECT_TRUE(count.update.all);
  EXPECT_EQ(count.update.count, 4711U);
}

TEST(PeerMessages, WhatNoNodeSendsIsRefused) {
  const std::string members = R"({"service":"s","channel":"c","joined":[],"left":[])";
  EXPECT_NO_THROW(decode_peer_message(members + "}"));
  for (const std::string& bytes : {
           std::string("no JSON"),
           std::string("[]"),
           std::string("{}"),
           std::string(R"({"watch":1,"channels":{}})"),
           std::string(R"({"watch":true})"),
           std::string(R"({"watch":true,"channels":["a"]})"),
           std::string(R"({"watch":true,"channels":{"s":"a"}})"),
           std::string(R"({"watch":true,"channels":{"s":[1]}})"),
           std::string(R"({"service":"s","channel":7,"joined":[],"left":[]})"),
           std::string(R"({"service":"s","channel":"c","joined":{},"left":[]})"),
           std::string(R"({"service":"s","channel":"c","joined":["ann"],"left":[]})"),
           std::string(R"({"service":"s","channel":"c","joined":[{"user":""}],"left":[]})"),
           std::string(R"({"service":"s","channel":"c","joined":[],"left":[{"tenant":"a"}]})"),
           members + R"(,"count":-1})",
           members + R"(,"count":1e99})",
           members + R"(,"count":99999999999})",
           R"({"service":"s","channel":"c","left":[],"joined":[{"user":"a","profile":")" + std::string(1025, 'x') +
               R"("}]})",
       }) {
    EXPECT_THROW(decode_peer_message(bytes), Error) << bytes;
  }
}

// Of all services together.
TEST(PeerMessages, NameNoMoreChannelsThanANodeFollows) {
  const auto names = [](std::size_t count) {
    std::string list = R"(["")";
    for (std::size_t i = 1; i < count; ++i) list += R"(,"")";
    return list + "]";
  };
  const std::string begin = R"({"watch":true,"all":true,"channels":{"a":)" + names(kMaxPeerNames / 2) + R"(,"b":)";
  EXPECT_THROW(decode_peer_message(begin + names(kMaxPeerNames / 2 + 1) + "}}"), Error);
}

}  // namespace
}  // namespace sse::presence
