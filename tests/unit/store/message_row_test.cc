#include "store/message_row.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::store {
namespace {

using event::Json;
using event::TargetKind;

Json row_for(TargetKind kind, const std::string& name) {
  Json row = Json::object();
  put_recipient(row, kind, name);
  return row;
}

TEST(MessageRow, ShowsARecipientAsTheAdminApiNamesIt) {
  EXPECT_EQ(row_for(TargetKind::kUser, "bob"), Json({{"kind", "user"}, {"recipient", "bob"}}));
  EXPECT_EQ(row_for(TargetKind::kChannel, "news"), Json({{"kind", "channel"}, {"recipient", "news"}}));
  EXPECT_EQ(row_for(TargetKind::kAll, ""), Json({{"kind", "all"}, {"recipient", ""}}));
  EXPECT_EQ(row_for(TargetKind::kMember, event::member_name("bob", "acme")),
            Json({{"kind", "user"}, {"recipient", "bob"}, {"tenant", "acme"}}));
}

TEST(MessageRow, MasksATokenAndKeepsTheDataToItself) {
  PendingMessage message;
  message.id = MessageId(7);
  message.service = ServiceName("hr");
  message.recipient = {TargetKind::kToken, "very-secret-token"};
  message.event = "note";
  message.data = "for your eyes only";
  message.data_size = 18;
  message.created = from_millis(1000);
  message.expires = from_millis(2000);
  message.attempts = 3;
  const Json row = row_of(message);
  EXPECT_EQ(row.dump().find("very-secret-token"), std::string::npos) << row;
  EXPECT_EQ(row.dump().find("eyes"), std::string::npos) << row;
  EXPECT_EQ(row["kind"], "token");
  EXPECT_EQ(row["id"], "7");
  EXPECT_EQ(row["size"], 18);
  EXPECT_EQ(row["createTime"], 1000);
  EXPECT_EQ(row["expireTime"], 2000);
  EXPECT_EQ(row["attempts"], 3);
}

}  // namespace
}  // namespace sse::store
