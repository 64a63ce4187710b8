// Killed processes, full disks, locked files: nothing accepted is lost, and what was not kept is said.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <future>
#include <mutex>
#include <set>

#include "base/fd.h"
#include "store/sqlite/sqlite_repository.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SqliteFailureTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteRepository> open(std::chrono::milliseconds busy_timeout = std::chrono::milliseconds(0)) {
    SqliteRepository::Options options;
    options.path = folder_.file(kDatabase);
    options.limits.per_recipient = 1'000'000;
    options.busy_timeout = busy_timeout;
    options.on_error = [this](const std::string& sentence) {
      const std::lock_guard lock(mutex_);
      reported_.push_back(sentence);
    };
    return std::make_unique<SqliteRepository>(options, ids_);
  }
  std::vector<std::string> reported() {
    const std::lock_guard lock(mutex_);
    return reported_;
  }

  TempFolder folder_;
  IdGenerator ids_{1};
  std::mutex mutex_;
  std::vector<std::string> reported_;
};

// Runs `body` in a child process; its result is the exit status.
template <class F>
pid_t fork_child(F&& body) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  int status = 99;
  try {
    status = body();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "child: %s\n", e.what());
  }
  std::fflush(nullptr);
  _exit(status);
}

TEST_F(SqliteFailureTest, WhatWasAcceptedSurvivesKill9) {
  for (int round = 0; round < 5; ++round) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    UniqueFd from(ends[0]);
    UniqueFd to(ends[1]);
    const pid_t child = fork_child([&] {
      auto repository = open();
      std::vector<std::thread> senders;
      for (int t = 0; t < 4; ++t) {
        senders.emplace_back([&] {
          for (;;) {
            const std::uint64_t id = repository->add(to_users({"1", "2"})).value();
            if (write(to.get(), &id, sizeof id) != sizeof id) _exit(98);
          }
        });
      }
      for (std::thread& sender : senders) sender.join();
      return 0;
    });
    to.reset();
    std::set<MessageId> accepted;
    std::uint64_t id = 0;
    while (read(from.get(), &id, sizeof id) == sizeof id) {
      accepted.insert(MessageId(id));
      if (accepted.size() == static_cast<std::size_t>(20 + 37 * round)) kill(child, SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

    auto repository = open();
    for (const char* name : {"1", "2"}) {
      const auto kept = ids_of(pending_of(*repository, user(name)));
      for (const MessageId each : accepted) {
        EXPECT_TRUE(std::binary_search(kept.begin(), kept.end(), each)) << each.value();
      }
      EXPECT_GT(repository->add(to_users({"3"})), kept.back());
    }
  }
}

// A limit on the file size is what a full disk looks like without the right to make one.
TEST_F(SqliteFailureTest, AFullDiskIsToldToTheSenderAndGoneOnceThereIsRoom) {
  const pid_t child = fork_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    auto repository = open();
    const MessageId first = repository->add(to_users({"1"}, "before"));
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t unlimited = limit.rlim_cur;
    limit.rlim_cur = 256 * 1024;
    setrlimit(RLIMIT_FSIZE, &limit);

    const std::string large(1024 * 1024, 'x');
    const Error error = error_of([&] { repository->add(to_users({"1"}, large)); });
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("cannot "), HasSubstr(folder_.file(kDatabase)), HasSubstr("try again")));
    EXPECT_THAT(ids_of(pending_of(*repository, user("1"))), ElementsAre(first));
    EXPECT_EQ(repository->size(), 1u);

    limit.rlim_cur = unlimited;
    setrlimit(RLIMIT_FSIZE, &limit);
    repository->add(to_users({"1"}, large));
    EXPECT_EQ(repository->size(), 2u);
    repository.reset();
    EXPECT_THAT(data_of(pending_of(*open(), user("1"))), ElementsAre("before", large));
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// What the kernel does with a file system whose disk fails: from now on every write says EROFS.
class ReadOnlyDisk {
 public:
  ReadOnlyDisk() {
    for (const auto& [name, call] : calls()) vfs_->xSetSystemCall(vfs_, name, call);
  }
  ~ReadOnlyDisk() {
    for (const auto& [name, call] : calls()) vfs_->xSetSystemCall(vfs_, name, nullptr);
  }
  ReadOnlyDisk(const ReadOnlyDisk&) = delete;
  ReadOnlyDisk& operator=(const ReadOnlyDisk&) = delete;

