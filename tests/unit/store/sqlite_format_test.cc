// Databases of format 1, and damaged ones.
#include <algorithm>
#include <random>
#include <set>

#include "base/checksum.h"
#include "store/sqlite/sqlite_catalog.h"
#include "store/sqlite/sqlite_repository.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SqliteFormatTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteRepository> open(StoreLimits limits = {}) {
    SqliteRepository::Options options;
    options.path = folder_.file(kDatabase);
    options.limits = limits;
    return std::make_unique<SqliteRepository>(options, ids_);
  }

  TempFolder folder_;
  IdGenerator ids_{1};
};

TEST_F(SqliteFormatTest, BringsFormat1UpToDateWithAllThatIsInIt) {
  Shell(folder_.file(kDatabase)).run(kFormat1);
  {
    const auto repository = open({.bytes_per_recipient = ByteCount(20)});
    EXPECT_EQ(repository->size(), 3u);
    const auto rows = pending_of(*repository, user("1"));
    ASSERT_THAT(rows, SizeIs(2));
    EXPECT_THAT(ids_of(rows), ElementsAre(MessageId(1000), MessageId(1001)));
    EXPECT_EQ(rows[1].data, "wörter");
    EXPECT_EQ(rows[1].event, "note");
    EXPECT_TRUE(rows[1].listening);
    EXPECT_FALSE(rows[1].damaged);
    // Bytes are counted, too: 7 and 7.
    EXPECT_EQ(error_of([&] { repository->add(to_users({"1"}, "seven +")); }).code(), ErrorCode::kLimitExceeded);
    EXPECT_TRUE(repository->add(to_users({"1"}, "sixsix")).value() > 1001);
    repository->confirm(kService, user("2"), MessageId(1000));
    EXPECT_TRUE(eventually([&] { return repository->size() == 3; }));
  }
  EXPECT_EQ(open()->size(), 3u);
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("PRAGMA user_version"), "3");
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("SELECT pairs || ' ' || bytes FROM total"), "3 20");
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteFormatTest, LettersOfOneMessageShareTheDataThatFormat2KeptWithEach) {
  Shell(folder_.file(kDatabase)).run(std::string(kFormat1) + kFormat2);
  {
    const auto repository = open();
    const auto letters = repository->list_dead({}, 0, 10);
    ASSERT_THAT(letters, SizeIs(3));
    for (const DeadLetter& letter : letters) EXPECT_EQ(letter.message.data, "for two");
    EXPECT_TRUE(letters[0].message.data.shares(letters[1].message.data));
    EXPECT_EQ(letters[0].message.attempts, 2u);
    EXPECT_EQ(letters[1].message.recipient, user("2"));
    EXPECT_EQ(letters[2].message.id, MessageId(901));
    EXPECT_TRUE(letters[2].message.listening);
    EXPECT_EQ(letters[2].died, from_millis(1699993600200));
    EXPECT_EQ(repository->size(), 3u);
  }
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("SELECT dead || ' ' || dead_bytes FROM total"), "3 14");
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("SELECT group_concat(of_message) FROM dead_data"), "900,901");
  {
    const auto repository = open();
    EXPECT_EQ(repository->purge_dead({}, {.recipient = "1"}), 2u);
    EXPECT_EQ(repository->list_dead({}, 0, 10).at(0).message.data, "for two");
  }
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("SELECT dead || ' ' || dead_bytes FROM total"), "1 7");
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteFormatTest, RefusesDeadLettersWithoutTheirOwnData) {
  const std::string letters = std::string(kFormat1) + kFormat2;
  for (const char* const damage :
       {"DELETE FROM dead_data WHERE of_message = 900", "UPDATE dead SET payload = 1 WHERE message = 901",
        "UPDATE dead SET payload = 77 WHERE id = 1", "INSERT INTO dead_data VALUES(9, 900, CAST('nobody' AS BLOB))"}) {
    SCOPED_TRACE(damage);
    std::filesystem::remove(folder_.file(kDatabase));
    Shell(folder_.file(kDatabase)).run(letters);
    open();
    Shell(folder_.file(kDatabase)).run(damage);
    EXPECT_THAT(error_of([&] { open(); }).what(), HasSubstr("do not match"));
  }
}

