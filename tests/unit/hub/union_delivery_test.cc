// An event for a union of targets, for all clients but one, or for a channel's streams of one tenant.
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class UnionDeliveryTest : public HubTest {
 protected:
  // Sends one event to all of the targets; returns the streams by target and name.
  DeliveryBatch::Taken send(const std::vector<Target>& targets, const std::string& data,
                            const std::string& except = "") {
    // Of a union with channels: it is marked in their streams alone.
    const event::FrameRef event =
        event::Frame::make("id:" + std::to_string(++last_) + "\ndata:" + data + "\n\n", {}, TargetKind::kChannel);
    std::vector<Delivery> deliveries;
    for (const Target& target : targets) {
      deliveries.push_back({target, "news", event});
      deliveries.back().in_union = targets.size() > 1;
      deliveries.back().except = except;
    }
    return hub_->deliver(std::move(deliveries));
  }
  // Begins again with groups that are all delivered at once, or all in slices of one stream.
  void restart(std::size_t direct_members) {
    for (const auto& loop : loops_) loop->stop();
    hub_.reset();
    loops_.clear();
    options_.slice.direct_members = direct_members;
    options_.slice.steps = 1;
    start(2);
  }

  const Target channel_{TargetKind::kChannel, {"a", "b"}, false};
  const Target user_ = Target::user(UserId("ann"));
  const Target tenant_ = Target::tenant(TenantId("acme"));
  std::uint64_t last_ = 1000;
};

TEST_F(UnionDeliveryTest, ReachesEachStreamOnceThroughTheFirstTargetThatHasIt) {
  for (const std::size_t direct_members : {64U, 0U}) {
    SCOPED_TRACE(direct_members);
    restart(direct_members);
    Page all = open({.user = "ann", .tenant = "acme", .channel = "a", .more_channels = {"b"}, .channel_marks = true});
    Page user = open({.user = "ann", .channel_marks = true});
    Page colleague = open({.user = "bob", .tenant = "acme", .channel_marks = true});
    Page channel = open({.user = "eve", .channel = "b", .channel_marks = true});
    Page none = open({.user = "joe", .tenant = "other", .channel = "c"});
    EXPECT_THAT(send({channel_, user_, tenant_}, "first"),
                ElementsAre(ElementsAre(1, 1), ElementsAre(1), ElementsAre(1)));
    EXPECT_THAT(send({tenant_, channel_}, "second"), ElementsAre(ElementsAre(2), ElementsAre(0, 1)));
    EXPECT_THAT(send({user_, tenant_}, "third"), ElementsAre(ElementsAre(2), ElementsAre(1)));
    EXPECT_THAT(send({Target::all()}, "end"), ElementsAre(ElementsAre(5)));
    const std::string mark = R"({"channel":"a","event":"message"})";
    EXPECT_THAT(all.data_until("end"), ElementsAre(mark, "first", "second", "third", "end"));
    EXPECT_THAT(user.data_until("end"), ElementsAre("first", "third", "end"));
    EXPECT_THAT(colleague.data_until("end"), ElementsAre("first", "second", "third", "end"));
    const std::string of_b = R"({"channel":"b","event":"message"})";
    EXPECT_THAT(channel.data_until("end"), ElementsAre(of_b, "first", of_b, "second", "end"));
    EXPECT_THAT(none.data_until("end"), ElementsAre("end"));
  }
}

// In a cluster the parts of a union come one by one, with other events in between.
TEST_F(UnionDeliveryTest, ReachesEachStreamOnceWhenItsPartsComeFromAnotherNode) {
  start(1);
  Page ann = open({.user = "ann", .tenant = "acme", .channel = "a"});
  const auto come = [&](const Target& target, std::uint64_t id) {
    Delivery delivery{target, "news",
                      event::Frame::make("id:" + std::to_string(id) + "\ndata:" + std::to_string(id) + "\n\n", {},
                                         target.kind, target.kind == TargetKind::kChannel ? "a" : "")};
    delivery.in_union = true;
    std::vector<Delivery> one;
    one.push_back(std::move(delivery));
    return hub_->deliver(std::move(one)).front().front();
  };
  EXPECT_EQ(come(user_, 1), 1U);
  EXPECT_EQ(come(tenant_, 2), 1U);
  EXPECT_EQ(come(Target::channel(ChannelName("a")), 1), 0U);
  EXPECT_EQ(come(user_, 2), 0U);
  EXPECT_EQ(come(tenant_, 1), 0U);
  EXPECT_EQ(come(tenant_, 3), 1U);
  EXPECT_THAT(ann.data_until("3"), ElementsAre("1", "2", "3"));
}

