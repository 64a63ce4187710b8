#include "net/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "support/errors.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using ::testing::AllOf;
using testing::Client;
using ::testing::HasSubstr;
using testing::TempFolder;

Error error_of(const ListenAddress& address, const std::string& option) {
  return testing::error_of([&] { const Listener listener(address, option); });
}

ListenAddress unix_address(const std::string& path) {
  return ListenAddress::parse("unix:" + path);
}

TEST(ListenAddress, ReadsWhatItWrites) {
  for (const std::string text : {"127.0.0.1:8080", "[::1]:0", "localhost:65535", "0.0.0.0:1", "unix:/tmp/a.sock"}) {
    EXPECT_EQ(ListenAddress::parse(text).str(), text);
  }
}

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const std::string text :
       {"", "8080", ":8080", "host:", "host:x", "host:65536", "host:-1", "host:80x", "unix:"}) {
    EXPECT_THROW(ListenAddress::parse(text), Error) << text;
  }
  EXPECT_THROW(ListenAddress::parse("unix:/" + std::string(108, 'a')), Error);
}

TEST(ListenAddress, KnowsWhatOnlyThisMachineReaches) {
  for (const std::string text : {"127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "localhost:1", "unix:/a"}) {
    EXPECT_TRUE(ListenAddress::parse(text).is_loopback()) << text;
  }
  for (const std::string text : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "example.org:1", "127.example.org:1"}) {
    EXPECT_FALSE(ListenAddress::parse(text).is_loopback()) << text;
  }
}

TEST(Listener, NamesThePortTheSystemPicked) {
  const Listener listener(ListenAddress::parse("127.0.0.1:0"), "--listen");
  EXPECT_GT(listener.address().port, 0);
  Client::tcp(listener.address().port);
}

TEST(Listener, SaysThatAPortIsInUseAndWhichOptionToChange) {
  const Listener first(ListenAddress::parse("127.0.0.1:0"), "--listen");
  const Error error = error_of(first.address(), "--listen");
  EXPECT_EQ(error.code(), ErrorCode::kConflict);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(first.address().str()), HasSubstr("--listen")));
}

TEST(Listener, TakesAPortWithConnectionsOfAFormerServerOnIt) {
  auto first = std::make_unique<Listener>(ListenAddress::parse("127.0.0.1:0"), "--listen");
  const ListenAddress address = first->address();
  Client client = Client::tcp(address.port);
  // The server's side closes first and keeps the port in TIME_WAIT.
  UniqueFd(::accept(first->fd(), nullptr, nullptr)).reset();
  EXPECT_TRUE(client.receive_all());
  client.close();
  first.reset();
  const Listener second(address, "--listen");
  EXPECT_EQ(second.address().port, address.port);
}

TEST(Listener, NamesAHostThatCannotBeResolved) {
  const Error error = error_of(ListenAddress::parse("256.256.256.256:80"), "--listen");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("256.256.256.256"), HasSubstr("--listen")));
}

TEST(Listener, NamesAnAddressThatIsNotThisMachines) {
  const Error error = error_of(ListenAddress::parse("192.0.2.1:8080"), "--listen");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("192.0.2.1:8080"), HasSubstr("--listen")));
}

TEST(Listener, GivesTheUnixSocketToItsOwnerOnly) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  const Listener listener(unix_address(path), "--admin");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  Client::unix_socket(path);
}

TEST(Listener, RemovesItsUnixSocketWhenItGoes) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  { const Listener listener(unix_address(path), "--admin"); }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".lock"));
}

TEST(Listener, ReplacesTheSocketOfADeadServer) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  {
    // Bound and closed without a word, as kill -9 leaves it.
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    std::ofstream(path + ".lock").put('x');
  }
  const Listener listener(unix_address(path), "--admin");
  Client::unix_socket(path);
}

TEST(Listener, RefusesTheSocketOfALiveServerAndLeavesItAlone) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  const Listener first(unix_address(path), "--admin");
  const Error error = error_of(unix_address(path), "--admin");
  EXPECT_EQ(error.code(), ErrorCode::kConflict);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(path), HasSubstr("--admin")));
  Client::unix_socket(path);
}

// The one that goes deletes its lock file while another has just opened it: what that locks then has no name any more.
TEST(Listener, IsTheOnlyOneAtItsPathHoweverOthersComeAndGo) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  std::atomic<int> listening{0};
  std::atomic<int> listened{0};
  std::vector<std::thread> servers;
  for (int t = 0; t < 4; ++t) {
    servers.emplace_back([&] {
      for (int i = 0; i < 1500; ++i) {
        try {
          const Listener listener(unix_address(path), "--admin");
          EXPECT_EQ(listening.fetch_add(1), 0);
          ++listened;
          std::this_thread::yield();
          EXPECT_TRUE(std::filesystem::exists(path));
          --listening;
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), ErrorCode::kConflict) << e.what();
        }
      }
    });
  }
  for (std::thread& server : servers) server.join();
  EXPECT_GT(listened, 0);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".lock"));
}

TEST(Listener, RefusesAPathWhereAFileIsAndLeavesItAlone) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  std::ofstream(path) << "precious";
  const Error error = error_of(unix_address(path), "--admin");
  EXPECT_EQ(error.code(), ErrorCode::kConflict);
  EXPECT_THAT(error.what(), AllOf(HasSubstr(path), HasSubstr("--admin")));
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "precious");
}

TEST(Listener, RefusesAPathInNoFolder) {
  const TempFolder folder;
  const Error error = error_of(unix_address(folder.file("none") + "/admin.sock"), "--admin");
  EXPECT_THAT(error.what(), AllOf(HasSubstr("none/admin.sock"), HasSubstr("--admin")));
}

}  // namespace
}  // namespace sse::net
