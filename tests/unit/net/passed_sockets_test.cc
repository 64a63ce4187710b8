#include "net/passed_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "support/errors.h"
#include "unit/net/loopback.h"

namespace sse::net {
namespace {

using testing::Client;
using ::testing::HasSubstr;
using testing::TempFolder;

// As a service manager passes it: a copy, at the first descriptor that is free.
int passed_copy(const Listener& listener) {
  return ::dup(listener.fd());
}

TEST(PassedSockets, AreNamedAndKnowTheirAddresses) {
  const TempFolder folder;
  const std::string path = folder.file("admin.sock");
  const Listener tcp(ListenAddress::parse("127.0.0.1:0"), "--listen");
  const Listener admin(ListenAddress::parse("unix:" + path), "--admin");
  const int first = passed_copy(tcp);
  ASSERT_EQ(passed_copy(admin), first + 1);
  const std::vector<PassedSocket> sockets = passed_sockets("2", "7", "web:admin", 7, first);
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0].name, "web");
  EXPECT_EQ(sockets[0].address.str(), tcp.address().str());
  EXPECT_EQ(sockets[1].name, "admin");
  EXPECT_EQ(sockets[1].address.str(), "unix:" + path);
  EXPECT_EQ(passed_sockets("2", "7", "web", 7, first)[1].name, "");
  EXPECT_EQ(passed_sockets("2", "7", "", 7, first)[0].name, "");
  for (const PassedSocket& socket : sockets) ::close(socket.fd);
}

TEST(PassedSockets, AreNoneOfAnotherProcess) {
  EXPECT_TRUE(passed_sockets("1", "8", "", 7).empty());
  EXPECT_TRUE(passed_sockets("1", "", "", 7).empty());
  EXPECT_TRUE(passed_sockets("", "", "", 7).empty());
  EXPECT_TRUE(passed_sockets("0", "7", "", 7).empty());
}

TEST(PassedSockets, RefusesWhatDoesNotListen) {
  const UniqueFd datagram(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UniqueFd unbound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd file(::dup(0));
  for (const int fd : {datagram.get(), unbound.get(), file.get(), 900}) {
    const Error error = sse::testing::error_of([&] { passed_sockets("1", "7", "", 7, fd); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("descriptor " + std::to_string(fd)));
  }
  for (const std::string count : {"x", "-1", "65", "1x"}) EXPECT_THROW(passed_sockets(count, "7", "", 7), Error);
}

TEST(Listener, LeavesASocketOfTheServiceManagerOpenForTheNextServer) {
  const TempFolder folder;
  const std::string path = folder.file("web.sock");
  const Listener manager(ListenAddress::parse("unix:" + path), "--listen");
  { const Listener first{UniqueFd(passed_copy(manager))}; }
  Client client = Client::unix_socket(path);
  const Listener second{UniqueFd(passed_copy(manager))};
  EXPECT_EQ(second.address().str(), "unix:" + path);
  EXPECT_TRUE(UniqueFd(::accept(second.fd(), nullptr, nullptr)).valid());
}

TEST(Listener, GivesItsFileTheModeAndTheGroup) {
  const TempFolder folder;
  const std::string path = folder.file("web.sock");
  const Listener listener(ListenAddress::parse("unix:" + path), "--listen", {0660, "", ""});
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660U);
}

TEST(Listener, NamesAGroupThatDoesNotExist) {
  const TempFolder folder;
  const Error error = sse::testing::error_of([&] {
    const Listener listener(ListenAddress::parse("unix:" + folder.file("a.sock")), "--admin",
                            {0660, "no-such-group", "--admin-socket-group"});
  });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.what(), HasSubstr("no-such-group"));
  EXPECT_THAT(error.what(), HasSubstr("--admin-socket-group"));
}

}  // namespace
}  // namespace sse::net
