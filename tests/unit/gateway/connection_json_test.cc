#include "gateway/connection_json.h"

#include <gtest/gtest.h>

#include "api/types.h"

namespace sse::gateway {
namespace {

TEST(SendResultText, IsWhatTheClientReads) {
  delivery::SendResult sent;
  sent.id = 847140540416;
  sent.delivered = 3;
  sent.pending = 2;
  const auto text_of_the_document = [&sent] {
    return event::dump_json(api::to_json(api::send_result_from_json(event::Json::parse(to_text(sent)))));
  };
  EXPECT_EQ(to_text(sent), text_of_the_document());
  sent.recipients = {{event::TargetKind::kUser, "1", 3}, {event::TargetKind::kToken, "a\"\\\n\xC3\xA9", 0, "offline"}};
  sent.repeated = true;
  EXPECT_EQ(to_text(sent), text_of_the_document());
  sent.missing = {"n\"1", "n2"};
  EXPECT_EQ(event::Json::parse(to_text(sent))["missing"], event::Json({"n\"1", "n2"}));
  EXPECT_EQ(event::Json::parse(to_text(sent))["recipients"][1]["name"], "a\"\\\n\xC3\xA9");
}

}  // namespace
}  // namespace sse::gateway
