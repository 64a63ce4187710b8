// Deliveries to many streams, worked off in slices: what may come between two slices, and what every stream gets.
#include <algorithm>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "unit/hub/hub_fixture.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

// One append or write is a slice, and every group of more than `direct_members` streams gets its frames in passes.
class SlicedDeliveryTest : public HubTest {
 protected:
  SlicedDeliveryTest() {
    options_.slice.steps = 1;
    options_.slice.direct_members = 1;
    options_.client_max_connections = 0;
  }

  // Before any destructor runs: the loops call back.
  void TearDown() override {
    for (const auto& loop : loops_) loop->stop();
  }
  std::vector<Page> open_users(std::size_t count, const std::string& tenant = "t") {
    std::vector<Page> pages;
    for (std::size_t i = 0; i < count; ++i) pages.push_back(open({.user = std::to_string(i), .tenant = tenant}));
    return pages;
  }
  // Everything that `calls` posts reaches the loop in one turn.
  void in_one_turn(const std::function<void()>& calls) {
    const auto entered = std::make_shared<std::latch>(1);
    const auto left = std::make_shared<std::latch>(1);
    loops_[0]->post([entered, left] {
      entered->count_down();
      left->wait();
    });
    entered->wait();
    calls();
    left->count_down();
  }
  void start_to(const Target& target, const std::string& data) {
    targets_.push_back(std::make_unique<Target>(target));
    hub_->start_delivery({{*targets_.back(), "news", frame(data), {}}},
                         [this, data](const DeliveryBatch::Taken& taken) {
                           std::uint32_t sum = 0;
                           for (const auto& names : taken) {
                             for (const std::uint32_t one : names) sum += one;
                           }
                           const MutexLock lock(mutex_);
                           done_.push_back(data + " " + std::to_string(sum));
                         });
  }
  std::vector<std::string> done(std::size_t count) {
    eventually([&] {
      const MutexLock lock(mutex_);
      return done_.size() >= count;
    });
    const MutexLock lock(mutex_);
    return done_;
  }
  // Random deliveries, joins and ends on one loop; every stream gets what was sent while it was open, in order.
  void deliver_at_random() {
    start(1);
    std::mt19937 random(20261129);
    const auto pick = [&](std::size_t n) { return random() % n; };
    struct Reader {
      Page page;
      std::string user;
      std::string tenant;
      std::vector<std::string> expected;
    };
    std::vector<Reader> readers;
    int sent = 0;
    for (int round = 0; round < 40; ++round) {
      in_one_turn([&] {
        for (int i = 0; i < 12; ++i) {
          const std::string name = std::to_string(pick(6));
          const std::string tenant = pick(2) == 0 ? "a" : "b";
          if (pick(5) == 0) {
            readers.push_back(
                {testing::connect_page(*hub_, {.user = name, .tenant = tenant, .head = kHead}), name, tenant, {}});
            readers.back().page.client.follow(clock_);
            continue;
          }
          const std::string data = std::to_string(++sent);
          const std::size_t what = pick(3);
          start_to(what == 0   ? Target::all()
                   : what == 1 ? Target{TargetKind::kTenant, {tenant}, false}
                               : user(name),
                   data);
          for (Reader& reader : readers) {
            if (what == 0 || (what == 1 && reader.tenant == tenant) || (what == 2 && reader.user == name))
              reader.expected.push_back(data);
          }
        }
      });
      if (round % 8 == 7) {
        for (Reader& reader : readers) EXPECT_EQ(reader.page.data(reader.expected.size()), reader.expected);
        // A third of the readers leave, at once with what comes next.
        std::erase_if(readers, [&](const Reader&) { return pick(3) == 0; });
      }
    }
  }
  static Target user(const std::string& name) { return {TargetKind::kUser, {name}, false}; }

  Mutex mutex_;
  std::vector<std::string> done_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Target>> targets_;  // referred to by deliveries
};

TEST_F(SlicedDeliveryTest, ASendToOneStreamIsDoneBeforeABroadcastThatBeganEarlier) {
  start(1);
  std::vector<Page> pages = open_users(20);
  in_one_turn([&] {
    start_to(Target::all(), "all");
    start_to(user("7"), "one");
  });
  EXPECT_THAT(done(2), ElementsAre("one 1", "all 20"));
  EXPECT_THAT(pages[7].data(2), ElementsAre("all", "one"));
  EXPECT_THAT(pages[3].data(1), ElementsAre("all"));
}

TEST_F(SlicedDeliveryTest, AStreamGetsWhatIsSentToItAfterTheBroadcastsBeforeItAndInTheirOrder) {
  start(1);
  std::vector<Page> pages = open_users(5);
  Page other = open({.user = "x", .tenant = "other"});
  in_one_turn([&] {
    start_to(Target::all(), "1");
    start_to({TargetKind::kTenant, {"t"}, false}, "2");
    start_to(user("0"), "3");
    start_to(user("x"), "4");
    start_to(Target::all(), "5");
    start_to(user("4"), "6");
  });
  EXPECT_THAT(pages[0].data(4), ElementsAre("1", "2", "3", "5"));
  EXPECT_THAT(pages[4].data(4), ElementsAre("1", "2", "5", "6"));
  EXPECT_THAT(pages[2].data(3), ElementsAre("1", "2", "5"));
  EXPECT_THAT(other.data(3), ElementsAre("1", "4", "5"));
  std::vector<std::string> counts = done(6);
  std::ranges::sort(counts);
  EXPECT_THAT(counts, ElementsAre("1 6", "2 5", "3 1", "4 1", "5 6", "6 1"));
}

