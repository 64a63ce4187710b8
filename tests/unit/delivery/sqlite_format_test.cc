// Databases of format 1, and damaged ones.
#include <random>

#include "delivery/sqlite_catalog.h"
#include "delivery/sqlite_repository.h"
#include "unit/delivery/store_fixture.h"

namespace sse::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// As version 0.1 of the server wrote it: the application id is "sseq".
constexpr const char* kFormat1 = R"sql(
PRAGMA auto_vacuum=INCREMENTAL;
PRAGMA application_id=1936942449;
PRAGMA user_version=1;
CREATE TABLE recipient(id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind INTEGER NOT NULL, service TEXT NOT NULL,
  pending INTEGER NOT NULL, UNIQUE(name, kind, service));
CREATE TABLE message(id INTEGER PRIMARY KEY AUTOINCREMENT, created INTEGER NOT NULL, expires INTEGER NOT NULL,
  listening INTEGER NOT NULL, event TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX message_by_expiry ON message(expires);
CREATE TABLE pending(recipient INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY(recipient, message)) WITHOUT ROWID;
CREATE INDEX pending_by_message ON pending(message);
INSERT INTO recipient VALUES(1, '1', 0, 'defaultConnectionService', 2), (2, '2', 0, 'defaultConnectionService', 1);
INSERT INTO message VALUES(1000, 1700000000000, 1700003600000, 0, 'server-push', CAST('for two' AS BLOB)),
  (1001, 1700000000000, 1700003600000, 1, 'note', CAST('wörter' AS BLOB));
INSERT INTO pending VALUES(1, 1000), (2, 1000), (1, 1001);
PRAGMA journal_mode=WAL;
)sql";

class SqliteFormatTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteRepository> open(StoreLimits limits = {}) {
    SqliteRepository::Options options;
    options.path = folder_.file();
    options.limits = limits;
    return std::make_unique<SqliteRepository>(options, ids_);
  }

  TempFolder folder_;
  IdGenerator ids_{1};
};

TEST_F(SqliteFormatTest, BringsFormat1UpToDateWithAllThatIsInIt) {
  Shell(folder_.file()).run(kFormat1);
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
  EXPECT_EQ(Shell(folder_.file()).run("PRAGMA user_version"), "2");
  EXPECT_EQ(Shell(folder_.file()).run("SELECT pairs || ' ' || bytes FROM total"), "3 20");
  EXPECT_EQ(Shell(folder_.file()).run("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteFormatTest, IsTheSameWhetherNewOrBroughtUpToDate) {
  Shell(folder_.file()).run(kFormat1);
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
  EXPECT_EQ(columns(folder_.file()), columns(fresh));
  EXPECT_EQ(indexes(folder_.file()), indexes(fresh));
}

TEST_F(SqliteFormatTest, LetsOnlyTheServerReadFormat1) {
  Shell(folder_.file()).run(kFormat1);
  const Error error = error_of([&] { open_catalog(folder_.file()); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.what(), HasSubstr("start sse-serve on it once"));
  EXPECT_EQ(Shell(folder_.file()).run("PRAGMA user_version"), "1");
}

// Any bit anywhere: it is refused and left alone, or what is delivered is what was sent.
TEST_F(SqliteFormatTest, RefusesOrSeesEveryFlippedBit) {
  std::vector<std::string> sent;
  {
    const auto repository = open();
    for (int i = 0; i < 200; ++i) {
      sent.push_back("message " + std::to_string(i) + std::string(static_cast<std::size_t>(i) * 7 % 900, 'x'));
      repository->add(to_users({"1"}, sent.back()));
    }
  }
  const std::string whole = read_file(folder_.file());
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  int refused = 0;
  int seen = 0;
  for (int round = 0; round < 150; ++round) {
    std::string flipped = whole;
    const std::size_t bit = random() % (whole.size() * 8);
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    write_file(folder_.file(), flipped);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", bit " + std::to_string(bit));
    try {
      const auto repository = open();
      std::vector<std::string> whole_ones;
      for (const PendingMessage& row : pending_of(*repository, user("1"))) {
        if (row.damaged) {
          ++seen;
        } else {
          EXPECT_NE(std::find(sent.begin(), sent.end(), row.data), sent.end()) << row.data;
        }
      }
    } catch (const Error& e) {
      ++refused;
      EXPECT_THAT(e.what(), HasSubstr(folder_.file()));
    }
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(folder_.file() + suffix);
  }
  EXPECT_GT(refused + seen, 0);
  std::cout << "150 bits flipped: " << refused << " refused at the start or when read, " << seen
            << " seen in a message\n";
}

TEST_F(SqliteFormatTest, LeavesADamagedFileAsItIs) {
  {
    const auto repository = open();
    for (int i = 0; i < 500; ++i) repository->add(to_users({std::to_string(i)}, std::string(300, 'x')));
  }
  std::string damaged = read_file(folder_.file());
  // The header of the second page of every four: lengths and offsets of what is in it.
  for (std::size_t page = 4096; page < damaged.size(); page += 4 * 4096)
    for (std::size_t i = 0; i < 8; ++i) damaged[page + i] = static_cast<char>(damaged[page + i] ^ 0x5A);
  write_file(folder_.file(), damaged);
  const Error error = error_of([&] { open(); });
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_THAT(error.what(), HasSubstr("is damaged"));
  EXPECT_THAT(error.what(), HasSubstr("--db"));
  EXPECT_EQ(read_file(folder_.file()), damaged);
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));
}

}  // namespace
}  // namespace sse::delivery
