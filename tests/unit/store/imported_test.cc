#include "store/imported.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

namespace sse::store {
namespace {

using event::TargetKind;

TEST(Imported, ItsKeyNamesTheFirstId) {
  const std::string key = import_key(MessageId(4711), {TargetKind::kUser, "bob"});
  EXPECT_EQ(key.substr(0, 17), "import/4711/user/");
  EXPECT_EQ(key.size(), 17U + 32) << "128 bits in hex";
  EXPECT_EQ(original_in(key), MessageId(4711));
  const MessageId last(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(original_in(import_key(last, {TargetKind::kAll, ""})), last);
}

TEST(Imported, TheSameMessageForTheSameRecipientHasTheSameKeyAndNoOther) {
  const auto bob = [] { return import_key(MessageId(1), {TargetKind::kUser, "bob"}); };
  EXPECT_EQ(bob(), bob());
  const std::set<std::string> keys{bob(),
                                   import_key(MessageId(2), {TargetKind::kUser, "bob"}),
                                   import_key(MessageId(1), {TargetKind::kUser, "bo"}),
                                   import_key(MessageId(1), {TargetKind::kChannel, "bob"}),
                                   import_key(MessageId(1), {TargetKind::kUser, std::string("bob\0", 4)}),
                                   import_key(MessageId(1), {TargetKind::kUser, std::string(1024, 'b')})};
  EXPECT_EQ(keys.size(), 6U);
}

TEST(Imported, AnyOtherKeyNamesNoId) {
  for (const char* key : {"", "order-7", "import/", "import/7", "import/x/user/00", "import//user/00",
                          "imports/7/user/0", "import/-7/user/00", "import/9223372036854775808/user/00"})
    EXPECT_FALSE(original_in(key).valid()) << key;
}

}  // namespace
}  // namespace sse::store
