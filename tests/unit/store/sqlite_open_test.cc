// Which files are refused, with which sentence, and that refusing changes nothing.
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "store/sqlite/sqlite_repository.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Root may do what the permission bits forbid; these tests want to be another user.
class WithoutRoot {
 public:
  WithoutRoot() : root_(geteuid() == 0) {
    if (root_ && seteuid(65534) != 0) throw std::runtime_error("seteuid failed");
  }
  ~WithoutRoot() {
    if (root_ && seteuid(0) != 0) std::abort();
  }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;

 private:
  bool root_;
};

class SqliteOpenTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteRepository> open(const std::string& path, bool make_folders = false) {
    SqliteRepository::Options options;
    options.path = path;
    options.make_folders = make_folders;
    return std::make_unique<SqliteRepository>(options, ids_);
  }
  Error refusal(const std::string& path, bool make_folders = false) {
    return error_of([&] { open(path, make_folders); });
  }
  // A database of ours with one message.
  std::string ours() {
    open(folder_.file(kDatabase))->add(to_users({"1"}, std::string(100'000, 'x')));
    return folder_.file(kDatabase);
  }
  // Refused with `code`, a sentence that holds the path and `reason`, and the file as it was.
  void expect_refused(const std::string& path, ErrorCode code, const std::string& reason) {
    const std::string before = read_file(path);
    const Error error = refusal(path);
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(path));
    EXPECT_THAT(error.what(), HasSubstr(reason));
    EXPECT_THAT(error.what(), HasSubstr("--db"));
    EXPECT_EQ(read_file(path), before);
    EXPECT_THAT(folder_.names(), ElementsAre(std::filesystem::path(path).filename().string()));
  }

  TempFolder folder_;
  IdGenerator ids_{1};
};

TEST_F(SqliteOpenTest, RefusesASecondRepositoryAndNamesTheHolder) {
  auto first = open(folder_.file(kDatabase));
  first->add(to_users({"1"}));

  const Error error = refusal(folder_.file(kDatabase));

  EXPECT_EQ(error.code(), ErrorCode::kConflict);
  EXPECT_EQ(error.what(), "another sse-serve (pid " + std::to_string(getpid()) + ") already uses " +
                              folder_.file(kDatabase) + "; stop it or choose another file with --db");
  first->add(to_users({"1"}));
  first.reset();
  EXPECT_EQ(open(folder_.file(kDatabase))->size(), 2u);
}

TEST_F(SqliteOpenTest, ALinkToTheFileIsTheSameFile) {
  auto first = open(folder_.file(kDatabase));
  std::filesystem::create_symlink(folder_.file(kDatabase), folder_.file("link.db"));
  EXPECT_EQ(refusal(folder_.file("link.db")).code(), ErrorCode::kConflict);
  first.reset();
  EXPECT_NO_THROW(open(folder_.file("link.db"))->add(to_users({"1"})));
  EXPECT_EQ(open(folder_.file(kDatabase))->size(), 1u);
}

TEST_F(SqliteOpenTest, ALockFileLeftByAKilledServerIsNoObstacle) {
  write_file(folder_.file(kDatabase) + ".lock", "4711\n");
  EXPECT_NO_THROW(open(folder_.file(kDatabase)));
}

TEST_F(SqliteOpenTest, RefusesAnotherProgramsDatabase) {
  Shell(folder_.file("other.db")).run("CREATE TABLE accounts(id); INSERT INTO accounts VALUES(1)");
  expect_refused(folder_.file("other.db"), ErrorCode::kIo, "another program");
  Shell(folder_.file("other.db")).run("PRAGMA application_id=1234");
  expect_refused(folder_.file("other.db"), ErrorCode::kIo, "another program");
}

TEST_F(SqliteOpenTest, RefusesANewerFormat) {
  Shell(ours()).run("PRAGMA user_version=7; PRAGMA journal_mode=DELETE");
  expect_refused(folder_.file(kDatabase), ErrorCode::kConflict, "has format 7, this program reads format 3");
}

TEST_F(SqliteOpenTest, RefusesWhatIsNoDatabase) {
  write_file(folder_.file("notes.txt"), std::string(5000, 'n'));
  expect_refused(folder_.file("notes.txt"), ErrorCode::kIo, "not an SQLite database");
  write_file(folder_.file("notes.txt"), "short");
  expect_refused(folder_.file("notes.txt"), ErrorCode::kIo, "not an SQLite database");
}

TEST_F(SqliteOpenTest, RefusesATruncatedDatabase) {
  const std::string whole = read_file(ours());
  for (const std::size_t size : {whole.size() / 2, std::size_t{8192}, std::size_t{4096}}) {
    write_file(folder_.file(kDatabase), whole.substr(0, size));
    expect_refused(folder_.file(kDatabase), ErrorCode::kIo, "malformed");
  }
  write_file(folder_.file(kDatabase), whole.substr(0, 2000));
  EXPECT_THAT(refusal(folder_.file(kDatabase)).what(), HasSubstr(folder_.file(kDatabase)));
  EXPECT_EQ(read_file(folder_.file(kDatabase)), whole.substr(0, 2000));
}

TEST_F(SqliteOpenTest, RefusesAFolderAndOtherThingsThatAreNoFile) {
  EXPECT_EQ(refusal(folder_.path().string()).code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(refusal(folder_.path().string()).what(), HasSubstr("is a folder"));
  EXPECT_EQ(refusal(folder_.file("new/")).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal("").code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refusal("/dev/null").code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(folder_.names(), ElementsAre());
}

TEST_F(SqliteOpenTest, RefusesAParentThatIsAFile) {
  write_file(folder_.file("file"), "");
  const Error error = refusal(folder_.file("file/sub/pending.db"), true);
  EXPECT_EQ(error.code(), ErrorCode::kIo) << error.what();
  EXPECT_THAT(error.what(), HasSubstr("Not a directory"));
}

TEST_F(SqliteOpenTest, RefusesAFileItMayNotWriteAndAFolderItMayNotMake) {
  ours();
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  const std::string before = read_file(folder_.file(kDatabase));
  for (const mode_t mode : {0444U, 0000U}) {
    ASSERT_EQ(chmod(folder_.file(kDatabase).c_str(), mode), 0);
    const WithoutRoot without_root;
    const Error error = refusal(folder_.file(kDatabase));
    EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(folder_.file(kDatabase)));
  }
  EXPECT_EQ(read_file(folder_.file(kDatabase)), before);
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));

  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                                                   std::filesystem::perms::others_exec);
  const WithoutRoot without_root;
  EXPECT_EQ(refusal(folder_.file("sub/pending.db"), true).code(), ErrorCode::kPermissionDenied);
}