class OldFormat : public SqliteFormatTest, public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, OldFormat, ::testing::Values(kFormat1, std::string(kFormat1) + kFormat2),
                         [](const auto& format) { return std::to_string(format.index + 1); });

// The step is in the log then, and not yet in the file.
TEST_P(OldFormat, IsServedAfterACrashRightBehindTheStep) {
  Shell(folder_.file(kDatabase)).run(GetParam());
  const TempFolder crashed;
  {
    const auto repository = open();
    for (const char* const part : {"", "-wal", "-shm"})
      std::filesystem::copy_file(folder_.file(kDatabase) + part, crashed.file(kDatabase) + part);
  }
  ASSERT_GT(std::filesystem::file_size(crashed.file(kDatabase) + "-wal"), 0u);
  SqliteRepository::Options options;
  options.path = crashed.file(kDatabase);
  SqliteRepository repository(options, ids_);
  EXPECT_EQ(repository.size(), 3u);
  EXPECT_THAT(pending_of(repository, user("1")), SizeIs(2));
}

TEST_F(SqliteFormatTest, RefusesANewerFormatThatIsInTheLogAlone) {
  const TempFolder crashed;
  {
    const auto repository = open();
    Shell(folder_.file(kDatabase)).run("PRAGMA user_version=9");
    for (const char* const part : {"", "-wal", "-shm"})
      std::filesystem::copy_file(folder_.file(kDatabase) + part, crashed.file(kDatabase) + part);
  }
  SqliteRepository::Options options;
  options.path = crashed.file(kDatabase);
  EXPECT_THAT(error_of([&] { SqliteRepository(options, ids_); }).what(), HasSubstr("has format 9"));
  std::filesystem::remove(crashed.file(kDatabase) + "-shm");
  EXPECT_THAT(error_of([&] { SqliteRepository(options, ids_); }).what(), HasSubstr("has format 9"));
}

TEST_P(OldFormat, IsTheSameAsANewOneWhenItIsBroughtUpToDate) {
  Shell(folder_.file(kDatabase)).run(GetParam());
  open();
  const std::string fresh = folder_.file("fresh.db");
  {
    SqliteRepository::Options options;
    options.path = fresh;
    const SqliteRepository repository(options, ids_);
  }
  const auto columns = [](const std::string& path) {
    return Shell(path).run(
        "SELECT group_concat(m.name || '.' || c.name || ' ' || c.type || c.pk) FROM (SELECT name FROM sqlite_schema "
        "WHERE type = 'table' ORDER BY name) AS m, pragma_table_info(m.name) AS c");
  };
  const auto indexes = [](const std::string& path) {
    return Shell(path).run(
        "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name)");
  };
  EXPECT_EQ(columns(folder_.file(kDatabase)), columns(fresh));
  EXPECT_EQ(indexes(folder_.file(kDatabase)), indexes(fresh));
}

TEST_F(SqliteFormatTest, LetsOnlyTheServerReadFormat1) {
  Shell(folder_.file(kDatabase)).run(kFormat1);
  const Error error = error_of([&] { open_catalog(folder_.file(kDatabase)); });
  EXPECT_EQ(error.code(), ErrorCode::kConflict);
  EXPECT_THAT(error.what(), HasSubstr("start sse-serve on it once"));
  EXPECT_EQ(Shell(folder_.file(kDatabase)).run("PRAGMA user_version"), "1");
}

// What became of a database in which one bit has flipped. Nothing else may: a message that is neither there, nor said
// to be damaged, is lost without a word.
struct Flips {
  int refused = 0;
  int repaired = 0;
  int damaged = 0;
};

