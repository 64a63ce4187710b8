#include "ssectl/commands/messages/pending_file.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "event/target.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/files.h"

namespace sse::ctl {
namespace {

class PendingFile : public ::testing::Test {
 protected:
  PendingFile() {
    store::SqliteRepository::Options options;
    options.path = path();
    server_ = std::make_unique<store::SqliteRepository>(std::move(options), ids_);
  }

  std::string path() const { return folder_.file("pending.db"); }
  MessageId add(event::Target target, const std::string& data) {
    const WallTime now = wall_now();
    return server_->add({ServiceName("hr"), std::move(target), "note", data, now, now + std::chrono::hours(1)});
  }

  const testing::TempFolder folder_;
  IdGenerator ids_{1};
  std::unique_ptr<store::SqliteRepository> server_;
};

TEST_F(PendingFile, ListsWhileAServerHasItOpen) {
  const MessageId first = add(event::Target{event::TargetKind::kUser, {"1", "2"}, false}, "hello");
  add(event::Target::channel(ChannelName("news")), "x");
  const api::Json page = list_file(path(), {}, {1, 2});
  EXPECT_EQ(page["total"], 3);
  ASSERT_EQ(page["list"].size(), 2U);
  EXPECT_EQ(page["list"][0]["id"], first.str());
  EXPECT_EQ(page["list"][0]["size"], 5);
  EXPECT_FALSE(page["list"][0].contains("data"));
  EXPECT_EQ(list_file(path(), {}, {2, 2})["list"][0]["recipient"], "news");
}

TEST_F(PendingFile, FiltersAsTheServerDoes) {
  add(event::Target::user(UserId("1")), "a");
  add(event::Target::channel(ChannelName("1")), "b");
  api::MessageQuery query;
  query.kind = "channel";
  query.recipient = "1";
  EXPECT_EQ(list_file(path(), query, {1, 10})["total"], 1);
  query.service = ServiceName("other");
  EXPECT_EQ(list_file(path(), query, {1, 10})["total"], 0);
}

TEST_F(PendingFile, MasksTokens) {
  const MessageId id = add(event::Target{event::TargetKind::kToken, {"secret-token-value"}, false}, "a");
  EXPECT_EQ(list_file(path(), {}, {1, 10})["list"][0]["recipient"], "secr***");
  EXPECT_EQ(show_file(path(), ServiceName(), id)["list"][0]["recipient"], "secr***");
}

TEST_F(PendingFile, ShowsDataAfterTheServerHasGone) {
  const MessageId id = add(event::Target::all(), "line\n");
  server_.reset();
  const api::Json rows = show_file(path(), ServiceName(), id)["list"];
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["data"], "line\n");
  EXPECT_EQ(rows[0]["kind"], "all");
  EXPECT_TRUE(show_file(path(), ServiceName("other"), id)["list"].empty());
  EXPECT_TRUE(show_file(path(), ServiceName(), MessageId(1))["list"].empty());
}

TEST_F(PendingFile, SaysThatThereIsNoFile) {
  try {
    list_file(folder_.file("none.db"), {}, {1, 10});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace sse::ctl