 private:
  template <class... Arguments>
  static int refuse(Arguments...) {
    errno = EROFS;
    return -1;
  }
  template <class... Arguments>
  static ssize_t refuse_write(Arguments...) {
    return refuse();
  }
  static std::vector<std::pair<const char*, sqlite3_syscall_ptr>> calls() {
    const auto as_call = [](auto* function) { return reinterpret_cast<sqlite3_syscall_ptr>(function); };
    return {{"write", as_call(&refuse_write<int, const void*, std::size_t>)},
            {"pwrite", as_call(&refuse_write<int, const void*, std::size_t, off_t>)},
            {"pwrite64", as_call(&refuse_write<int, const void*, std::size_t, off_t>)},
            {"ftruncate", as_call(&refuse<int, off_t>)}};
  }

  sqlite3_vfs* const vfs_ = sqlite3_vfs_find(nullptr);
};

TEST_F(SqliteFailureTest, AFileSystemThatTurnsReadOnlyFailsTheSendersAndCostsNothing) {
  auto repository = open();
  const MessageId first = repository->add(to_users({"1"}, "first"));
  const MessageId second = repository->add(to_users({"1"}, "second"));
  {
    const ReadOnlyDisk disk;
    for (int i = 0; i < 3; ++i) {
      const Error error = error_of([&] { repository->add(to_users({"1"}, "refused")); });
      EXPECT_EQ(error.code(), ErrorCode::kIo);
      EXPECT_THAT(error.what(), AllOf(HasSubstr(folder_.file(kDatabase)), HasSubstr("Read-only file system"),
                                      HasSubstr("check the disk")));
    }
    // What was accepted is there to be delivered, and its confirmation is not forgotten.
    EXPECT_THAT(ids_of(pending_of(*repository, user("1"))), ElementsAre(first, second));
    repository->confirm(kService, user("1"), first);
    ASSERT_TRUE(eventually([&] { return !reported().empty(); }));
    EXPECT_THAT(reported(), ElementsAre(HasSubstr("1 confirmations are queued")));
  }
  EXPECT_TRUE(eventually([&] { return repository->size() == 1; }));
  repository->add(to_users({"1"}, "third"));
  repository.reset();
  EXPECT_THAT(data_of(pending_of(*open(), user("1"))), ElementsAre("second", "third"));
}

TEST_F(SqliteFailureTest, ALockHeldByAnotherProgramFailsTheSendersAndKeepsTheConfirmations) {
  auto repository = open();
  const MessageId id = repository->add(to_users({"1"}));
  Shell other(folder_.file(kDatabase));
  other.run("BEGIN IMMEDIATE");

  const Error error = error_of([&] { repository->add(to_users({"2"})); });
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("locked"), HasSubstr("another program locks the file")));
  repository->confirm(kService, user("1"), id);
  ASSERT_TRUE(eventually([&] { return !reported().empty(); }));
  EXPECT_THAT(reported(), ElementsAre(HasSubstr("1 confirmations are queued")));
  EXPECT_THAT(pending_of(*repository, user("1")), SizeIs(1));
  EXPECT_THAT(error_of([&] { repository->erase(id); }).what(), HasSubstr("locked"));

  other.run("COMMIT");
  EXPECT_TRUE(eventually([&] { return repository->size() == 0; }));
  EXPECT_THAT(pending_of(*repository, user("2")), IsEmpty());
  EXPECT_NO_THROW(repository->add(to_users({"2"})));
}

