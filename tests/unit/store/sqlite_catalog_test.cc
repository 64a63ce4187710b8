#include "store/sqlite/sqlite_catalog.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>

#include "store/sqlite/sqlite_repository.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

class SqliteCatalogTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteRepository> open() {
    SqliteRepository::Options options;
    options.path = folder_.file(kDatabase);
    return std::make_unique<SqliteRepository>(options, ids_);
  }
  // A server that was killed: its -wal holds messages the file does not.
  void kill_a_server() {
    const pid_t child = fork();
    if (child == 0) {
      auto repository = open();
      repository->add(to_users({"1"}, "in the log"));
      kill(getpid(), SIGKILL);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    ASSERT_TRUE(std::filesystem::exists(folder_.file(kDatabase) + "-wal"));
  }
  Error refusal(const std::string& path) {
    return error_of([&] { open_catalog(path); });
  }

  TempFolder folder_;
  IdGenerator ids_{1};
};

TEST_F(SqliteCatalogTest, FollowsARunningServer) {
  auto repository = open();
  auto catalog = open_catalog(folder_.file(kDatabase));
  EXPECT_EQ(catalog->count({}), 0u);
  const MessageId id = repository->add(to_users({"1", "2"}, "hello"));
  EXPECT_EQ(catalog->count({}), 2u);
  EXPECT_THAT(ids_of(catalog->list({.recipient = "2"}, 0, 10)), ElementsAre(id));
  EXPECT_THAT(data_of(catalog->find(id)), ElementsAre("hello", "hello"));
  repository->erase(id);
  EXPECT_EQ(catalog->count({}), 0u);
  repository->add(to_users({"1"}, "hello"));
}

TEST_F(SqliteCatalogTest, ReadsOnWhenTheServerStopsAndStarts) {
  auto repository = open();
  repository->add(to_users({"1"}));
  auto catalog = open_catalog(folder_.file(kDatabase));
  EXPECT_EQ(catalog->count({}), 1u);

  repository.reset();
  EXPECT_EQ(catalog->count({}), 1u);
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));

  repository = open();
  repository->add(to_users({"1"}));
  EXPECT_EQ(catalog->count({}), 2u);
  repository.reset();
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));
}

TEST_F(SqliteCatalogTest, SeesWhatAKilledServerLeftInItsLogAndMakesNoFiles) {
  kill_a_server();
  const auto names = folder_.names();
  const std::string before = read_file(folder_.file(kDatabase));
  const std::string log = read_file(folder_.file(kDatabase) + "-wal");
  const std::string index = read_file(folder_.file(kDatabase) + "-shm");

  auto catalog = open_catalog(folder_.file(kDatabase));

  EXPECT_THAT(data_of(catalog->find(catalog->list({}, 0, 1).at(0).id)), ElementsAre("in the log"));
  EXPECT_THAT(folder_.names(), UnorderedElementsAreArray(names));
  EXPECT_EQ(read_file(folder_.file(kDatabase)), before);
  EXPECT_EQ(read_file(folder_.file(kDatabase) + "-wal"), log);
  EXPECT_EQ(read_file(folder_.file(kDatabase) + "-shm"), index);
  EXPECT_EQ(open()->size(), 1u);
}

TEST_F(SqliteCatalogTest, ExplainsALogWithoutItsIndex) {
  kill_a_server();
  std::filesystem::remove(folder_.file(kDatabase) + "-shm");
  const Error error = refusal(folder_.file(kDatabase));
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_THAT(error.what(), HasSubstr("-shm; copy all three files"));
  EXPECT_FALSE(std::filesystem::exists(folder_.file(kDatabase) + "-shm"));
}

TEST_F(SqliteCatalogTest, NeedsNoRightToWrite) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  for (const bool killed : {false, true}) {
    if (killed) {
      kill_a_server();
    } else {
      open()->add(to_users({"1"}));
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      chmod(entry.path().c_str(), 0444);
    }
    chmod(folder_.path().c_str(), 0555);
    ASSERT_EQ(seteuid(65534), 0);
    std::uint64_t n = 0;
    EXPECT_NO_THROW(n = open_catalog(folder_.file(kDatabase))->count({}));
    ASSERT_EQ(seteuid(0), 0);
    EXPECT_EQ(n, killed ? 2u : 1u);
  }
}

TEST_F(SqliteCatalogTest, TakesAnyFileName) {
  const std::string odd = folder_.file("odd #1?mode=rwc&x=%20 \xC3\xBC.db");
  {
    SqliteRepository::Options options;
    options.path = odd;
    SqliteRepository(options, ids_).add(to_users({"1"}));
  }
  EXPECT_EQ(open_catalog(odd)->count({}), 1u);
  EXPECT_THAT(folder_.names(), SizeIs(1));
}

TEST_F(SqliteCatalogTest, RefusesToDelete) {
  const MessageId id = open()->add(to_users({"1"}));
  auto catalog = open_catalog(folder_.file(kDatabase));
  EXPECT_EQ(error_of([&] { catalog->erase(id); }).code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(catalog->count({}), 1u);
}

TEST_F(SqliteCatalogTest, RefusesWhatIsMissingOrNotOurs) {
  EXPECT_EQ(refusal(folder_.file("none.db")).code(), ErrorCode::kNotFound);
  EXPECT_EQ(refusal(folder_.file("none/none.db")).code(), ErrorCode::kNotFound);
  EXPECT_EQ(refusal(folder_.path()).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal("").code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(folder_.names(), ElementsAre());

  write_file(folder_.file(kDatabase), std::string(9000, 'x'));
  EXPECT_EQ(refusal(folder_.file(kDatabase)).code(), ErrorCode::kIo);
  write_file(folder_.file(kDatabase), "");
  EXPECT_EQ(refusal(folder_.file(kDatabase)).code(), ErrorCode::kInvalidArgument);
  std::filesystem::remove(folder_.file(kDatabase));

  Shell(folder_.file(kDatabase)).run("PRAGMA journal_mode=WAL; CREATE TABLE accounts(id)");
  const std::string before = read_file(folder_.file(kDatabase));
  EXPECT_THAT(refusal(folder_.file(kDatabase)).what(), HasSubstr("another program"));
  EXPECT_EQ(read_file(folder_.file(kDatabase)), before);
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));
  std::filesystem::remove(folder_.file(kDatabase));

  open();
  Shell(folder_.file(kDatabase)).run("PRAGMA user_version=4");
  EXPECT_THAT(refusal(folder_.file(kDatabase)).what(), HasSubstr("has format 4"));
}

}  // namespace
}  // namespace sse::store
