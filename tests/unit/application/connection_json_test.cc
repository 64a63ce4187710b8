#include "application/connection_json.h"

#include <gtest/gtest.h>

#include "api/types.h"

namespace sse::application {
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

TEST(MaskedUrl, ShowsNoSecretsOfQueryFragmentAndPassword) {
  EXPECT_EQ(mask_url("https://app.example/a?tab=1#top"), "https://app.example/a?tab=1#top");
  EXPECT_EQ(mask_url("https://app.example/a?access-token=abcdefghijkl&tab=1"),
            "https://app.example/a?access-token=abcd***&tab=1");
  EXPECT_EQ(mask_url("https://app.example/#/route?id=1&access%5ftoken=abcdefghijkl"),
            "https://app.example/#/route?id=1&access%5ftoken=abcd***");
  EXPECT_EQ(mask_url("https://app.example/#id_token=abcdefghijkl;code=abcdefghijkl"),
            "https://app.example/#id_token=abcd***;code=abcd***");
  EXPECT_EQ(mask_url("https://me:pa@ss@app.example/x@y"), "https://***@app.example/x@y");
  EXPECT_EQ(mask_url("/a?token=abcdefghijkl&back=https://x.example"), "/a?token=abcd***&back=https://x.example");
  EXPECT_EQ(mask_url("/a?ticket=sset_0_abcdefghijkl&b=1"), "/a?ticket=sset***&b=1");
  EXPECT_EQ(mask_url("/a?k=my-own-token-1", "my-own-token-1"), "/a?k=my-o***");
  EXPECT_EQ(mask_url(""), "");
}

TEST(ConnectionJson, MasksTheAddressOfThePageWhereverItIsShown) {
  hub::ConnectionInfo info;
  info.identity.token = AccessToken("my-own-token-1");
  info.attributes.query =
      "clientId=abcdefghijkl&locationHref=https%3A%2F%2Fapp.example%2F%3Fjwt%3Dabcdefghijkl&back=http://x/"
      "?t=my-own-token-1";
  event::Json shown = to_json(info, ServiceName("hr"), "node");
  EXPECT_EQ(shown["locationHref"], "https://app.example/?jwt=abcd***");
  EXPECT_EQ(shown["httpParameters"]["locationHref"], "https://app.example/?jwt=abcd***");
  EXPECT_EQ(shown["httpParameters"]["back"], "http://x/?t=my-o***");
  EXPECT_EQ(shown["clientId"], "abcdefghijkl");
  mask_client_id(shown);
  EXPECT_EQ(shown["clientId"], "abcd***");
  EXPECT_EQ(shown["httpParameters"]["clientId"], "abcd***");
}

}  // namespace
}  // namespace sse::application