TEST_F(SqliteFailureTest, WaitsForAnotherProgramThatIsDoneSoon) {
  auto repository = open(std::chrono::seconds(60));
  Shell other(folder_.file(kDatabase));
  other.run("BEGIN IMMEDIATE");
  auto added = std::async(std::launch::async, [&] { return repository->add(to_users({"1"})); });
  EXPECT_EQ(added.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  other.run("COMMIT");
  EXPECT_TRUE(added.get().valid());
}

TEST_F(SqliteFailureTest, ConfirmationsThatCannotBeStoredAtTheEndAreReported) {
  auto repository = open();
  const MessageId id = repository->add(to_users({"1"}));
  {
    Shell other(folder_.file(kDatabase));
    other.run("BEGIN IMMEDIATE");
    repository->confirm(kService, user("1"), id);
    repository.reset();
    other.run("COMMIT");
  }
  ASSERT_THAT(reported(), ::testing::Not(IsEmpty()));
  EXPECT_THAT(reported().back(), HasSubstr("will be delivered again"));
  EXPECT_EQ(open()->size(), 1u);
}

TEST_F(SqliteFailureTest, OneBadMessageFailsAloneInItsBatch) {
  auto repository = open(std::chrono::seconds(60));
  const MessageId confirmed = repository->add(to_users({"gone"}));
  Shell other(folder_.file(kDatabase));
  other.run(
      "CREATE TRIGGER bad BEFORE INSERT ON pending "
      "WHEN (SELECT event FROM message WHERE id = NEW.message) = 'bad' "
      "BEGIN SELECT RAISE(ABORT, 'bad message'); END");
  // While the first waits for the lock the others form one batch.
  other.run("BEGIN IMMEDIATE");
  std::atomic<int> refused = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < 12; ++i) {
    senders.emplace_back([&, i] {
      NewMessage message = to_users({"1"}, std::to_string(i));
      if (i % 4 == 0) message.event = "bad";
      try {
        repository->add(message);
        EXPECT_NE(i % 4, 0);
      } catch (const Error& e) {
        EXPECT_EQ(i % 4, 0) << e.what();
        EXPECT_THAT(e.what(), HasSubstr("bad message"));
        ++refused;
      }
    });
  }
  repository->confirm(kService, user("gone"), confirmed);
  // Nothing tells when all have queued up; with fewer the batch is smaller, and the outcome must be the same.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  other.run("COMMIT");
  for (std::thread& sender : senders) sender.join();

  EXPECT_EQ(refused, 3);
  ASSERT_TRUE(eventually([&] { return repository->size() == 9; }));
  EXPECT_THAT(pending_of(*repository, user("1")), SizeIs(9));
  EXPECT_EQ(other.run("SELECT count(*) FROM message"), "9");
  EXPECT_THAT(reported(), IsEmpty());
}

TEST_F(SqliteFailureTest, OfOneBatchOnlyWhatIsOverTheLimitIsRefused) {
  SqliteRepository::Options options;
  options.path = folder_.file(kDatabase);
  options.limits.per_recipient = 5;
  options.busy_timeout = std::chrono::seconds(60);
  SqliteRepository repository(options, ids_);
  Shell other(folder_.file(kDatabase));
  other.run("BEGIN IMMEDIATE");
  std::atomic<int> refused = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < 16; ++i) {
    senders.emplace_back([&, i] {
      try {
        repository.add(to_users({i % 2 == 0 ? "1" : "2", std::to_string(100 + i)}));
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::kLimitExceeded);
        ++refused;
      }
    });
  }
  // Nothing tells when all have queued up; with fewer the batch is smaller, and the outcome must be the same.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  other.run("COMMIT");
  for (std::thread& sender : senders) sender.join();

  EXPECT_EQ(refused, 6);
  EXPECT_THAT(pending_of(repository, user("1")), SizeIs(5));
  EXPECT_THAT(pending_of(repository, user("2")), SizeIs(5));
  EXPECT_EQ(repository.size(), 20u);
}

}  // namespace
}  // namespace sse::store
