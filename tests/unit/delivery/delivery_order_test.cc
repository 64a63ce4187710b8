#include "delivery/delivery_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace sse::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(DeliveryOrder, RunsAtOnceWhatHasNothingBeforeIt) {
  DeliveryOrder order;
  std::vector<int> ran;
  order.run({}, [&] { ran.push_back(1); });
  order.run(order.take(), [&] { ran.push_back(2); });
  EXPECT_THAT(ran, ElementsAre(1, 2));
}

TEST(DeliveryOrder, RunsInTheOrderOfThePlacesAndNotOfTheCalls) {
  DeliveryOrder order;
  std::vector<int> ran;
  DeliveryOrder::Place first = order.take();
  DeliveryOrder::Place second = order.take();
  order.run(std::move(second), [&] { ran.push_back(2); });
  order.run({}, [&] { ran.push_back(3); });
  EXPECT_THAT(ran, IsEmpty());
  order.run(std::move(first), [&] { ran.push_back(1); });
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(DeliveryOrder, GoesOnWhereAPlaceIsNotUsed) {
  DeliveryOrder order;
  std::vector<int> ran;
  {
    DeliveryOrder::Place refused = order.take();
    order.run(order.take(), [&] { ran.push_back(2); });
    DeliveryOrder::Place moved = std::move(refused);
    EXPECT_THAT(ran, IsEmpty());
  }
  EXPECT_THAT(ran, ElementsAre(2));
}

TEST(DeliveryOrder, LetsWhatRunsBringMore) {
  DeliveryOrder order;
  std::vector<int> ran;
  DeliveryOrder::Place first = order.take();
  DeliveryOrder::Place second = order.take();
  order.run(std::move(second), [&] { ran.push_back(2); });
  order.run(std::move(first), [&] {
    order.run({}, [&] { ran.push_back(3); });
    ran.push_back(1);
  });
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(DeliveryOrder, KeepsTheOrderOfManyThreads) {
  DeliveryOrder order;
  std::mutex mutex;
  std::vector<int> ran;
  int next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        int number = 0;
        DeliveryOrder::Place place;
        {
          const std::scoped_lock lock(mutex);
          number = next++;
          place = order.take();
        }
        // One at a time runs: no lock.
        order.run(std::move(place), [&ran, number] { ran.push_back(number); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(ran.size(), 8000U);
  for (int i = 0; i < 8000; ++i) ASSERT_EQ(ran[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace sse::delivery
