#include "store/withdrawals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Withdrawn of(const std::string& service, std::uint64_t id) {
  return {ServiceName(service), {event::TargetKind::kUser, "u"}, MessageId(id), Withdrawn::Why::kDeleted};
}

class WithdrawalsTest : public ::testing::Test {
 protected:
  WithdrawalReports::Withdraw into(std::vector<std::vector<std::uint64_t>>& calls) {
    return [&calls](const std::vector<Withdrawn>& removed) {
      calls.emplace_back();
      for (const Withdrawn& one : removed) calls.back().push_back(one.id.value());
    };
  }

  Withdrawals withdrawals_;
  std::vector<std::vector<std::uint64_t>> a_;
  std::vector<std::vector<std::uint64_t>> b_;
};

TEST_F(WithdrawalsTest, EachServiceGetsItsOwnInOneCall) {
  withdrawals_.set(ServiceName("a"), into(a_));
  withdrawals_.set(ServiceName("b"), into(b_));
  withdrawals_.report({of("a", 1), of("b", 2), of("a", 3), of("without a listener", 4)});
  EXPECT_THAT(a_, ElementsAre(ElementsAre(1, 3)));
  EXPECT_THAT(b_, ElementsAre(ElementsAre(2)));
}

TEST_F(WithdrawalsTest, NothingWithdrawnIsNoCall) {
  withdrawals_.set(ServiceName("a"), into(a_));
  withdrawals_.report({});
  withdrawals_.report({of("b", 1)});
  EXPECT_THAT(a_, IsEmpty());
}

TEST_F(WithdrawalsTest, AnotherListenerTakesThePlaceOfThePreviousAndNoneEndsTheCalls) {
  withdrawals_.set(ServiceName("a"), into(a_));
  withdrawals_.set(ServiceName("a"), into(b_));
  withdrawals_.report({of("a", 1)});
  withdrawals_.set(ServiceName("a"), {});
  withdrawals_.report({of("a", 2)});
  EXPECT_THAT(a_, IsEmpty());
  EXPECT_THAT(b_, ElementsAre(ElementsAre(1)));
}

// It is called on threads of a store, which an exception would end.
TEST_F(WithdrawalsTest, AListenerThatThrowsKeepsNothingFromTheOthers) {
  withdrawals_.set(ServiceName("a"), [](const auto&) { throw std::runtime_error("a defect"); });
  withdrawals_.set(ServiceName("b"), into(b_));
  withdrawals_.report({of("a", 1), of("b", 2)});
  EXPECT_THAT(b_, ElementsAre(ElementsAre(2)));
}

}  // namespace
}  // namespace sse::store
