#include "server/progress_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "net/event_loop.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/eventually.h"
#include "support/files.h"

namespace sse::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ProgressCheck, NamesThreadsThatDoNotAnswerUntilTheyDo) {
  std::vector<ProgressCheck::Answer> quick;
  std::vector<ProgressCheck::Answer> slow;
  ProgressCheck check;
  check.add("quick", [&](ProgressCheck::Answer answer) { quick.push_back(std::move(answer)); });
  check.add("slow", [&](ProgressCheck::Answer answer) { slow.push_back(std::move(answer)); });
  EXPECT_THAT(check.check(), IsEmpty());
  quick.back()();
  EXPECT_THAT(check.check(), ElementsAre("slow"));
  quick.back()();
  EXPECT_THAT(check.check(), ElementsAre("slow"));
  // It is not asked again before it has answered.
  EXPECT_EQ(slow.size(), 1U);
  slow.back()();
  quick.back()();
  EXPECT_THAT(check.check(), IsEmpty());
}

TEST(ProgressCheck, IsOutlivedByItsQuestions) {
  ProgressCheck::Answer late;
  {
    ProgressCheck check;
    check.add("late", [&](ProgressCheck::Answer answer) { late = std::move(answer); });
    check.check();
  }
  late();
}

TEST(ProgressCheck, NoticesALoopThatHangsAndOneThatGoesOn) {
  net::EventLoop loop("hangs");
  loop.start();
  ProgressCheck check;
  check.add("hangs", [&](ProgressCheck::Answer answer) { loop.post(std::move(answer)); });
  std::promise<void> hang;
  loop.post([&] { hang.get_future().wait(); });
  EXPECT_THAT(check.check(), IsEmpty());
  EXPECT_THAT(check.check(), ElementsAre("hangs"));
  hang.set_value();
  EXPECT_TRUE(testing::eventually([&] { return check.check().empty(); }));
  loop.stop();
}

TEST(ProgressCheck, NoticesACommitterThatHangs) {
  const testing::TempFolder folder;
  IdGenerator ids(1);
  store::SqliteRepository::Options options;
  options.path = folder.file("pending.db");
  store::SqliteRepository repository(options, ids);
  ProgressCheck check;
  check.add("committer", [&](ProgressCheck::Answer answer) { repository.probe_writes(std::move(answer)); });
  std::promise<void> hang;
  repository.probe_writes([&] { hang.get_future().wait(); });
  EXPECT_THAT(check.check(), IsEmpty());
  EXPECT_THAT(check.check(), ElementsAre("committer"));
  hang.set_value();
  EXPECT_TRUE(testing::eventually([&] { return check.check().empty(); }));
}

}  // namespace
}  // namespace sse::server
