#include "store/store_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using event::TargetKind;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const Recipient kBob{TargetKind::kUser, "bob"};

std::string refusal(const StoreLimits& limits, const Recipient& recipient, const Usage& usage, std::uint64_t bytes) {
  const Error error = error_of([&] { require_room(limits, recipient, usage, bytes); });
  EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
  return error.what();
}

TEST(StoreLimits, ARecipientMayHaveSoManyMessages) {
  StoreLimits limits;
  limits.per_recipient = 3;
  EXPECT_NO_THROW(require_room(limits, kBob, {2, 1000}, 1000));
  EXPECT_THAT(refusal(limits, kBob, {3, 0}, 1),
              AllOf(HasSubstr("user 'bob' already has 3 pending messages"), HasSubstr("--qos-max-per-user")));
}

TEST(StoreLimits, ARecipientMayHaveSoManyBytes) {
  StoreLimits limits;
  limits.bytes_per_recipient = ByteCount(100);
  EXPECT_NO_THROW(require_room(limits, kBob, {1, 60}, 40));
  EXPECT_THAT(refusal(limits, kBob, {1, 60}, 41),
              AllOf(HasSubstr("60 pending bytes"), HasSubstr("41"), HasSubstr("--qos-max-bytes-per-user (100")));
  // Nor a message without data when nothing is left.
  EXPECT_THAT(refusal(limits, kBob, {1, 100}, 0), HasSubstr("100 pending bytes"));
}

TEST(StoreLimits, ZeroIsNoLimit) {
  StoreLimits limits;
  limits.per_recipient = 0;
  constexpr std::uint64_t kMany = std::numeric_limits<std::uint64_t>::max();
  EXPECT_NO_THROW(require_room(limits, kBob, {kMany, kMany}, kMany));
  EXPECT_NO_THROW(require_room(limits, Usage{kMany, kMany}, kMany, kMany));
}

TEST(StoreLimits, TheStoreMayHoldSoManyPairsAndBytes) {
  StoreLimits limits;
  limits.total = 10;
  limits.total_bytes = ByteCount(1000);
  EXPECT_NO_THROW(require_room(limits, Usage{8, 900}, 2, 100));
  const auto refused = [&](const Usage& total, std::uint64_t pairs, std::uint64_t bytes) {
    return std::string(error_of([&] { require_room(limits, total, pairs, bytes); }).what());
  };
  EXPECT_THAT(refused({8, 0}, 3, 1),
              AllOf(HasSubstr("this server"), HasSubstr("for 3"), HasSubstr("--qos-max-total (10)")));
  EXPECT_THAT(refused({0, 900}, 1, 101), HasSubstr("--qos-max-total-bytes (1000"));
  // A sum that does not fit 64 bits is over the limit, too.
  EXPECT_THAT(refused({5, 0}, std::numeric_limits<std::uint64_t>::max(), 1), HasSubstr("--qos-max-total (10)"));
}

TEST(StoreLimits, NamesTheRecipientAndShowsNoToken) {
  StoreLimits limits;
  limits.per_recipient = 1;
  const auto named = [&](TargetKind kind, const std::string& name) { return refusal(limits, {kind, name}, {1, 0}, 1); };
  EXPECT_THAT(named(TargetKind::kToken, "very-secret-token"),
              AllOf(HasSubstr("token '"), Not(HasSubstr("very-secret-token"))));
  EXPECT_THAT(named(TargetKind::kMember, event::member_name("bob", "acme")), HasSubstr("user 'bob' of tenant 'acme'"));
  EXPECT_THAT(named(TargetKind::kChannel, "news"), HasSubstr("channel 'news'"));
  EXPECT_THAT(named(TargetKind::kAll, ""), HasSubstr("all already has 1"));
  EXPECT_THAT(named(TargetKind::kUser, "two\nlines"), Not(HasSubstr("\n")));
  EXPECT_LT(named(TargetKind::kUser, std::string(1000, 'x')).size(), 400U);
}

}  // namespace
}  // namespace sse::store
