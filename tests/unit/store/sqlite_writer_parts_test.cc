// The two halves of the SQLite writer, each alone over a database in a file.
#include <string>

#include "store/sqlite/sqlite_dead_letters.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_pending.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SqlitePartsTest : public ::testing::Test {
 protected:
  std::string sql(const std::string& query) { return db_.execAndGet(query).getString(); }
  static DeadLetter letter(std::uint64_t id, const std::string& recipient, const std::string& data = "data") {
    PendingMessage m;
    m.id = MessageId(id);
    m.service = kService;
    m.recipient = user(recipient);
    m.event = "e";
    m.data = Payload(data);
    m.created = kNow - std::chrono::hours(1);
    m.expires = kNow;
    return {m, kNow};
  }

  TempFolder folder_;
  IdGenerator ids_{1};
  StoreLimits limits_;
  OpenTransaction open_;
  SQLite::Database db_ = open_for_writing(folder_.file("pending.db"), false, std::chrono::milliseconds(100));
};

class SqlitePendingTest : public SqlitePartsTest {
 protected:
  SqliteOutbox outbox_{db_, folder_.file("pending.db"), limits_, open_};
  SqlitePending pending_{db_, folder_.file("pending.db"), limits_, ids_, open_, outbox_};
};

TEST_F(SqlitePendingTest, CountsPairsAndBytesOfTheTransaction) {
  const MessageId id = pending_.add(to_users({"1", "2"}, "12345")).id;
  EXPECT_EQ(open_.totals, (OpenTransaction::Totals{2, 5, 0, 0, 0, 0}));
  EXPECT_TRUE(pending_.confirm(kService, user("1"), id));
  EXPECT_EQ(open_.totals, (OpenTransaction::Totals{1, 5, 0, 0, 0, 0}));
  EXPECT_TRUE(pending_.confirm(kService, user("2"), id));
  EXPECT_FALSE(pending_.confirm(kService, user("2"), id));
  EXPECT_EQ(open_.totals, OpenTransaction::Totals{});
  EXPECT_EQ(sql("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM recipient)"), "0");
  EXPECT_THAT(open_.withdrawn, IsEmpty()) << "confirmed";
}

TEST_F(SqlitePendingTest, MakesAReportInTheTransactionThatRemovesAMessage) {
  limits_.outbox = 1;
  NewMessage message = to_users({"1", "2"});
  message.notify = true;
  const MessageId id = pending_.add(message).id;
  EXPECT_TRUE(pending_.confirm(kService, user("1"), id));
  EXPECT_EQ(pending_.erase(id), 1U);
  ASSERT_THAT(open_.made.reports, SizeIs(2));
  EXPECT_EQ(open_.made.reports[0].outcome, DeliveryReport::Outcome::kConfirmed);
  EXPECT_EQ(open_.made.reports[1].outcome, DeliveryReport::Outcome::kDeleted);
  EXPECT_EQ(open_.made.dropped, 1U);
  EXPECT_EQ(open_.totals.reports, 1U);
  EXPECT_EQ(open_.totals.report_bytes, bytes_of(open_.made.reports[1]));
  EXPECT_EQ(sql("SELECT count(*) FROM notify"), "0");
  EXPECT_EQ(sql("SELECT recipient FROM outbox"), "2");
}

TEST_F(SqlitePendingTest, RecordsWhatIsWithdrawn) {
  NewMessage message = to_users({"1"});
  message.collapse = "k";
  const MessageId first = pending_.add(message).id;
  const MessageId second = pending_.add(message).id;
  EXPECT_EQ(pending_.erase(second), 1U);
  ASSERT_THAT(open_.withdrawn, SizeIs(2));
  EXPECT_EQ(open_.withdrawn[0].id, first);
  EXPECT_EQ(open_.withdrawn[0].why, Withdrawn::Why::kReplaced);
  EXPECT_EQ(open_.withdrawn[1].recipient, user("1"));
  EXPECT_EQ(open_.withdrawn[1].why, Withdrawn::Why::kDeleted);
}

TEST_F(SqlitePendingTest, RefusesBeforeItChangesAnything) {
  limits_.per_recipient = 1;
  pending_.add(to_users({"2"}));
  EXPECT_EQ(error_of([&] { pending_.add(to_users({"1", "2"})); }).code(), ErrorCode::kLimitExceeded);
  EXPECT_EQ(sql("SELECT count(*) FROM pending"), "1");
  EXPECT_EQ(open_.totals.pairs, 1U);
}

