#include "api/stream_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <future>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/mutex.h"
#include "support/errors.h"
#include "support/http_server.h"

namespace sse::api {
namespace {

using std::chrono::milliseconds;
using testing::error_of;
using ::testing::HasSubstr;
using testing::HttpServer;

constexpr milliseconds kLong{30'000};

// A server whose /stream writes `first` and goes on when it may.
class StreamProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.http().Get("/stream", [this](const httplib::Request& request, httplib::Response& response) {
      const MutexLock lock(mutex_);
      accept_ = request.get_header_value("Accept");
      response.set_header("X-Name", "value");
      response.set_chunked_content_provider("text/event-stream", [this](std::size_t, httplib::DataSink& sink) {
        sink.os << first();
        if (go_on_.wait_for(kLong) == std::future_status::ready) sink.os << "data: two\n\n";
        sink.done();
        return true;
      });
    });
    origin_ = server_.start();
  }
  void TearDown() override {
    if (!released_) may_.set_value();
    server_.stop();
  }
  void release() {
    released_ = true;
    may_.set_value();
  }
  std::string first() {
    const MutexLock lock(mutex_);
    return first_;
  }
  void send_first(std::string text) {
    const MutexLock lock(mutex_);
    first_ = std::move(text);
  }
  std::string accepted() {
    const MutexLock lock(mutex_);
    return accept_;
  }
  ProbeRequest request() const { return {origin_, "/stream", "GET", {{"Accept", "text/event-stream"}}}; }

  HttpServer server_;
  std::string origin_;
  // ThreadSanitizer does not see that a response comes after its request.
  Mutex mutex_;
  std::string accept_ GUARDED_BY(mutex_);
  std::string first_ GUARDED_BY(mutex_) = "retry: 700\nevent: a\ndata: one\n\n";
  std::promise<void> may_;
  std::shared_future<void> go_on_{may_.get_future()};
  bool released_ = false;
};

TEST_F(StreamProbeTest, ReportsTheHeadAndTheEventsAsTheyCome) {
  StreamProbe probe(request());
  ASSERT_TRUE(probe.wait_for_head(kLong));
  ASSERT_TRUE(probe.wait_for_data("one", kLong));
  ProbeState state = probe.state();
  EXPECT_EQ(state.head->status, 200);
  EXPECT_EQ(state.head->version, "HTTP/1.1");
  EXPECT_EQ(state.head->header("x-name"), "value");
  EXPECT_EQ(state.head->header("missing"), "");
  EXPECT_EQ(state.bytes, first().size());
  EXPECT_EQ(state.retry, milliseconds(700));
  EXPECT_LE(state.started, state.head->at);
  EXPECT_FALSE(state.ended);

  release();
  ASSERT_TRUE(probe.wait_for_data("two", kLong));
  ASSERT_TRUE(probe.wait(kLong, [](const ProbeState& now) { return now.ended.has_value(); }));
  EXPECT_EQ(probe.state().reason, "it ended");
  EXPECT_FALSE(probe.wait_for_data("three", kLong)) << "it waits no longer than the stream lasts";
  EXPECT_EQ(accepted(), "text/event-stream");
}

TEST_F(StreamProbeTest, ClosingEndsAStreamThatHasNoEnd) {
  StreamProbe probe(request());
  ASSERT_TRUE(probe.wait_for_head(kLong));
  probe.close();
  EXPECT_EQ(probe.state().reason, "closed");
  EXPECT_TRUE(probe.state().head);
}

TEST_F(StreamProbeTest, StopsAtItsLimitOfBytes) {
  send_first(std::string(100'000, ':') + "\n");
  ProbeRequest limited = request();
  limited.max_bytes = 50'000;
  StreamProbe probe(std::move(limited));
  ASSERT_TRUE(probe.wait(kLong, [](const ProbeState& state) { return state.ended.has_value(); }));
  EXPECT_TRUE(probe.state().flooded);
  EXPECT_EQ(probe.state().reason, "it sent more than 50000 bytes");
}

TEST_F(StreamProbeTest, AResponseWithoutABodyHasAHead) {
  ProbeRequest missing = request();
  missing.target = "/nothing";
  missing.method = "OPTIONS";
  StreamProbe probe(std::move(missing));
  ASSERT_TRUE(probe.wait_for_head(kLong));
  EXPECT_EQ(probe.state().head->status, 404);
}

TEST(StreamProbe, SaysThatNothingListens) {
  StreamProbe probe({"http://127.0.0.1:1", "/"});
  EXPECT_FALSE(probe.wait_for_head(kLong));
  EXPECT_EQ(probe.state().reason, "cannot connect");
}

TEST(StreamProbe, RefusesWhatIsNoAddress) {
  EXPECT_THAT(error_of([] {
                StreamProbe({"gopher://host", "/"});
              }).what(),
              HasSubstr("'gopher://host' is not an address"));
}

}  // namespace
}  // namespace sse::api