class FlippedBit : public SqliteFormatTest {
 protected:
  FlippedBit() {
    const auto repository = open();
    for (int i = 0; i < 200; ++i) {
      sent_.push_back("message " + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 7 % 900, 'x'));
      NewMessage message = to_users({std::to_string(i % 7)}, sent_.back());
      message.target.listening = i % 5 == 0;
      if (i % 3 == 0) message.key = "key " + std::to_string(i);
      if (i % 4 == 0) message.collapse = "key " + std::to_string(i);
      repository->add(message);
    }
  }

  // Opens a copy of the file with the bit flipped and looks at all there is.
  void flip(std::size_t bit, Flips& flips) {
    std::string flipped = whole_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    write_file(folder_.file(kDatabase), flipped);
    SCOPED_TRACE("bit " + std::to_string(bit) + ", page " + std::to_string(bit / 8 / 4096 + 1));
    bool opened = false;
    try {
      SqliteRepository::Options options;
      options.path = folder_.file(kDatabase);
      options.on_error = [&](const std::string& what) {
        EXPECT_THAT(what, HasSubstr("rebuilt"));
        ++flips.repaired;
      };
      SqliteRepository repository(options, ids_);
      opened = true;
      std::multiset<std::string> got;
      std::size_t damaged = 0;
      for (int u = 0; u < 7; ++u) {
        for (const PendingMessage& row : pending_of(repository, user(std::to_string(u)))) {
          EXPECT_EQ(row.damaged || row.listening == (number_of(row.data) % 5 == 0), true) << row.data;
          EXPECT_TRUE(row.damaged || row.event == "server-push") << row.event;
          if (row.damaged) ++damaged;
          if (!row.damaged) got.insert(row.data);
        }
      }
      flips.damaged += static_cast<int>(damaged);
      EXPECT_EQ(got.size() + damaged, sent_.size());
      for (const std::string& data : got) EXPECT_NE(std::find(sent_.begin(), sent_.end(), data), sent_.end()) << data;
      EXPECT_EQ(repository.list({}, 0, 1000).size(), sent_.size());
      EXPECT_EQ(repository.count({}), sent_.size());
    } catch (const Error& e) {
      ++flips.refused;
      EXPECT_THAT(e.what(), HasSubstr(folder_.file(kDatabase)));
      EXPECT_EQ(exit_code(e.code()), 1) << e.what();
      if (!opened) {
        EXPECT_TRUE(read_file(folder_.file(kDatabase)) == flipped) << "it was changed";
      }
    }
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(folder_.file(kDatabase) + suffix);
  }

  static int number_of(const std::string& data) { return std::stoi(data.substr(8)); }

  std::vector<std::string> sent_;
  std::string whole_;
};

TEST_F(FlippedBit, AnywhereIsRefusedRepairedOrSeen) {
  whole_ = read_file(folder_.file(kDatabase));
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  Flips flips;
  for (int round = 0; round < 400 && !HasFailure(); ++round) flip(random() % (whole_.size() * 8), flips);
  EXPECT_FALSE(HasFailure()) << "seed " << seed;
  EXPECT_GT(flips.refused + flips.damaged, 0);
  std::cout << "400 bits flipped: " << flips.refused << " refused, " << flips.repaired << " repaired, " << flips.damaged
            << " seen in a message\n";
}

// Where quick_check sees nothing: the entries of the indexes, and of the tables they are of.
TEST_F(FlippedBit, InAnIndexOrTheTableItIsOfIsRefusedOrSeen) {
  whole_ = read_file(folder_.file(kDatabase));
  // By the root pages of what is small enough to have no other, and of one more page of each that is not.
  std::vector<std::size_t> pages;
  for (const char* name : {"message_by_expiry", "pending", "pending_by_message", "recipient",
                           "sqlite_autoindex_recipient_1", "collapse", "collapse_by_message", "sent_key_by_expiry"}) {
    const std::string root = Shell(folder_.file(kDatabase))
                                 .run("SELECT rootpage FROM sqlite_schema WHERE name = '" + std::string(name) + "'");
    pages.push_back(static_cast<std::size_t>(std::stoul(root)) - 1);
  }
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(folder_.file(kDatabase) + suffix);
  Flips flips;
  std::mt19937 random(4711);
  for (const std::size_t page : pages) {
    for (int round = 0; round < 60 && !HasFailure(); ++round) {
      // Cells are at the end of a page.
      const std::size_t byte = page * 4096 + 4096 - 1 - random() % 1500;
      flip(byte * 8 + random() % 8, flips);
    }
  }
  EXPECT_GT(flips.refused, 100);
}

