#include "soak/expectations.h"

#include <gtest/gtest.h>

namespace sse::soak {
namespace {

TEST(Expectations, AreMetByEveryEventOnceAndInOrder) {
  Expectations expectations(2);
  for (const std::uint64_t event : {1U, 2U, 3U}) expectations.expect(0, event);
  expectations.expect(1, 2);
  for (const std::uint64_t event : {1U, 2U, 3U}) expectations.on_received(0, event);
  expectations.on_received(1, 2);
  EXPECT_EQ(expectations.outstanding(), 0U);
  EXPECT_EQ(expectations.received(), 4U);
  EXPECT_EQ(expectations.late() + expectations.duplicates(), 0U);
}

TEST(Expectations, NoticeWhatIsLostDoubledLateOrForAnotherUser) {
  Expectations expectations(2);
  for (const std::uint64_t event : {1U, 2U, 3U, 4U}) expectations.expect(0, event);
  expectations.on_received(0, 2);
  EXPECT_EQ(expectations.late(), 1U);
  expectations.on_received(0, 1);
  expectations.on_received(0, 1);
  EXPECT_EQ(expectations.duplicates(), 1U);
  expectations.on_received(1, 3);
  EXPECT_EQ(expectations.duplicates(), 2U);
  EXPECT_EQ(expectations.outstanding(), 2U);
}

}  // namespace
}  // namespace sse::soak
