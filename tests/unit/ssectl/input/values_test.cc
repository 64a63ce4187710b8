#include "ssectl/input/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "support/errors.h"

namespace sse::ctl {
namespace {

using ::testing::HasSubstr;

TEST(ParseIds, KeepsOrderAndDropsDoubles) {
  EXPECT_EQ(parse_ids({"2", "1", "2"}), (std::vector<std::uint64_t>{2, 1}));
  EXPECT_THAT(testing::refusal_of([] { parse_ids({"1", "0x2"}); }), HasSubstr("'0x2' is not an id"));
}

TEST(ParseIds, MakesIdsOfTheirOwnType) {
  EXPECT_EQ(ids_from<MessageId>({"7", "7", "8"}), (std::vector<MessageId>{MessageId(7), MessageId(8)}));
  EXPECT_EQ(id_from<ConnectionId>("9"), ConnectionId(9));
  EXPECT_THAT(testing::refusal_of([] { id_from<ConnectionId>("nine"); }), HasSubstr("'nine' is not an id"));
}

TEST(NamedValue, SplitsAtTheFirstEqualsSign) {
  EXPECT_EQ(named_value("--attribute", "a=b=c"), (std::pair<std::string, std::string>("a", "b=c")));
  EXPECT_EQ(named_value("--attribute", "a="), (std::pair<std::string, std::string>("a", "")));
  for (const char* bad : {"", "a", "=b"})
    EXPECT_THAT(testing::refusal_of([&] { named_value("--attribute", bad); }),
                HasSubstr("--attribute must be NAME=VALUE"));
}

TEST(DurationOption, NamesTheOptionThatIsWrong) {
  EXPECT_EQ(duration_option("--ttl", "2h"), std::chrono::hours(2));
  EXPECT_THAT(testing::refusal_of([] { duration_option("--ttl", "soon"); }), HasSubstr("--ttl: "));
}

}  // namespace
}  // namespace sse::ctl
