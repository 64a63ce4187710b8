#include "delivery/sends_in_progress.h"

#include <gtest/gtest.h>

#include <future>

namespace sse::delivery {
namespace {

TEST(SendsInProgress, StopWaitsForTheLastCopyOfEachToken) {
  SendsInProgress sends;
  std::shared_ptr<void> token = sends.begin();
  std::shared_ptr<void> copy = token;
  auto stopped = std::async(std::launch::async, [&] { sends.stop(); });
  token.reset();
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  copy.reset();
  stopped.get();
}

TEST(SendsInProgress, BeginsNoneAfterStopButForCallersThatWait) {
  SendsInProgress sends;
  sends.stop();
  EXPECT_FALSE(sends.begin());
  EXPECT_TRUE(sends.begin_waiting());
  sends.stop();
}

}  // namespace
}  // namespace sse::delivery
