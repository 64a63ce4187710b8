#include "net/request_body.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <string>

#include "net/front_options.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using Progress = RequestBody::Progress;

// 10 bytes of a body stay in memory; the budgets are 100 bytes of memory and two bodies on disk.
class RequestBodyTest : public ::testing::Test {
 protected:
  RequestBodyTest() {
    options_.memory = &memory_;
    options_.disk = &disk_;
    options_.spoolers = &spoolers_;
    plan_.max_body = ByteCount(50);
    plan_.max_in_memory = ByteCount(10);
  }
  ~RequestBodyTest() override { spoolers_.stop(); }

  void begin(RequestBody& body, std::size_t length) {
    RequestHead head;
    head.framing = length == 0 ? BodyFraming::kNone : BodyFraming::kLength;
    head.content_length = length;
    body.begin(head, plan_, spooler_);
  }
  void begin_chunked(RequestBody& body) {
    RequestHead head;
    head.framing = BodyFraming::kChunked;
    body.begin(head, plan_, spooler_);
  }
  static Progress receive(RequestBody& body, std::string bytes) { return body.receive(bytes); }
  std::string write(RequestBody& body) {
    EXPECT_TRUE(body.reserve_disk());
    const std::string problem = body.write_received(folder_.file(""));
    body.release_memory();
    return problem;
  }
  static std::string text_on_disk(const RequestBody& body) {
    std::string text(body.file_size(), '\0');
    EXPECT_EQ(::pread(body.file(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  const testing::TempFolder folder_;
  ByteBudget memory_{ByteCount(100), "--memory"};
  ByteBudget disk_{ByteCount(2 * kMinBytesOnDisk), "--disk"};
  WorkerPool spoolers_{"test-spool", 0, 1, 10};
  FrontOptions options_;
  RequestPlan plan_;
  EventLoop loop_{"test-body"};
  UploadSpooler spooler_{loop_, options_};
};

TEST_F(RequestBodyTest, TakesItsPartOfTheInputAndLeavesTheNextRequest) {
  RequestBody body;
  begin(body, 5);
  EXPECT_FALSE(body.is_whole_in("abc"));
  EXPECT_TRUE(body.is_whole_in("abcdeGET"));
  std::string input = "ab";
  EXPECT_EQ(body.receive(input), Progress::kIncomplete);
  EXPECT_FALSE(body.complete());
  input = "cdeGET /";
  EXPECT_EQ(body.receive(input), Progress::kComplete);
  EXPECT_TRUE(body.complete());
  EXPECT_EQ(body.bytes(), "abcde");
  EXPECT_EQ(input, "GET /");
}

TEST_F(RequestBodyTest, IsCompleteAtOnceForARequestWithoutOne) {
  RequestBody body;
  begin(body, 0);
  EXPECT_TRUE(body.is_whole_in(""));
  EXPECT_EQ(receive(body, ""), Progress::kComplete);
}

TEST_F(RequestBodyTest, DecodesChunksAndKnowsTheirEndOnlyFromThem) {
  RequestBody body;
  begin_chunked(body);
  std::string input = "3\r\nabc\r\n0\r\n\r\nrest";
  EXPECT_FALSE(body.is_whole_in(input));
  EXPECT_EQ(body.receive(input), Progress::kComplete);
  EXPECT_EQ(body.bytes(), "abc");
  EXPECT_EQ(input, "rest");
}

TEST_F(RequestBodyTest, TellsMalformedChunksFromTooManyBytes) {
  RequestBody malformed;
  begin_chunked(malformed);
  EXPECT_EQ(receive(malformed, "x\r\n"), Progress::kMalformed);
  RequestBody large;
  begin_chunked(large);
  EXPECT_EQ(receive(large, "33\r\n"), Progress::kTooLarge);
}

TEST_F(RequestBodyTest, ReservesMemoryBeforeItReportsProgress) {
  options_.spoolers = nullptr;
  RequestBody first;
  RequestBody second;
  begin(first, 80);
  begin(second, 80);
  EXPECT_EQ(receive(first, std::string(60, 'a')), Progress::kIncomplete);
  EXPECT_EQ(memory_.used(), 60U);
  EXPECT_EQ(receive(second, std::string(41, 'b')), Progress::kMemoryIsFull);
  first.release();
  EXPECT_EQ(memory_.used(), 0U);
  EXPECT_TRUE(first.bytes().empty());
}

TEST_F(RequestBodyTest, StaysInMemoryWithoutSpoolers) {
  options_.spoolers = nullptr;
  RequestBody body;
  begin(body, 50);
  EXPECT_EQ(body.left_in_memory(), std::numeric_limits<std::size_t>::max());
  EXPECT_EQ(receive(body, std::string(50, 'a')), Progress::kComplete);
}

TEST_F(RequestBodyTest, GoesToDiskPieceByPiece) {
  RequestBody body;
  begin(body, 15);
  EXPECT_EQ(body.left_in_memory(), 11U);
  EXPECT_EQ(receive(body, std::string(10, 'a')), Progress::kIncomplete);
  EXPECT_EQ(body.left_in_memory(), 1U);
  EXPECT_EQ(receive(body, "b"), Progress::kMustBeWritten);
  EXPECT_EQ(write(body), "");
  EXPECT_TRUE(body.on_disk());
  EXPECT_EQ(memory_.used(), 0U);
  EXPECT_EQ(disk_.used(), kMinBytesOnDisk);
  EXPECT_EQ(receive(body, "ccc"), Progress::kIncomplete);
  // The last piece is written however small it is.
  EXPECT_EQ(receive(body, "d"), Progress::kMustBeWritten);
  EXPECT_TRUE(body.complete());
  EXPECT_EQ(write(body), "");
  EXPECT_EQ(text_on_disk(body), std::string(10, 'a') + "bcccd");
  body.release();
  EXPECT_EQ(disk_.used(), 0U);
  EXPECT_FALSE(body.on_disk());
}

TEST_F(RequestBodyTest, WaitsForMemoryForWhatIsReadAsAWhole) {
  RequestBody body;
  begin(body, 40);
  EXPECT_EQ(receive(body, std::string(40, 'a')), Progress::kMustBeWritten);
  EXPECT_EQ(write(body), "");
  EXPECT_TRUE(body.file_fits_into_memory());
  ByteBudget::Share others(&memory_);
  ASSERT_TRUE(others.raise_to(61));
  EXPECT_FALSE(body.reserve_memory_of_file());
  others.release();
  EXPECT_TRUE(body.reserve_memory_of_file());
  EXPECT_EQ(memory_.used(), 40U);
}

TEST_F(RequestBodyTest, KnowsWhatNeverFitsIntoMemory) {
  plan_.max_body = ByteCount(500);
  RequestBody body;
  begin(body, 120);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(receive(body, std::string(60, 'a')), Progress::kMustBeWritten);
    EXPECT_EQ(write(body), "");
  }
  EXPECT_FALSE(body.file_fits_into_memory());
}

TEST_F(RequestBodyTest, IsRefusedDiskByTheBudgetAndByTheNumberOfFiles) {
  std::array<RequestBody, 3> bodies;
  for (RequestBody& body : bodies) {
    begin(body, 40);
    EXPECT_EQ(receive(body, std::string(20, 'a')), Progress::kMustBeWritten);
  }
  EXPECT_TRUE(bodies[0].reserve_disk());
  EXPECT_TRUE(bodies[1].reserve_disk());
  EXPECT_FALSE(bodies[2].reserve_disk()) << "the budget is for two";
  for (RequestBody& body : bodies) body.release();
  EXPECT_EQ(disk_.used(), 0U);

  options_.max_spooled = 1;
  options_.disk = nullptr;
  for (RequestBody& body : bodies) {
    begin(body, 40);
    EXPECT_EQ(receive(body, std::string(20, 'a')), Progress::kMustBeWritten);
  }
  EXPECT_TRUE(bodies[0].reserve_disk());
  EXPECT_FALSE(bodies[1].reserve_disk()) << "one file is allowed";
  bodies[0].release();
  EXPECT_TRUE(bodies[1].reserve_disk());
}

TEST_F(RequestBodyTest, TellsThatTheFolderIsNotThere) {
  RequestBody body;
  begin(body, 40);
  EXPECT_EQ(receive(body, std::string(20, 'a')), Progress::kMustBeWritten);
  ASSERT_TRUE(body.reserve_disk());
  EXPECT_NE(body.write_received(folder_.file("none")).find("none"), std::string::npos);
  EXPECT_TRUE(body.bytes().empty());
}

}  // namespace
}  // namespace sse::net
