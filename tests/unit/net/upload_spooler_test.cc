#include "net/upload_spooler.h"

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

#include "net/request_body.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

class UploadSpoolerTest : public ::testing::Test {
 protected:
  UploadSpoolerTest() {
    options_.spoolers = &threads_;
    options_.spool_folder = folder_.file("");
    RequestHead head;
    head.framing = BodyFraming::kLength;
    head.content_length = 100;
    RequestPlan plan;
    plan.max_in_memory = ByteCount(0);
    body_.begin(head, plan, spooler_);
    std::string bytes = "abc";
    EXPECT_EQ(body_.receive(bytes), RequestBody::Progress::kMustBeWritten);
    EXPECT_TRUE(body_.reserve_disk());
  }
  ~UploadSpoolerTest() override {
    threads_.stop();
    loop_.stop();
  }
  // The result of write(), and the problem that it reported.
  bool write(std::string& problem) {
    std::promise<bool> taken;
    std::promise<std::string> written;
    loop_.post([&] {
      const bool ok = spooler_.write(body_, [&](const std::string& what) {
        loop_.assert_in_loop_thread();
        written.set_value(what);
      });
      taken.set_value(ok);
    });
    if (!taken.get_future().get()) return false;
    problem = written.get_future().get();
    return true;
  }

  const testing::TempFolder folder_;
  FrontOptions options_;
  WorkerPool threads_{"test-spool", 0, 1, 10};
  EventLoop loop_{"test-loop"};
  UploadSpooler spooler_{loop_, options_};
  RequestBody body_;
};

TEST_F(UploadSpoolerTest, WritesOnItsThreadsAndReportsOnTheLoop) {
  loop_.start();
  std::string problem = "none yet";
  EXPECT_TRUE(write(problem));
  EXPECT_EQ(problem, "");
  EXPECT_EQ(body_.file_size(), 3U);
}

TEST_F(UploadSpoolerTest, ReportsWhatWentWrong) {
  options_.spool_folder = folder_.file("none");
  loop_.start();
  std::string problem;
  EXPECT_TRUE(write(problem));
  EXPECT_NE(problem.find("--upload-dir"), std::string::npos) << problem;
}

TEST_F(UploadSpoolerTest, TakesNothingWhenItsThreadsHaveEnded) {
  loop_.start();
  threads_.stop();
  std::string problem;
  EXPECT_FALSE(write(problem));
  EXPECT_EQ(body_.bytes(), "abc");
}

TEST_F(UploadSpoolerTest, HasAsManyPlacesAsAllowed) {
  options_.max_spooled = 3;
  EXPECT_TRUE(spooler_.take_place());
  EXPECT_TRUE(spooler_.take_place());
  EXPECT_FALSE(spooler_.take_place()) << "the body of the test has one";
  spooler_.return_place();
  EXPECT_TRUE(spooler_.take_place());
}

TEST_F(UploadSpoolerTest, IsDisabledWithoutThreads) {
  EXPECT_TRUE(spooler_.enabled());
  options_.spoolers = nullptr;
  EXPECT_FALSE(spooler_.enabled());
}

}  // namespace
}  // namespace sse::net
