#include "application/bulkheads.h"

#include <gtest/gtest.h>

#include <string_view>

#include "net/request_head.h"

namespace sse::application {
namespace {

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

TEST_F(BulkheadsTest, LeavesConnectsToTheWorkersWhereNoApplicationIsAsked) {
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
}  // namespace sse::application
