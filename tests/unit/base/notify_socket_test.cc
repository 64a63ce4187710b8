#include "base/notify_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "support/errors.h"
#include "support/files.h"

namespace sse {
namespace {

using ::testing::HasSubstr;

// A service manager: what it was told, one datagram at a time.
class Manager {
 public:
  explicit Manager(const std::string& address) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.data(), address.size());
    const bool abstract = address.front() == '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (abstract ? 0 : 1));
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&name), size), 0);
  }
  std::string receive() {
    std::array<char, 1024> text{};
    const ssize_t n = ::recv(fd_.get(), text.data(), text.size(), MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  UniqueFd fd_;
};

TEST(NotifySocket, SendsOneDatagramToAPath) {
  const testing::TempFolder folder;
  const std::string path = folder.file("notify");
  Manager manager(path);
  const NotifySocket socket(path);
  EXPECT_TRUE(socket.open());
  socket.send("READY=1\nSTATUS=Serving");
  EXPECT_EQ(manager.receive(), "READY=1\nSTATUS=Serving");
}

TEST(NotifySocket, SendsToAnAbstractName) {
  const std::string name = "sse-notify-test-" + std::to_string(::getpid());
  Manager manager('\0' + name);
  NotifySocket('@' + name).send("WATCHDOG=1");
  EXPECT_EQ(manager.receive(), "WATCHDOG=1");
}

TEST(NotifySocket, DoesNothingWithoutAServiceManager) {
  const NotifySocket socket("");
  EXPECT_FALSE(socket.open());
  socket.send("READY=1");
}

TEST(NotifySocket, SaysThatNoProcessListens) {
  const testing::TempFolder folder;
  const Error error = testing::error_of([&] { NotifySocket(folder.file("none")).send("READY=1"); });
  EXPECT_THAT(error.what(), HasSubstr("NOTIFY_SOCKET"));
}

TEST(NotifySocket, RefusesOtherAddresses) {
  for (const std::string& address :
       {std::string("relative"), std::string("/"), std::string("vsock:2:1234"), '/' + std::string(200, 'a')}) {
    EXPECT_EQ(testing::error_of([&] { const NotifySocket socket(address); }).code(), ErrorCode::kInvalidArgument)
        << address;
  }
}

TEST(WatchdogInterval, IsForTheProcessThatTheManagerNames) {
  EXPECT_EQ(watchdog_interval("30000000", "42", 42), std::chrono::seconds(30));
  EXPECT_EQ(watchdog_interval("30000000", "", 42), std::chrono::seconds(30));
  EXPECT_EQ(watchdog_interval("30000000", "41", 42), std::nullopt);
  EXPECT_EQ(watchdog_interval("", "", 42), std::nullopt);
}

TEST(WatchdogInterval, RefusesWhatIsNoTime) {
  for (const std::string text : {"0", "-1", "soon", "1s", "99999999999999999999999"})
    EXPECT_THROW(watchdog_interval(text, "", 42), Error) << text;
}

}  // namespace
}  // namespace sse