TEST_F(SqlitePendingTest, KnowsRepeatsByKeyUntilItExpires) {
  NewMessage message = to_users({"1"});
  message.key = "key";
  const MessageId id = pending_.add(message).id;
  AddOutcome outcome;
  EXPECT_TRUE(pending_.knows(message, outcome));
  EXPECT_EQ(outcome.id, id);
  pending_.expire_keys(message.expires);
  EXPECT_FALSE(pending_.knows(message, outcome));
}

TEST_F(SqlitePendingTest, ListsExpiredMessagesAndTheirRecipientsUpToALimit) {
  const NewMessage message = to_users({"1", "2", "3"}, "12345");
  const MessageId id = pending_.add(message).id;
  EXPECT_THAT(pending_.expired(message.expires - std::chrono::milliseconds(1), 10), IsEmpty());
  EXPECT_THAT(pending_.expired(message.expires, 10), ElementsAre(id));
  EXPECT_THAT(pending_.expired(message.expires, 0), IsEmpty());
  EXPECT_THAT(pending_.some_recipients(id, 2).rows, SizeIs(2));
  EXPECT_EQ(pending_.some_recipients(id, 2).size, 5U);
  EXPECT_EQ(pending_.count_recipients(id, 2), 2U);
  EXPECT_EQ(pending_.count_recipients(id, 10), 3U);
}

class SqliteDeadLettersTest : public SqlitePendingTest {
 protected:
  SqliteDeadLetters letters_{db_, folder_.file("pending.db"), limits_, pending_, open_};
};

TEST_F(SqliteDeadLettersTest, ExpiredMessagesBecomeLettersThatShareTheirData) {
  const NewMessage message = to_users({"1", "2"}, "12345");
  pending_.add(message);
  EXPECT_EQ(letters_.expire(kNow, 10), 0U);
  EXPECT_EQ(letters_.expire(message.expires, 1), 1U);
  EXPECT_EQ(letters_.expire(message.expires, 10), 1U);
  EXPECT_EQ(open_.totals, (OpenTransaction::Totals{0, 0, 2, 5, 0, 0}));
  EXPECT_EQ(sql("SELECT count(*) FROM dead_data"), "1");
  ASSERT_THAT(open_.withdrawn, SizeIs(2));
  EXPECT_EQ(open_.withdrawn[0].why, Withdrawn::Why::kExpired);
}

TEST_F(SqliteDeadLettersTest, AddsLettersItDoesNotKnowWhileThereIsRoom) {
  limits_.dead = 2;
  const std::vector<DeadLetter> letters{letter(1, "1"), letter(1, "1"), letter(1, "2"), letter(2, "1")};
  EXPECT_THAT(letters_.add(letters), ElementsAre(LetterOutcome::kStored, LetterOutcome::kKnown, LetterOutcome::kStored,
                                                 LetterOutcome::kLimitReached));
  EXPECT_EQ(open_.totals, (OpenTransaction::Totals{0, 0, 2, 4, 0, 0}));
  EXPECT_EQ(letters_.purge(MessageId(1), {}), 2U);
  EXPECT_EQ(open_.totals, OpenTransaction::Totals{});
  EXPECT_EQ(sql("SELECT count(*) FROM dead_data"), "0");
}

TEST_F(SqliteDeadLettersTest, RequeuesAllLettersOrNone) {
  limits_.per_recipient = 1;
  db_.exec("BEGIN IMMEDIATE");
  letters_.add(std::vector<DeadLetter>{letter(1, "1"), letter(2, "1")});
  const OpenTransaction::Totals before = open_.totals;
  EXPECT_EQ(error_of([&] { letters_.requeue({}, {}, kNow); }).code(), ErrorCode::kLimitExceeded);
  EXPECT_EQ(open_.totals, before);
  EXPECT_EQ(sql("SELECT count(*) FROM pending"), "0");
  EXPECT_EQ(sql("SELECT count(*) FROM dead"), "2");

  EXPECT_THAT(letters_.requeue(MessageId(2), {}, kNow), SizeIs(1));
  EXPECT_EQ(open_.totals, (OpenTransaction::Totals{1, 4, 1, 4, 0, 0}));
  db_.exec("COMMIT");
}

}  // namespace
}  // namespace sse::store
