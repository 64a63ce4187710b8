#include "store/sqlite/sqlite_repository.h"

#include <sys/stat.h>

#include "base/step_count.h"
#include "store/imported.h"
#include "store/sqlite/sqlite_reader.h"
#include "store/sqlite/sqlite_writer.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class SqliteRepositoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteRepository> open(std::size_t limit = 1000) {
    SqliteRepository::Options options;
    options.path = folder_.file(kDatabase);
    options.limits.per_recipient = limit;
    options.idle = std::chrono::milliseconds(10);
    return std::make_unique<SqliteRepository>(options, ids_);
  }

  TempFolder folder_;
  IdGenerator ids_{1};
};

TEST_F(SqliteRepositoryTest, KeepsMessagesOverAReopen) {
  auto repository = open();
  const MessageId one = repository->add(to_users({"1", "2"}, "one"));
  const MessageId two = repository->add(to_users({"1"}, "two"));
  repository->confirm(kService, user("2"), one);
  repository.reset();

  repository = open();
  EXPECT_EQ(repository->size(), 2u);
  EXPECT_THAT(ids_of(pending_of(*repository, user("1"))), ElementsAre(one, two));
  EXPECT_THAT(pending_of(*repository, user("2")), IsEmpty());
}

// All are of one message, and only one of those is looked for at a time.
TEST_F(SqliteRepositoryTest, LooksAtTheLettersOfAMessageOnceHoweverManyAreImported) {
  open();  // makes the file
  SqliteWriter::Options options;
  options.path = folder_.file(kDatabase);
  options.limits.dead = 10'000;
  SqliteWriter writer(options, ids_);
  const auto steps_of = [&](std::uint64_t message, std::size_t count) {
    std::vector<DeadLetter> letters(count);
    for (std::size_t i = 0; i < count; ++i) {
      PendingMessage& m = letters[i].message;
      m.id = MessageId(message);
      m.service = kService;
      m.recipient = user(std::to_string(i));
      m.event = "e";
      m.data = Payload(std::string("x"));
      m.created = kNow;
      m.expires = kNow;
      letters[i].died = kNow;
    }
    writer.begin();
    EXPECT_THAT(writer.add_dead(letters), Each(LetterOutcome::kStored));
    const std::uint64_t before = steps_counted();
    EXPECT_THAT(writer.add_dead(letters), Each(LetterOutcome::kKnown));
    const std::uint64_t steps = steps_counted() - before;
    writer.commit();
    return steps;
  };
  EXPECT_EQ(steps_of(1, 200), 200u);
  EXPECT_EQ(steps_of(2, 400), 400u);
}

