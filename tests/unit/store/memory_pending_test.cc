#include "store/memory/memory_pending.h"

#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MemoryPendingTest : public ::testing::Test {
 protected:
  std::vector<PendingMessage> of(const std::string& name) const {
    return pending_.pending(kService, std::vector{user(name)}, kFromStart, 100, kAnySize, kNow);
  }
  // A message that replaces the pending one with the same collapse key.
  static NewMessage collapsing(const std::string& name, std::string data) {
    NewMessage message = to_users({name}, std::move(data));
    message.collapse = "k";
    return message;
  }
  static SharedMessage shared(NewMessage message, const Payload& data) {
    message.data.clear();
    return {std::move(message), data};
  }

  IdGenerator ids_{1};
  StoreLimits limits_;
  MemoryPending pending_{limits_, ids_};
};

TEST_F(MemoryPendingTest, IsPendingForEachRecipientUntilItConfirms) {
  const AddOutcome added = pending_.add(to_users({"1", "2"}));
  EXPECT_EQ(added.pending, 2U);
  EXPECT_EQ(pending_.size(), 2U);
  EXPECT_TRUE(pending_.confirm(kService, user("1"), added.id));
  EXPECT_FALSE(pending_.confirm(kService, user("1"), added.id));
  EXPECT_THAT(of("1"), IsEmpty());
  EXPECT_THAT(ids_of(of("2")), ElementsAre(added.id));
  EXPECT_THAT(pending_.take_withdrawn(), IsEmpty()) << "confirmed";
}

TEST_F(MemoryPendingTest, ReplacesTheMessageWithTheSameCollapseKey) {
  const MessageId first = pending_.add(collapsing("1", "old")).id;
  pending_.add(collapsing("1", "new"));
  EXPECT_THAT(data_of(of("1")), ElementsAre("new"));
  const std::vector<Withdrawn> withdrawn = pending_.take_withdrawn();
  ASSERT_THAT(withdrawn, SizeIs(1));
  EXPECT_EQ(withdrawn[0].id, first);
  EXPECT_EQ(withdrawn[0].why, Withdrawn::Why::kReplaced);
  EXPECT_THAT(pending_.take_withdrawn(), IsEmpty());
}

TEST_F(MemoryPendingTest, AddsAllOrNone) {
  limits_.per_recipient = 1;
  pending_.add(collapsing("1", "old"));
  NewMessage keyed = to_users({"2"});
  keyed.key = "key";
  const std::vector<SharedMessage> too_many{shared(collapsing("1", ""), Payload("new")), shared(keyed, Payload("x")),
                                            shared(to_users({"2"}), Payload("x"))};
  EXPECT_EQ(error_of([&] { pending_.add_all_or_none(too_many); }).code(), ErrorCode::kLimitExceeded);
  EXPECT_THAT(data_of(of("1")), ElementsAre("old")) << "the replaced message is back";
  EXPECT_THAT(of("2"), IsEmpty());
  EXPECT_EQ(pending_.size(), 1U);
  EXPECT_THAT(pending_.take_withdrawn(), IsEmpty());
  AddOutcome outcome;
  EXPECT_FALSE(pending_.knows(keyed, outcome)) << "its key is free";

  const std::vector<SharedMessage> fitting{too_many[0], too_many[1]};
  EXPECT_THAT(pending_.add_all_or_none(fitting), SizeIs(2));
  EXPECT_THAT(data_of(of("1")), ElementsAre("new"));
  EXPECT_TRUE(of("1").front().data.shares(too_many[0].data));
  EXPECT_THAT(pending_.take_withdrawn(), SizeIs(1));
}

TEST_F(MemoryPendingTest, KnowsRepeatsByKeyAndByFirstId) {
  NewMessage keyed = to_users({"1"});
  keyed.key = "key";
  const MessageId id = pending_.add(keyed).id;
  EXPECT_TRUE(pending_.add(keyed).repeated);
  NewMessage import = to_users({"1"});
  import.original = id;
  AddOutcome outcome;
  EXPECT_TRUE(pending_.knows(import, outcome));
  EXPECT_EQ(outcome.id, id);
  pending_.expire_keys(keyed.expires);
  pending_.confirm(kService, user("1"), id);
  EXPECT_FALSE(pending_.knows(keyed, outcome));
  EXPECT_FALSE(pending_.knows(import, outcome));
}

TEST_F(MemoryPendingTest, NamesTheMessageThatExpiredFirst) {
  NewMessage later = to_users({"1"});
  later.expires = kNow + std::chrono::seconds(2);
  NewMessage sooner = to_users({"1"});
  sooner.expires = kNow + std::chrono::seconds(1);
  pending_.add(later);
  const MessageId first = pending_.add(sooner).id;
  EXPECT_FALSE(pending_.first_expired(kNow).valid());
  EXPECT_EQ(pending_.first_expired(later.expires), first);
  EXPECT_EQ(pending_.expire(first, [](const PendingMessage&) { return true; }), 1U);
  EXPECT_NE(pending_.first_expired(later.expires), first);
}

}  // namespace
}  // namespace sse::store
