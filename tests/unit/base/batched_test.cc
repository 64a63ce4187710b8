#include "base/batched.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>
#include <utility>
#include <vector>

namespace sse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Collects in batches of three items or ten bytes.
class BatchedTest : public ::testing::Test {
 protected:
  void add(int item, std::size_t bytes = 1) {
    batched_.add([&] { return std::pair(item, bytes); },
                 [this](std::vector<int>& batch) { batches_.push_back(batch); });
  }
  std::vector<int> collect() {
    std::vector<int> all;
    batched_.collect([&](std::vector<int>& batch) { all.insert(all.end(), batch.begin(), batch.end()); });
    return all;
  }

  Batched<int> batched_{3, 10};
  std::vector<std::vector<int>> batches_;
};

TEST_F(BatchedTest, HandsABatchOverWhenItHasSoManyItems) {
  for (int i = 1; i <= 7; ++i) add(i);
  EXPECT_THAT(batches_, ElementsAre(ElementsAre(1, 2, 3), ElementsAre(4, 5, 6)));
}

TEST_F(BatchedTest, HandsABatchOverWhenItHasSoManyBytes) {
  add(1, 9);
  EXPECT_THAT(batches_, IsEmpty());
  add(2, 1);
  add(3, 10);
  EXPECT_THAT(batches_, ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
  // The bytes of a batch do not count for the next one.
  add(4, 9);
  EXPECT_THAT(batches_, ElementsAre(ElementsAre(1, 2), ElementsAre(3)));
}

TEST_F(BatchedTest, CollectTakesWhatIsLeftOnce) {
  add(1);
  add(2);
  EXPECT_THAT(collect(), ElementsAre(1, 2));
  EXPECT_THAT(collect(), IsEmpty());
  EXPECT_THAT(batches_, IsEmpty());
}

TEST_F(BatchedTest, CollectTakesWhatOtherThreadsHold) {
  std::thread([this] { add(1); }).join();
  std::thread([this] { add(2); }).join();
  add(3);
  EXPECT_THAT(collect(), ::testing::UnorderedElementsAre(1, 2, 3));
}

TEST_F(BatchedTest, LosesAndRepeatsNothingOfManyThreadsAndKeepsTheOrderOfEach) {
  constexpr int kThreads = 8;
  constexpr int kItems = 5000;
  Batched<std::pair<int, int>> batched(16, 1000);
  Mutex mutex;
  std::map<int, std::vector<int>> got;  // by thread
  const auto take = [&](std::vector<std::pair<int, int>>& batch) {
    const MutexLock lock(mutex);
    for (const auto& [thread, item] : batch) got[thread].push_back(item);
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kItems; ++i) {
        batched.add([&] { return std::pair(std::pair(t, i), std::size_t{1}); }, take);
        if (i % 1000 == 0) batched.collect(take);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  batched.collect(take);
  ASSERT_EQ(got.size(), std::size_t{kThreads});
  for (const auto& [thread, items] : got) {
    ASSERT_EQ(items.size(), std::size_t{kItems}) << thread;
    for (int i = 0; i < kItems; ++i) ASSERT_EQ(items[static_cast<std::size_t>(i)], i) << thread;
  }
}

TEST(PerThread, GivesAThreadTheSamePartEveryTime) {
  PerThread<int> counts;
  for (int i = 0; i < 3; ++i) counts.mine([](int& count) { ++count; });
  EXPECT_EQ(counts.mine([](int& count) { return count; }), 3);
  int parts = 0;
  int sum = 0;
  counts.each([&](int count) {
    ++parts;
    sum += count;
  });
  EXPECT_EQ(parts, static_cast<int>(PerThread<int>::kParts));
  EXPECT_EQ(sum, 3);
}

// Each thread moves from its part into another's only under all(): a snapshot always adds up.
TEST(PerThread, AllIsASnapshotOfAllThreadsAtOnce) {
  PerThread<int> values;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        // Takes one from each part and gives all of them to its own.
        int taken = 0;
        values.all([&](int& value) {
          --value;
          ++taken;
          if (taken == static_cast<int>(PerThread<int>::kParts)) value += taken;
        });
        int sum = 0;
        values.all([&](int value) { sum += value; });
        ASSERT_EQ(sum, 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sse
