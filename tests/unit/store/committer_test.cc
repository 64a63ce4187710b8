#include "store/sqlite/committer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "store/sqlite/sqlite_writer.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

class CommitterTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteWriter> writer(const StoreLimits& limits = {}) {
    SqliteWriter::Options options;
    options.path = folder_.file(kDatabase);
    options.sync_every_commit = false;
    options.limits = limits;
    return std::make_unique<SqliteWriter>(options, ids_);
  }
  // How many jobs were in one transaction at most, when as many as `jobs` with so many bytes each wait for their turn.
  std::size_t max_in_one_commit(std::size_t jobs, std::size_t bytes) {
    Committer committer(writer(), {});
    std::promise<void> begun;
    std::promise<void> queued;
    committer.commit_async(
        [&](SqliteWriter&) {
          begun.set_value();
          queued.get_future().wait();
        },
        [](Committer::Outcome) {}, 0);
    begun.get_future().wait();
    std::size_t open = 0;
    std::size_t max_open = 0;
    std::promise<void> all;
    std::size_t left = jobs;
    for (std::size_t i = 0; i < jobs; ++i) {
      committer.commit_async([&](SqliteWriter&) { max_open = std::max(max_open, ++open); },
                             [&](const Committer::Outcome& refusal) {
                               EXPECT_FALSE(refusal.has_value());
                               --open;
                               if (--left == 0) all.set_value();
                             },
                             bytes);
    }
    queued.set_value();
    all.get_future().wait();
    return max_open;
  }

  TempFolder folder_;
  IdGenerator ids_{1};
};

TEST_F(CommitterTest, CommitsManySmallMessagesAtOnce) {
  EXPECT_GE(max_in_one_commit(500, 100), 499U);
}

// Everybody in a transaction waits for all that is in it.
TEST_F(CommitterTest, BoundsTheBytesOfACommit) {
  EXPECT_LE(max_in_one_commit(20, kMebibyte), 4U);
  EXPECT_EQ(max_in_one_commit(5, 100 * kMebibyte), 1U) << "one is always taken";
  EXPECT_LE(max_in_one_commit(100, 60'000), 18U) << "behind a small one there are no large ones";
}

// 300 letters of 1 MiB in one transaction made every sender wait for 5.6 s.
TEST_F(CommitterTest, MakesDeadLettersOfLargeMessagesInParts) {
  StoreLimits limits;
  limits.dead_bytes = mebibytes(10);
  const std::unique_ptr<SqliteWriter> store = writer(limits);
  store->begin();
  for (int i = 0; i < 12; ++i) {
    store->add(to_users({"u" + std::to_string(2 * i), "u" + std::to_string(2 * i + 1)},
                        std::to_string(10 + i) + std::string(kMebibyte - 2, 'x')));
  }
  store->commit();
  std::vector<std::uint64_t> parts;
  do {
    store->begin();
    parts.push_back(store->expire(kNow + std::chrono::hours(2), 1000));
    store->commit();
  } while (parts.back() != 0);
  EXPECT_GE(parts.size(), 3U);
  EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), std::uint64_t{0}), 24U);
  EXPECT_EQ(store->size(), 0U);
  Shell shell(folder_.file(kDatabase));
  EXPECT_EQ(shell.run("SELECT count(*) FROM dead"), "20");
  EXPECT_EQ(shell.run("SELECT recipient FROM dead ORDER BY id LIMIT 1"), "u4");
  EXPECT_EQ(shell.run("SELECT dead_bytes FROM total"), std::to_string(10 * kMebibyte));
  EXPECT_EQ(shell.run("SELECT count(*) FROM dead_data"), "10");
  EXPECT_EQ(shell.run("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM pending)"), "0");
}

}  // namespace
}  // namespace sse::store