// Their keys name them, and expire with them: more than are made dead letters in one step.
TEST_F(SqliteRepositoryTest, KnowsTheFirstIdsOfManyThatExpireAtOnce) {
  auto repository = open(10'000);
  std::vector<NewMessage> messages;
  for (std::uint64_t i = 1; i <= 2500; ++i) {
    messages.push_back(to_users({"1"}));
    messages.back().original = MessageId(i);
    messages.back().key = import_key(MessageId(i), user("1"));
  }
  repository->add_all(messages);
  EXPECT_EQ(repository->expire(kNow + std::chrono::hours(2)), 2500u);
  std::uint64_t next = 1;
  for (const DeadLetter& letter : repository->list_dead({}, 0, 10'000))
    EXPECT_EQ(letter.message.original, MessageId(next++));
  EXPECT_EQ(next, 2501u);
}

TEST_F(SqliteRepositoryTest, TheLimitHoldsOverAReopen) {
  auto repository = open(2);
  repository->add(to_users({"1"}));
  repository->add(to_users({"1"}));
  repository.reset();
  repository = open(2);
  EXPECT_EQ(error_of([&] { repository->add(to_users({"1"})); }).code(), ErrorCode::kLimitExceeded);
}

// A clock that went back must not make an id a client has already confirmed or skipped with `after`.
TEST_F(SqliteRepositoryTest, IdsGrowOverAReopenEvenWhenTheLargestWasDeleted) {
  IdGenerator fast(1, std::uint64_t{1} << 62);
  SqliteRepository::Options options;
  options.path = folder_.file(kDatabase);
  auto repository = std::make_unique<SqliteRepository>(options, fast);
  const MessageId largest = repository->add(to_users({"1"}));
  repository->erase(largest);
  repository.reset();

  repository = open();
  EXPECT_GT(repository->add(to_users({"1"})), largest);
}

TEST_F(SqliteRepositoryTest, ACleanShutdownLeavesOneFile) {
  auto repository = open();
  repository->add(to_users({"1"}));
  pending_of(*repository, user("1"));
  EXPECT_THAT(folder_.names(),
              UnorderedElementsAre("pending.db", "pending.db-wal", "pending.db-shm", "pending.db.lock"));
  repository.reset();
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));
}

TEST_F(SqliteRepositoryTest, MakesItsFolderAndFileForItsUserOnly) {
  SqliteRepository::Options options;
  options.path = folder_.file("state/sse-serve/pending.db");
  options.make_folders = true;
  SqliteRepository repository(options, ids_);
  const auto mode = [&](const std::string& name) {
    struct stat info {};
    EXPECT_EQ(stat(folder_.file(name).c_str(), &info), 0);
    return info.st_mode & 0777;
  };
  EXPECT_EQ(mode("state"), 0700u);
  EXPECT_EQ(mode("state/sse-serve"), 0700u);
  EXPECT_EQ(mode("state/sse-serve/pending.db"), 0600u);
  EXPECT_EQ(mode("state/sse-serve/pending.db-wal"), 0600u);
}

TEST_F(SqliteRepositoryTest, DrainsConfirmationsWhenItIsClosed) {
  auto repository = open(10'000);
  std::vector<MessageId> ids;
  for (int i = 0; i < 3; ++i) {
    std::vector<std::string> names;
    for (int n = 0; n < 3000; ++n) names.push_back(std::to_string(n));
    ids.push_back(repository->add(to_users(names)));
  }
  for (const MessageId id : ids) {
    for (int n = 0; n < 3000; ++n) repository->confirm(kService, user(std::to_string(n)), id);
  }
  repository.reset();
  EXPECT_EQ(open()->size(), 0u);
}

TEST_F(SqliteRepositoryTest, DeletesThePayloadWithItsLastRecipientAndGivesTheSpaceBack) {
  const auto size = [&] { return std::filesystem::file_size(folder_.file(kDatabase)); };
  auto repository = open();
  const std::string data(1024 * 1024, 'x');
  std::vector<MessageId> ids;
  for (int i = 0; i < 16; ++i) ids.push_back(repository->add(to_users({"1", "2"}, data)));
  for (const MessageId id : ids) repository->confirm(kService, user("1"), id);
  ASSERT_TRUE(eventually([&] { return repository->size() == 16; }));
  Shell shell(folder_.file(kDatabase));
  EXPECT_EQ(shell.run("SELECT count(*) FROM message"), "16");
  ASSERT_TRUE(eventually([&] { return size() > 8 * data.size(); }));

  for (const MessageId id : ids) repository->confirm(kService, user("2"), id);

  ASSERT_TRUE(eventually([&] { return repository->size() == 0; }));
  EXPECT_EQ(shell.run("SELECT count(*) FROM message"), "0");
  EXPECT_EQ(shell.run("SELECT count(*) FROM recipient"), "0");
  EXPECT_TRUE(eventually([&] { return size() < 4 * data.size(); })) << size();
}

TEST_F(SqliteRepositoryTest, ExpiresMoreThanOneCommitTakes) {
  auto repository = open(10'000);
  std::vector<std::string> names;
  for (int i = 0; i < 700; ++i) names.push_back(std::to_string(i));
  for (int i = 0; i < 5; ++i) repository->add(to_users(names));
  EXPECT_EQ(repository->expire(kNow + std::chrono::hours(2)), 3500u);
  EXPECT_EQ(repository->size(), 0u);
}

TEST_F(SqliteRepositoryTest, FindsPendingMessagesThroughTheIndex) {
  open();
  SQLite::Database db(folder_.file(kDatabase));
  SQLite::Statement plan(db, std::string("EXPLAIN QUERY PLAN ") + kPendingIdsSql);
  std::string text;
  while (plan.executeStep()) text += plan.getColumn(3).getString() + "\n";
  EXPECT_THAT(text, HasSubstr("SEARCH p USING PRIMARY KEY (recipient=? AND message>? AND message<?)"));
  EXPECT_THAT(text, HasSubstr("SEARCH m USING INTEGER PRIMARY KEY"));
  EXPECT_THAT(text, HasSubstr("SEARCH recipient USING COVERING INDEX"));
  EXPECT_THAT(text, Not(HasSubstr("SCAN")));
  EXPECT_THAT(text, Not(HasSubstr("TEMP B-TREE")));
}

TEST_F(SqliteRepositoryTest, OpensAndServesAFileOfManyMessages) {
  open().reset();
  Shell(folder_.file(kDatabase))
      .run(
          "BEGIN;"
          "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
          "  SELECT i FROM n;"
          "INSERT INTO recipient(id, name, kind, service, pending) SELECT i, 'u' || i, 0, 'defaultConnectionService', "
          "20 FROM n WHERE i <= 10000;"
          "INSERT INTO message(id, created, expires, listening, event, data) SELECT i, 1700000000000, 1700003600000, "
          "0, 'server-push', 'data ' || i FROM n;"
          "INSERT INTO pending(recipient, message) SELECT 1 + (i - 1) % 10000, i FROM n;"
          "UPDATE total SET pairs = 200000;"
          "COMMIT");

  auto repository = open(20);

  EXPECT_EQ(repository->size(), 200'000u);
  const auto found = pending_of(*repository, user("u77"));
  EXPECT_THAT(found, SizeIs(20));
  EXPECT_EQ(found[19].data, "data 190077");
  EXPECT_EQ(error_of([&] { repository->add(to_users({"u77"})); }).code(), ErrorCode::kLimitExceeded);
  repository->confirm(kService, user("u77"), MessageId(77));
  ASSERT_TRUE(eventually([&] { return repository->size() == 199'999; }));
  EXPECT_GT(repository->add(to_users({"u77"})), MessageId(200'000));
}

}  // namespace
}  // namespace sse::store