TEST_F(UnionDeliveryTest, LeavesOutAllStreamsOfOneClient) {
  for (const std::size_t direct_members : {64U, 0U}) {
    SCOPED_TRACE(direct_members);
    restart(direct_members);
    Page first = open({.user = "ann", .channel = "a", .query = "x=1&clientId=tab%2D1"});
    Page second = open({.user = "bob", .channel = "a", .query = "clientId=tab-1"});
    Page other = open({.user = "ann", .channel = "a", .query = "clientId=tab-2&clientInstanceId=page-9"});
    Page nameless = open({.user = "ann", .channel = "a"});
    const Target target = Target::channel(ChannelName("a"));
    EXPECT_THAT(send({target}, "not to tab-1", "tab-1"), ElementsAre(ElementsAre(2)));
    EXPECT_THAT(send({target, user_}, "nor this", "tab-1"), ElementsAre(ElementsAre(2), ElementsAre(0)));
    EXPECT_THAT(send({target}, "not to page-9", "page-9"), ElementsAre(ElementsAre(3)));
    EXPECT_THAT(send({target}, "to all", "tab-3"), ElementsAre(ElementsAre(4)));
    EXPECT_THAT(first.data_until("to all"), ElementsAre("not to page-9", "to all"));
    EXPECT_THAT(second.data_until("to all"), ElementsAre("not to page-9", "to all"));
    EXPECT_THAT(other.data_until("to all"), ElementsAre("not to tab-1", "nor this", "to all"));
    EXPECT_THAT(nameless.data_until("to all"), ElementsAre("not to tab-1", "nor this", "not to page-9", "to all"));
  }
}

TEST_F(UnionDeliveryTest, ReachesTheStreamsOfOneTenantInAChannel) {
  for (const std::size_t direct_members : {64U, 0U}) {
    SCOPED_TRACE(direct_members);
    restart(direct_members);
    Page ann = open({.user = "ann", .tenant = "acme", .channel = "a"});
    Page eve = open({.user = "eve", .tenant = "other", .channel = "a"});
    Page joe = open({.user = "joe", .channel = "a"});
    Page bob = open({.user = "bob", .tenant = "acme", .channel = "b"});
    const Target of_acme = Target::channel(ChannelName("a"), TenantId("acme"));
    const Target of_other = Target::channel(ChannelName("a"), TenantId("other"));
    EXPECT_THAT(send({of_acme}, "to acme"), ElementsAre(ElementsAre(1)));
    EXPECT_THAT(send({of_other}, "to other"), ElementsAre(ElementsAre(1)));
    EXPECT_THAT(send({Target::channel(ChannelName("a"))}, "to all"), ElementsAre(ElementsAre(3)));
    // In turns, so that large groups are visited for several of them at once.
    std::vector<Delivery> turns;
    const Target all = Target::channel(ChannelName("a"));
    for (const Target* target : {&of_acme, &all, &of_other, &of_acme})
      turns.push_back({*target, "news", frame(target->of_tenant.empty() ? "turn of all" : target->of_tenant)});
    EXPECT_THAT(hub_->deliver(std::move(turns)),
                ElementsAre(ElementsAre(1), ElementsAre(3), ElementsAre(1), ElementsAre(1)));
    send({Target::all()}, "end");
    EXPECT_THAT(ann.data_until("end"), ElementsAre("to acme", "to all", "acme", "turn of all", "acme", "end"));
    EXPECT_THAT(eve.data_until("end"), ElementsAre("to other", "to all", "turn of all", "other", "end"));
    EXPECT_THAT(joe.data_until("end"), ElementsAre("to all", "turn of all", "end"));
    EXPECT_THAT(bob.data_until("end"), ElementsAre("end"));
    EXPECT_EQ(hub_->close(of_other), 1U);
    EXPECT_TRUE(eve.client.receive_until("connect-close"));
    EXPECT_THAT(send({of_other}, "nobody"), ElementsAre(ElementsAre(0)));
  }
}

TEST_F(UnionDeliveryTest, ReachesTheStreamsWithTheseIdsBehindWhatWasSentBefore) {
  for (const std::size_t direct_members : {64U, 0U}) {
    SCOPED_TRACE(direct_members);
    restart(direct_members);
    Page first = open({.user = "ann", .listeners = {"news"}});
    Page second = open({.user = "ann", .listeners = {"other"}});
    Page third = open({.user = "bob"});
    const Target one = Target::connection(first.id);
    const Target two{TargetKind::kConnection, {third.id.str(), "1", second.id.str()}, false};
    send({Target::all()}, "before");
    EXPECT_THAT(send({one}, "to one"), ElementsAre(ElementsAre(1)));
    EXPECT_THAT(send({two}, "to two"), ElementsAre(ElementsAre(1, 0, 1)));
    EXPECT_THAT(send({two.only_listening()}, "to listeners"), ElementsAre(ElementsAre(0, 0, 0)));
    EXPECT_THAT(send({user_, two}, "to a union"), ElementsAre(ElementsAre(2), ElementsAre(1, 0, 0)));
    send({Target::all()}, "end");
    EXPECT_THAT(first.data_until("end"), ElementsAre("before", "to one", "to a union", "end"));
    EXPECT_THAT(second.data_until("end"), ElementsAre("before", "to two", "to a union", "end"));
    EXPECT_THAT(third.data_until("end"), ElementsAre("before", "to two", "to a union", "end"));
    EXPECT_EQ(hub_->close(one), 1U);
    EXPECT_TRUE(first.client.receive_until("connect-close"));
    EXPECT_THAT(send({one}, "to nobody"), ElementsAre(ElementsAre(0)));
  }
}

}  // namespace
}  // namespace sse::hub
