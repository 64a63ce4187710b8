#include "ssectl/bench/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "base/error.h"
#include "support/errors.h"

namespace sse::ctl::bench {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::function<void(Options&)>& change) {
  Options options;
  change(options);
  return testing::refusal_of([&] { check(options); });
}

TEST(Options, DefaultsMakeSense) {
  EXPECT_EQ(refusal([](Options&) {}), "");
}

TEST(Options, ThatMakeNoSenseAreRefusedByName) {
  EXPECT_THAT(refusal([](Options& o) { o.rate = -1; }), HasSubstr("--rate"));
  EXPECT_THAT(refusal([](Options& o) { o.rate = std::numeric_limits<double>::quiet_NaN(); }), HasSubstr("--rate"));
  EXPECT_THAT(refusal([](Options& o) { o.rate = std::numeric_limits<double>::infinity(); }), HasSubstr("--rate"));
  EXPECT_THAT(refusal([](Options& o) { o.size = 39; }), HasSubstr("--size"));
  EXPECT_THAT(refusal([](Options& o) { o.burst = 101; }), HasSubstr("--burst"));
  EXPECT_THAT(refusal([](Options& o) { o.senders = 101; }), HasSubstr("--senders"));
  EXPECT_THAT(refusal([](Options& o) { o.threads = 64, o.streams = 63; }), HasSubstr("--threads"));
  EXPECT_THAT(refusal([](Options& o) { o.drain = "soon"; }), HasSubstr("--drain"));
  EXPECT_THAT(refusal([](Options& o) { o.headers = {"X-User ann"}; }), HasSubstr("--header"));
  EXPECT_THAT(refusal([](Options& o) { o.headers = {"X-User: ann\r\nX-More: 1"}; }), HasSubstr("--header"));
}

TEST(Options, SendersOfBurstsNeedABurstEach) {
  EXPECT_EQ(refusal([](Options& o) { o.burst = 10, o.senders = 10; }), "");
  EXPECT_THAT(refusal([](Options& o) { o.burst = 10, o.senders = 11; }), HasSubstr("--senders"));
}

TEST(Options, SendersNeedStreamsOfTheirOwnWhenEachEventGoesToOne) {
  for (const char* to : {"each", "random"})
    EXPECT_THAT(refusal([&](Options& o) { o.to = to, o.streams = 3, o.senders = 4; }), HasSubstr("--senders"));
  EXPECT_EQ(refusal([](Options& o) { o.streams = 3, o.senders = 4; }), "");
}

TEST(Options, TooFewDescriptorsAreSaidWithTheLimitAndTheWayOut) {
  Options options;
  options.streams = 20'000;
  EXPECT_NO_THROW(require_descriptors(options, 20'100));
  try {
    require_descriptors(options, 20'000);
    FAIL() << "20,000 streams do not fit 20,000 descriptors";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("RLIMIT_NOFILE"));
    EXPECT_THAT(e.what(), HasSubstr("ulimit -n 20065"));
    EXPECT_THAT(e.what(), HasSubstr("--streams"));
  }
}

}  // namespace
}  // namespace sse::ctl::bench
