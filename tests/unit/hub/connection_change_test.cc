#include "hub/connection_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "hub/connection_scan.h"
#include "support/errors.h"
#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ConnectionChangeTest : public HubTest {
 protected:
  std::string why_refused(const Page& page, const ConnectionChange& change,
                          ErrorCode code = ErrorCode::kInvalidArgument) {
    return testing::refusal_of([&] { change_connection(*hub_, page.id, change); }, code);
  }
  std::vector<ConnectionId> with(const std::string& name, const std::string& value) {
    ConnectionFilter filter;
    filter.attributes = {{name, value}};
    return find(hub_->directory(), filter);
  }
};

TEST_F(ConnectionChangeTest, ReplacesAndRemovesAttributesWhichListsFind) {
  start();
  const Page ann = open({.user = "ann", .query = "clientId=c&plan=free&plan=trial&x=%26"});
  const Page bob = open({.user = "bob", .query = "plan=gold"});
  const auto changed = change_connection(
      *hub_, ann.id, {.attributes = {{"plan", "gold & more"}, {"new", "1"}}, .remove = {"x", "none"}});
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->attributes.query, "clientId=c&plan=gold%20%26%20more&new=1");
  EXPECT_EQ(hub_->directory().describe(ann.id)->attributes.query, changed->attributes.query);
  EXPECT_THAT(with("plan", "gold & more"), ElementsAre(ann.id));
  EXPECT_THAT(with("plan", "gold"), ElementsAre(bob.id));
  EXPECT_THAT(with("x", "&"), IsEmpty());
  EXPECT_FALSE(change_connection(*hub_, ConnectionId(42), {.attributes = {{"a", "b"}}}));
}

TEST_F(ConnectionChangeTest, PutsTheStreamIntoChannelsAndTakesItOut) {
  start();
  Page ann = open({.user = "ann", .channel = "lobby"});
  const auto changed = change_connection(
      *hub_, ann.id, {.join = {ChannelName("team.7"), ChannelName("x")}, .leave = {ChannelName("lobby")}});
  ASSERT_TRUE(changed);
  EXPECT_THAT(changed->channels, ElementsAre(ChannelName("team.7"), ChannelName("x")));
  deliver(TargetKind::kChannel, {"lobby"}, "not this");
  deliver(TargetKind::kChannel, {"team.7"}, "this");
  EXPECT_THAT(ann.data_until("this"), ElementsAre("this"));
}

TEST_F(ConnectionChangeTest, RefusesWhatIsThePagesOrTooMuchAndChangesNothing) {
  start();
  const Page ann = open({.user = "ann", .query = "a=1"});
  EXPECT_THAT(why_refused(ann, {.attributes = {{"clientId", "x"}}}), HasSubstr("'clientId' is the page's"));
  EXPECT_THAT(why_refused(ann, {.remove = {"clientInstanceId"}}), HasSubstr("is the page's"));
  EXPECT_THAT(why_refused(ann, {.attributes = {{"", "x"}}}), HasSubstr("the name of an attribute is empty"));
  EXPECT_THAT(why_refused(ann, {.attributes = {{"a", std::string(40'000, 'x')}}}, ErrorCode::kTooLarge),
              HasSubstr("larger than 32 KiB"));
  EXPECT_THAT(why_refused(ann, {.join = {ChannelName("")}}), HasSubstr("empty channel"));
  EXPECT_THAT(why_refused(ann, {.join = {ChannelName(std::string(2000, 'c'))}}), HasSubstr("2000 bytes"));
  EXPECT_EQ(hub_->directory().describe(ann.id)->attributes.query, "a=1");
  ConnectionChange many;
  for (int i = 0; i < 101; ++i) many.join.emplace_back("c" + std::to_string(i));
  EXPECT_THAT(why_refused(ann, many, ErrorCode::kLimitExceeded), HasSubstr("names 101 channels"));
  EXPECT_THAT(hub_->directory().describe(ann.id)->channels, IsEmpty());
  many.join.pop_back();
  ASSERT_TRUE(change_connection(*hub_, ann.id, {.join = {ChannelName("first")}}));
  EXPECT_THAT(why_refused(ann, many, ErrorCode::kLimitExceeded), HasSubstr("is in as many channels as it may"));
  EXPECT_EQ(hub_->directory().describe(ann.id)->channels.size(), 100U);
}

}  // namespace
}  // namespace sse::hub