// Most likely a path that is misspelt.
TEST_F(SqliteOpenTest, MakesNoFolderUnlessToldTo) {
  const Error error = refusal(folder_.file("misspelt/deeper/pending.db"));
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.what(), HasSubstr(folder_.file("misspelt/deeper")));
  EXPECT_THAT(error.what(), HasSubstr("--db"));
  EXPECT_THAT(folder_.names(), ElementsAre());
  EXPECT_NO_THROW(open(folder_.file("wanted/deeper/pending.db"), true));
  EXPECT_THAT(folder_.names(), ElementsAre("wanted"));
}

TEST_F(SqliteOpenTest, TakesAnEmptyFile) {
  write_file(folder_.file(kDatabase), "");
  EXPECT_NO_THROW(open(folder_.file(kDatabase))->add(to_users({"1"})));
  EXPECT_EQ(open(folder_.file(kDatabase))->size(), 1u);
}

TEST_F(SqliteOpenTest, ADraftLeftByAKilledServerIsNoObstacle) {
  write_file(folder_.file(kDatabase) + ".new", "half");
  write_file(folder_.file(kDatabase) + ".new-journal", "half");
  EXPECT_NO_THROW(open(folder_.file(kDatabase)));
  EXPECT_THAT(folder_.names(), ElementsAre("pending.db"));
}

// Made anew beside it, the database would swallow a log that belongs to another one.
TEST_F(SqliteOpenTest, RefusesALogWhoseDatabaseIsMissing) {
  write_file(folder_.file(kDatabase) + "-wal", "the messages of yesterday");
  EXPECT_THAT(refusal(folder_.file(kDatabase)).what(), HasSubstr("restore the database"));
  EXPECT_EQ(read_file(folder_.file(kDatabase) + "-wal"), "the messages of yesterday");
}

}  // namespace
}  // namespace sse::store
