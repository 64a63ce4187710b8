#include "soak/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sse::soak {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<IdleSample> good_run() {
  std::vector<IdleSample> calms;
  for (std::uint64_t i = 1; i <= 15; ++i) {
    IdleSample calm;
    calm.open = 10;
    for (const char* reason :
         {"client-closed", "connection-lost", "disconnect", "slow-consumer", "keepalive", "replaced", "server-closed"})
      calm.closed[reason] = i;
    calm.opened = 10 + 7 * i;
    calm.memory = 20'000'000 + (i % 3) * 100'000;
    calm.descriptors = 200 + i % 2;
    calms.push_back(calm);
  }
  return calms;
}

TEST(Soak, HasNothingToComplainAboutAGoodRun) {
  EXPECT_THAT(find_problems(good_run(), 1), IsEmpty());
}

TEST(Soak, ComplainsAboutCountersThatDoNotAddUp) {
  std::vector<IdleSample> calms = good_run();
  ++calms[7].opened;
  EXPECT_THAT(find_problems(calms, 1), Contains(HasSubstr("counters do not add up")));
}

TEST(Soak, ComplainsAboutWhatGrows) {
  std::vector<IdleSample> calms = good_run();
  for (std::size_t i = 0; i < calms.size(); ++i) calms[i].memory += i * 1'000'000;
  EXPECT_THAT(find_problems(calms, 1), Contains(HasSubstr("memory grew")));
  EXPECT_THAT(find_problems(calms, 9), Not(Contains(HasSubstr("memory grew")))) << "each may vary";
  EXPECT_THAT(find_problems(calms, 1, 4'000'000), Not(Contains(HasSubstr("memory grew"))));
  EXPECT_THAT(find_problems(calms, 1, 100'000), Contains(HasSubstr("memory grew")));
  calms = good_run();
  for (std::size_t i = 0; i < calms.size(); ++i) calms[i].descriptors += 3 * i;
  EXPECT_THAT(find_problems(calms, 1), Contains(HasSubstr("descriptors grew")));
}

TEST(Soak, DoesNotMindAWarmUp) {
  std::vector<IdleSample> calms = good_run();
  for (std::size_t i = 0; i < 4; ++i) calms[i].memory -= 10'000'000;
  EXPECT_THAT(find_problems(calms, 1), IsEmpty());
}

TEST(Soak, ComplainsWhenAKindOfEndingDidNotHappen) {
  std::vector<IdleSample> calms = good_run();
  for (IdleSample& calm : calms) calm.opened -= calm.closed["replaced"], calm.closed["replaced"] = 0;
  EXPECT_THAT(find_problems(calms, 1), Contains(HasSubstr("replaced")));
}

TEST(Soak, DoesNotJudgeATooShortRun) {
  std::vector<IdleSample> calms = good_run();
  calms.resize(5);
  EXPECT_THAT(find_problems(calms, 1), Contains(HasSubstr("too short")));
}

}  // namespace
}  // namespace sse::soak
