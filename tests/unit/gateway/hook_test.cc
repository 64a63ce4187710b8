#include "gateway/hook.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "gateway/bulkheads.h"
#include "net/request_head.h"
#include "unit/net/loopback.h"

namespace sse::gateway {
namespace {

// RFC 4231 §4.3.
TEST(Hook, SignsAsTheRfcSays) {
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hook, HashesFiles) {
  const testing::TempFolder folder;
  std::ofstream(folder.file("abc")) << "abc";
  EXPECT_EQ(sha256_of_file(folder.file("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_THROW(sha256_of_file(folder.file("missing")), Error);
}

TEST(HttpCaller, RefusesWhatIsNoUrl) {
  for (const std::string url :
       {"", "a", "ftp://a/", "http://", "http:///x", "http://:1/", "http://a:/", "http://a:0/", "http://a:65536/",
        "http://a:1x/", "http://a b/", "http://a/\r\nX: y", "http://u:p@a/"}) {
    EXPECT_THROW(HttpCaller(url, "--hook", std::chrono::seconds(1)), Error) << url;
  }
  for (const std::string url : {"http://a", "https://a:8443/x?y=z", "http://[::1]:80/", "http://[::1]/", "http://a?b"})
    EXPECT_NO_THROW(HttpCaller(url, "--hook", std::chrono::seconds(1))) << url;
}

TEST(HttpCaller, SaysThatNobodyIsThere) {
  HttpCaller caller("http://127.0.0.1:1/", "--hook", std::chrono::seconds(5));
  try {
    caller.post({});
    FAIL() << "somebody answered";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_NE(std::string(e.what()).find("127.0.0.1:1"), std::string::npos) << e.what();
  }
  caller.stop();
  EXPECT_THROW(caller.post({}), Error);
}

class BulkheadsTest : public ::testing::Test {
 protected:
  static BulkheadOptions options(bool connects_block) {
    BulkheadOptions o;
    o.services = {"/hr", "/hunter"};
    o.connects_may_block = connects_block;
    o.max_body = kibibytes(1);
    o.max_upload = mebibytes(1);
    return o;
  }
  static net::RequestHead head(std::string_view target) {
    net::RequestHead h;
    h.target = target;
    return h;
  }
};

TEST_F(BulkheadsTest, KeepsWhatWaitsForTheApplicationApart) {
  Bulkheads bulkheads(options(true));
  const auto workers = [&](std::string_view target) { return bulkheads.plan(head(target)).workers; };
  EXPECT_EQ(workers("/"), nullptr);
  EXPECT_EQ(workers("/hr"), nullptr);
  EXPECT_EQ(workers("/other/connect"), nullptr);
  EXPECT_NE(workers("/hr/connect?x=/connect/upload/"), nullptr);
  EXPECT_EQ(workers("/hr/connect"), workers("/hunter/connect"));
  EXPECT_NE(workers("/hr/connect/message/a.do"), nullptr);
  EXPECT_NE(workers("/hr/connect/message/a.do"), workers("/hr/connect"));
}

TEST_F(BulkheadsTest, LeavesConnectsToTheWorkersWhereNobodyIsAsked) {
  Bulkheads bulkheads(options(false));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect")).workers, nullptr);
  EXPECT_NE(bulkheads.plan(head("/hr/connect/message/a.do")).workers, nullptr);
}

TEST_F(BulkheadsTest, AllowsLargeBodiesForUploadsOnly) {
  Bulkheads bulkheads(options(false));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect/upload/a.do")).max_body, mebibytes(1));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect/message/a.do")).max_body, kibibytes(1));
  EXPECT_EQ(bulkheads.plan(head("/hr/connect/upload")).max_body, kibibytes(1));
  EXPECT_EQ(bulkheads.plan(head("/x/connect/upload/a.do")).max_body, kibibytes(1));
}

}  // namespace
}  // namespace sse::gateway
