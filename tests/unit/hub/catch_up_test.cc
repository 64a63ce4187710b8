#include "hub/catch_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "event/event.h"
#include "support/event_parser.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

event::FrameRef frame(std::uint64_t id, bool message) {
  event::Event event;
  event.id = std::to_string(id);
  event.data = std::to_string(id);
  return event::Frame::make(event::encode(event), MessageId(message ? id : 0));
}

RetainedEvent kept(std::uint64_t id, bool message = false) {
  return {frame(id, message), MessageId(id)};
}

std::vector<event::FrameRef> pending(const std::vector<std::uint64_t>& ids) {
  std::vector<event::FrameRef> page;
  for (const std::uint64_t id : ids) page.push_back(frame(id, true));
  return page;
}

struct Seen {
  std::vector<std::string> data;
  std::string cursor;  // the id a browser would come back with
};

Seen seen(const std::vector<event::FrameRef>& frames) {
  std::string bytes;
  for (const event::FrameRef& f : frames) bytes += f->bytes();
  // An event without an id repeats the last one.
  bytes += "event:end\ndata:\n\n";
  Seen all;
  for (const testing::ReceivedEvent& e : testing::parse_events(bytes)) {
    all.cursor = e.id;
    if (e.type != "end") all.data.push_back(e.data);
  }
  return all;
}

TEST(CatchUpTest, PassesEverythingThroughWhereNothingIsKept) {
  CatchUp catch_up;
  EXPECT_FALSE(catch_up.arrives_live(MessageId(7)));
  const Seen all = seen(catch_up.merge(pending({3, 7}), true));
  EXPECT_THAT(all.data, ElementsAre("3", "7"));
  EXPECT_EQ(all.cursor, "7");
}

TEST(CatchUpTest, MergesWhatWasMissedWithWhatIsPendingInOrderAndEachOnce) {
  CatchUp catch_up;
  catch_up.begin(MessageId(100), {kept(11), kept(13, true), kept(15), kept(19)}, MessageId(10));
  EXPECT_THAT(seen(catch_up.merge(pending({12, 13, 14}), false)).data, ElementsAre("11", "12", "13", "14"));
  EXPECT_TRUE(catch_up.missing());
  EXPECT_THAT(seen(catch_up.merge(pending({16}), true)).data, ElementsAre("15", "16", "19"));
  EXPECT_FALSE(catch_up.missing());
}

TEST(CatchUpTest, TakesAClientBackToWhereItWasAfterAnOldMessage) {
  CatchUp fresh;
  fresh.begin(MessageId(100));
  const Seen newcomer = seen(fresh.merge(pending({3, 7}), true));
  EXPECT_THAT(newcomer.data, ElementsAre("3", "7"));
  EXPECT_EQ(newcomer.cursor, "100");

  CatchUp resumed;
  resumed.begin(MessageId(100), {kept(60)}, MessageId(50));
  EXPECT_EQ(seen(resumed.merge(pending({3, 7}), false)).cursor, "50");
  EXPECT_EQ(seen(resumed.merge({}, true)).cursor, "60");
}

TEST(CatchUpTest, LeavesToTheLiveStreamWhatIsNotPublishedYet) {
  CatchUp catch_up;
  catch_up.begin(MessageId(100));
  EXPECT_FALSE(catch_up.arrives_live(MessageId(99)));
  EXPECT_TRUE(catch_up.arrives_live(MessageId(101)));
  catch_up.take_all_from_store();
  EXPECT_FALSE(catch_up.arrives_live(MessageId(101)));
}

TEST(CatchUpTest, HasNothingToSayWithoutAnything) {
  CatchUp catch_up;
  catch_up.begin(MessageId(100));
  EXPECT_THAT(catch_up.merge({}, true), IsEmpty());
}

TEST(CatchUpTest, KeepsWhatAFrameConfirmsWhenItAddsACursor) {
  const event::FrameRef with = with_cursor(*frame(3, true), MessageId(9));
  EXPECT_EQ(with->message(), MessageId(3));
  EXPECT_TRUE(with->bytes().ends_with("data:3\n\nid:9\n\n"));
}

}  // namespace
}  // namespace sse::hub