TEST_F(SlicedDeliveryTest, AStreamThatOpensMeanwhileGetsWhatIsSentAfterwards) {
  start(1);
  std::vector<Page> pages = open_users(3);
  std::vector<Page> late;
  in_one_turn([&] {
    start_to(Target::all(), "before");
    late.push_back(testing::connect_page(*hub_, {.user = "late", .tenant = "t", .head = kHead}));
    start_to(Target::all(), "after");
  });
  late[0].client.follow(clock_);
  EXPECT_THAT(done(2), ElementsAre("before 3", "after 4"));
  EXPECT_THAT(late[0].data(1), ElementsAre("after"));
  EXPECT_THAT(pages[0].data(2), ElementsAre("before", "after"));
}

TEST_F(SlicedDeliveryTest, AStreamThatOpensGetsNothingOfABulkCallThatHasNotBegunWithAllItsEvents) {
  start(1);
  std::vector<Page> pages = open_users(3);
  std::vector<Page> late;
  // Lives until the delivery ends, which may be after the streams got it.
  const Target& all = *targets_.emplace_back(std::make_unique<Target>(Target::all()));
  in_one_turn([&] {
    hub_->start_delivery({{all, "news", frame("1")}, {all, "news", frame("2")}, {all, "news", frame("3")}},
                         [](const DeliveryBatch::Taken&) {});
    start_to(user("1"), "4");
    late.push_back(testing::connect_page(*hub_, {.user = "late", .head = kHead}));
    start_to(Target::all(), "5");
  });
  late[0].client.follow(clock_);
  EXPECT_THAT(late[0].data(1), ElementsAre("5"));
  EXPECT_THAT(pages[1].data(5), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(SlicedDeliveryTest, AStreamThatIsClosedMeanwhileFirstGetsWhatWasSentBefore) {
  start(1);
  std::vector<Page> pages = open_users(4);
  std::future<std::size_t> closed;
  in_one_turn([&] {
    start_to(Target::all(), "before");
    closed = std::async(std::launch::async, [&] { return hub_->close(user("2")); });
    // Its task is in the inbox once it waits: the next turn would do as well.
  });
  EXPECT_EQ(closed.get(), 1U);
  start_to(Target::all(), "after");
  done(2);
  EXPECT_THAT(pages[0].data(2), ElementsAre("before", "after"));
  const std::string all = pages[2].client.receive_until("event:connect-close") ? pages[2].client.received() : "";
  EXPECT_EQ(times(all, "data:before\n\n"), 1U);
  EXPECT_EQ(times(all, "data:after\n\n"), 0U);
}

TEST_F(SlicedDeliveryTest, SkipsStreamsWhoseClientsLeaveMeanwhile) {
  start(1);
  std::vector<Page> pages = open_users(30);
  Page last = open({.user = "last", .tenant = "t"});
  in_one_turn([&] {
    for (int i = 0; i < 10; ++i) start_to(Target::all(), std::to_string(i));
    for (std::size_t i = 0; i < pages.size(); i += 2) pages[i].client.reset();
  });
  done(10);
  EXPECT_THAT(pages[1].data(10), ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_THAT(last.data(10), ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_TRUE(eventually([&] { return hub_->directory().connections() == 16; }));
}

TEST_F(SlicedDeliveryTest, NeitherClosesNorDropsForABacklogThatWasOnlyNotWrittenYet) {
  options_.stream.max_backlog = 4000;
  start(1);
  std::vector<Page> pages = open_users(8);
  std::vector<std::string> sent;
  in_one_turn([&] {
    for (int i = 0; i < 100; ++i) {
      sent.push_back(std::to_string(i) + std::string(500, 'x'));
      start_to(Target::all(), sent.back());
    }
  });
  for (Page& page : pages) EXPECT_THAT(page.data(100), ElementsAreArray(sent));
  EXPECT_EQ(closed_for("slow-consumer"), 0);
}

TEST_F(SlicedDeliveryTest, CallsBackOnceWhenALoopStopsInTheMiddle) {
  start(1);
  std::vector<Page> pages = open_users(10);
  in_one_turn([&] {
    for (int i = 0; i < 5; ++i) start_to(Target::all(), std::to_string(i));
  });
  loops_[0]->stop();
  const MutexLock lock(mutex_);
  EXPECT_LE(done_.size(), 5U);
}

TEST_F(SlicedDeliveryTest, KeepsTheOrderOfEveryStreamInRandomInterleavings) {
  deliver_at_random();
}

TEST_F(SlicedDeliveryTest, KeepsTheOrderWhenThePassesAreNumberedFromTheBeginningAgain) {
  options_.slice.passes_before = UINT32_MAX - 50;
  deliver_at_random();
}

}  // namespace
}  // namespace sse::hub
