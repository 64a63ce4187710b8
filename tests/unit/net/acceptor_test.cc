#include "net/acceptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "observe/log.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using ::testing::AllOf;
using testing::Client;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// An owner that keeps what it gets.
class AcceptorTest : public ::testing::Test, public Acceptor::Owner {
 protected:
  // Before any destructor runs: the loop calls this object as the owner of what it accepts.
  void TearDown() override { loop_.stop(); }

  void start() {
    options_.name = "test";
    metrics_.emplace(registry_, options_);
    limits_.emplace(options_, *metrics_, [] { return std::size_t{0}; });
    acceptor_.emplace(loop_, listener_, options_, *limits_, *metrics_, *this);
    acceptor_->start();
    loop_.start();
  }
  void accepted(AcceptedConnection connection) override {
    loop_.assert_in_loop_thread();
    limits_->opened(connection.place);
    const MutexLock lock(mutex_);
    accepted_.push_back(std::move(connection));
  }
  std::size_t accepted_count() {
    const MutexLock lock(mutex_);
    return accepted_.size();
  }
  Client client() { return Client::tcp(listener_.address().port); }
  bool eventually(const std::function<bool()>& condition) {
    return clock_.advance_until(std::chrono::milliseconds(1), condition, testing::kSocketTimeout);
  }

  FrontOptions options_;
  observe::Registry registry_;
  std::optional<FrontMetrics> metrics_;
  std::optional<ConnectionLimits> limits_;
  Mutex mutex_;
  std::vector<AcceptedConnection> accepted_ GUARDED_BY(mutex_);
  Listener listener_{ListenAddress::parse("127.0.0.1:0"), "--listen"};
  ManualClock clock_;
  EventLoop loop_{"test-acceptor", clock_};
  std::optional<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, TellsWhereAConnectionComesFrom) {
  start();
  const Client c = client();
  ASSERT_TRUE(eventually([&] { return accepted_count() == 1; }));
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(::getsockname(c.fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  const MutexLock lock(mutex_);
  EXPECT_EQ(accepted_[0].peer.address, "127.0.0.1");
  EXPECT_EQ(accepted_[0].peer.port, ntohs(own.sin_port));
  EXPECT_EQ(accepted_[0].place.refusal, nullptr);
  EXPECT_NE(::fcntl(accepted_[0].socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(metrics_->accepted.value(), 1U);
}

TEST_F(AcceptorTest, LeavesTheReasonOfARefusalToTheOwner) {
  options_.max_connections = 1;
  start();
  const Client first = client();
  const Client second = client();
  ASSERT_TRUE(eventually([&] { return accepted_count() == 2; }));
  const MutexLock lock(mutex_);
  EXPECT_EQ(accepted_[0].place.refusal, nullptr);
  ASSERT_NE(accepted_[1].place.refusal, nullptr);
  EXPECT_EQ(accepted_[1].place.refusal->status, 503);
}

TEST_F(AcceptorTest, RefusesAtOnceWhenTooManyRefusedConnectionsAreOpen) {
  options_.max_connections = 1;
  start();
  std::vector<Client> clients;
  for (std::size_t i = 0; i < 1 + ConnectionLimits::kMaxRefusedOpen; ++i) clients.push_back(client());
  ASSERT_TRUE(eventually([&] { return accepted_count() == clients.size(); }));
  Client late = client();
  late.receive_all();
  EXPECT_THAT(late.received(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("--max-connections")));
  EXPECT_EQ(accepted_count(), clients.size());
}

TEST_F(AcceptorTest, RefusesWhenDescriptorsRunOutAndAcceptsAgainLater) {
  start();
  Client before = client();
  ASSERT_TRUE(eventually([&] { return accepted_count() == 1; }));
  const UniqueFd reserved(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  // UndefinedBehaviorSanitizer needs a descriptor to see a type for the first time: the log's first.
  observe::log_warn("the descriptors will run out");
  // Every descriptor below the limit is in use, apart from the acceptor's spare one.
  std::vector<UniqueFd> filler;
  filler.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  rlimit tight = old;
  tight.rlim_cur = static_cast<rlim_t>(filler.back().get()) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(listener_.address().port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connected = ::connect(reserved.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  const bool refused = eventually([&] { return metrics_->refused_descriptors.value() == 1; });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  ASSERT_EQ(connected, 0);
  EXPECT_TRUE(refused);
  std::string text(1000, '\0');
  const ssize_t n = ::recv(reserved.get(), text.data(), text.size(), 0);
  EXPECT_THAT(text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(n, 0))),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("out of descriptors")));
  // A client that comes while the acceptor still refuses those that wait is refused, too.
  std::atomic<bool> done_refusing = false;
  loop_.post([&] { done_refusing = true; });
  ASSERT_TRUE(eventually([&] { return done_refusing.load(); }));
  const Client after = client();
  EXPECT_TRUE(eventually([&] { return accepted_count() == 2; }));
}

TEST_F(AcceptorTest, StopsByClosingTheListener) {
  start();
  loop_.post([this] { acceptor_->stop(); });
  loop_.stop();
  EXPECT_THROW(client(), std::exception);
}

}  // namespace
}  // namespace sse::net
