// Ways to Redis other than a TCP connection in clear.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "cluster/redis/redis_link.h"
#include "support/redis.h"
#include "unit/net/tls_peer.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using sse::testing::eventually;
using sse::testing::RedisProcess;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kTimeout = sse::testing::kTimeout;

class RedisLinkOverTls : public ::testing::Test {
 protected:
  RedisLinkOptions options() const {
    RedisLinkOptions options;
    options.address = parse_redis_address("rediss://127.0.0.1:" + std::to_string(redis_.other_port()) + "/1");
    options.backoff_most = 100ms;
    options.tls.ca_file = options.tls.certificate_file = certificate_.file;
    options.tls.key_file = certificate_.key;
    return options;
  }
  static std::string why_not(const RedisLinkOptions& options) {
    RedisLink link(options, RedisLink::Mode::kCommands, nullptr);
    link.start();
    eventually([&] { return link.up() || link.why_down() != "no connection has been tried yet"; });
    return link.why_down();
  }

  const sse::testing::TempFolder folder_;
  const sse::testing::Certificate certificate_{folder_, "redis"};
  RedisProcess redis_{{"--tls-port", "@port", "--tls-cert-file", certificate_.file, "--tls-key-file", certificate_.key,
                       "--tls-ca-cert-file", certificate_.file}};
};

TEST_F(RedisLinkOverTls, AnswersInOrderToManyThreadsAtOnce) {
  RedisLink link(options(), RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  const std::string large(1'000'000, 'x');
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i) + (i % 10 == 0 ? large : "");
        if (link.execute({"ECHO", text}).text == text) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 4 * 50);
}

TEST_F(RedisLinkOverTls, SaysWhyTheServerOrThisProgramIsNotTrusted) {
  EXPECT_EQ(why_not(options()), "");
  RedisLinkOptions wrong = options();
  wrong.tls.server_name = "elsewhere";
  EXPECT_THAT(why_not(wrong), AllOf(HasSubstr("TLS"), HasSubstr("ostname mismatch")));
  wrong = options();
  wrong.tls.certificate_file = wrong.tls.key_file = "";
  EXPECT_THAT(why_not(wrong), AllOf(HasSubstr("TLS"), HasSubstr("--cluster-cert")));
  wrong = options();
  wrong.tls.ca_file = folder_.file("none");
  EXPECT_THAT(why_not(wrong), HasSubstr("--cluster-ca"));
  wrong = options();
  wrong.address.port = static_cast<std::uint16_t>(redis_.port());
  EXPECT_THAT(why_not(wrong), HasSubstr("TLS"));
}

TEST(RedisLinkOverASocketFile, Answers) {
  const sse::testing::TempFolder folder;
  RedisProcess redis({"--unixsocket", folder.file("redis.sock")});
  RedisLinkOptions options;
  options.address = parse_redis_address("unix://" + folder.file("redis.sock") + "?db=1");
  RedisLink link(options, RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(kTimeout);
  EXPECT_EQ(link.execute({"ECHO", "here"}).text, "here");
}

}  // namespace
}  // namespace sse::cluster