TEST_F(SqliteFormatTest, MakesCountsAnewThatAreNotThoseOfTheTables) {
  {
    const auto repository = open();
    for (int i = 0; i < 19; ++i) repository->add(to_users({"1", "of " + std::to_string(i)}, "x"));
    repository->add(to_users({"1"}, "x"));
  }
  // "Deleted with its last message" would come ten messages too early.
  Shell(folder_.file(kDatabase)).run("UPDATE recipient SET pending = 10 WHERE name = '1'; UPDATE total SET pairs = 7");
  std::vector<std::string> said;
  SqliteRepository::Options options;
  options.path = folder_.file(kDatabase);
  options.on_error = [&](const std::string& what) { said.push_back(what); };
  {
    SqliteRepository repository(options, ids_);
    EXPECT_THAT(said, ElementsAre(HasSubstr("rebuilt")));
    EXPECT_EQ(repository.size(), 39u);
    for (const PendingMessage& row : pending_of(repository, user("1"))) repository.confirm(kService, user("1"), row.id);
    EXPECT_TRUE(eventually([&] { return repository.size() == 19; }));
  }
  const SqliteRepository again(options, ids_);
  EXPECT_THAT(said, SizeIs(1));
  EXPECT_EQ(again.size(), 19u);
}

TEST_F(SqliteFormatTest, FindsCountsRightAfterAllThatChangesThem) {
  std::vector<std::string> said;
  SqliteRepository::Options options;
  options.path = folder_.file(kDatabase);
  options.on_error = [&](const std::string& what) { said.push_back(what); };
  {
    SqliteRepository repository(options, ids_);
    for (int i = 0; i < 30; ++i) {
      NewMessage message =
          to_users({"1", i % 4 == 1 ? "5" : std::to_string(i % 4)}, std::string(static_cast<std::size_t>(i), 'x'));
      if (i % 3 == 0) message.collapse = "price";
      if (i % 5 == 0) message.key = std::to_string(i);
      if (i % 2 == 0) message.expires = kNow + std::chrono::minutes(1);
      repository.add(message);
    }
    repository.erase(pending_of(repository, user("2")).front().id);
    repository.confirm(kService, user("3"), pending_of(repository, user("3")).front().id);
    repository.expire(kNow + std::chrono::minutes(2));
    EXPECT_GT(repository.count_dead({}), 0u);
    repository.requeue(MessageId(), {.recipient = "1"}, kNow);
    repository.purge_dead(MessageId(), {.recipient = "2"});
    repository.purge({.recipient = "0"});
  }
  const SqliteRepository again(options, ids_);
  EXPECT_THAT(said, ::testing::IsEmpty());
}

// Messages stored before the sum was of all a message is.
TEST_F(SqliteFormatTest, KnowsTheSumsOfEventAndDataAlone) {
  {
    const auto repository = open();
    repository->add(to_users({"1"}, "old"));
  }
  Shell(folder_.file(kDatabase)).run("UPDATE message SET sum = " + std::to_string(crc32("old", crc32("server-push"))));
  EXPECT_FALSE(pending_of(*open(), user("1")).front().damaged);
  Shell(folder_.file(kDatabase)).run("UPDATE message SET data = CAST('odd' AS BLOB)");
  EXPECT_TRUE(pending_of(*open(), user("1")).front().damaged);
}

TEST_F(SqliteFormatTest, LeavesADamagedFileAsItIs) {
  {
    const auto repository = open();
    for (int i = 0; i < 500; ++i) repository->add(to_users({std::to_string(i)}, std::string(300, 'x')));
  }
  std::string damaged = read_file(folder_.file(kDatabase));
  // The header of the second page of every four: lengths and offsets of what is in it.
  for (std::size_t page = 4096; page < damaged.size(); page += 4 * 4096)
    for (std::size_t i = 0; i < 8; ++i) damaged[page + i] = static_cast<char>(damaged[page + i] ^ 0x5A);
  write_file(folder_.file(kDatabase), damaged);
  const Error error = error_of([&] { open(); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_THAT(error.what(), HasSubstr("is damaged"));
  EXPECT_THAT(error.what(), HasSubstr("--db"));
  EXPECT_EQ(read_file(folder_.file(kDatabase)), damaged);
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));
}

}  // namespace
}  // namespace sse::store
