#include "hub/attributes.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::hub {
namespace {

TEST(Attributes, UnpacksWhatItPacked) {
  Attributes in;
  in.query = "a=b&c=%20";
  in.address = "::1";
  in.user_agent = "agent 12:3";
  in.host = std::string("\0:5:", 4);
  in.profile = R"({"name":"服务端"})";
  const Attributes out = unpack_attributes(pack(in));
  EXPECT_EQ(out.query, in.query);
  EXPECT_EQ(out.address, in.address);
  EXPECT_EQ(out.user_agent, in.user_agent);
  EXPECT_EQ(out.host, in.host);
  EXPECT_EQ(out.origin, "");
  EXPECT_EQ(out.profile, in.profile);
}

TEST(Attributes, UnpacksEmptyOnes) {
  EXPECT_EQ(unpack_attributes(pack(Attributes{})).query, "");
  EXPECT_EQ(unpack_attributes("").query, "");
  EXPECT_EQ(unpack_attributes("\x01\x03h\xFFi").query, "hi") << "an escape of nothing";
}

TEST(Attributes, KeepsEveryByteOfWhatItShortens) {
  Attributes in;
  for (int byte = 0; byte < 256; ++byte) in.query += static_cast<char>(byte);
  in.query += "&clientId=&clientI&userId=userId=&ack=&useWindowEventBus=tru\x80\x81";
  in.user_agent =
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
  in.host = std::string(300, 'h');
  const Attributes out = unpack_attributes(pack(in));
  EXPECT_EQ(out.query, in.query);
  EXPECT_EQ(out.user_agent, in.user_agent);
  EXPECT_EQ(out.host, in.host);
}

TEST(Attributes, SpendsLittleOnWhatEveryPageSays) {
  Attributes page;
  page.query =
      "clientId=6f2d7d5e-7c1b-4a3e-9a53-2f1f7a9c1d11&clientInstanceId=1&clientInstanceTime=1700000000000"
      "&clientImportModuleTime=1700000000000&clientVersion=1.2.14&sessionDuration=12&useWindowEventBus=true";
  page.user_agent =
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
  EXPECT_LT(pack(page).size(), (page.query.size() + page.user_agent.size()) / 2);
  EXPECT_EQ(pack(Attributes{}), "");
}

TEST(Attributes, SurvivesATornPack) {
  Attributes in;
  in.query = "a=\xFF&userId=1";
  in.profile = "{}";
  const std::string packed = pack(in);
  for (std::size_t n = 0; n <= packed.size(); ++n) unpack_attributes(std::string_view(packed).substr(0, n));
  unpack_attributes("\x07\x01z");
  unpack_attributes(std::string(200, '\xFF'));
}

}  // namespace
}  // namespace sse::hub
