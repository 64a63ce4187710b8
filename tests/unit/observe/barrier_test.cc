#include "observe/barrier.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "observe/metrics.h"

namespace sse::observe {
namespace {

TEST(Barrier, EndsWhateverIsThrownAndCountsIt) {
  const std::uint64_t before = exceptions_seen();
  EXPECT_TRUE(guarded("a test", [] {}));
  EXPECT_FALSE(guarded("a test", [] { throw std::runtime_error("no"); }));
  EXPECT_FALSE(guarded("a test", [] { throw 7; }));
  EXPECT_EQ(exceptions_seen(), before + 2);
}

TEST(Barrier, CountsForEveryRegistryThatWantsIt) {
  Registry registry;
  Counter& counter = registry.counter("sse_exceptions_total", "Failures");
  {
    const ExceptionCounter counting(counter);
    guarded("a test", [] { throw 7; });
  }
  guarded("a test", [] { throw 7; });
  EXPECT_EQ(counter.value(), 1U);
}

}  // namespace
}  // namespace sse::observe
