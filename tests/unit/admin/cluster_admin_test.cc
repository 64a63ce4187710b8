#include "admin/cluster_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "admin/split_request.h"
#include "api/types.h"
#include "base/fd.h"
#include "event/json.h"
#include "unit/server/server_fixture.h"

namespace sse::admin {
namespace {

using namespace testing;

using cluster::RawRequest;

constexpr std::size_t kAtMost = std::size_t{160} * 1024;

RawRequest request_of(const std::string& path, const Json& body) {
  RawRequest request;
  request.method = "POST";
  request.path = path;
  request.body = event::dump_json(body);
  return request;
}

TEST(ClusterAdminPieces, LeavesASmallRequestAsItIs) {
  RawRequest request = request_of("/api/v1/connections/close", {{"ids", {"7"}}});
  request.body += "   ";
  const auto pieces = split_request(request);
  ASSERT_EQ(pieces.size(), 1u);
  EXPECT_EQ(pieces[0].body, request.body);
}

TEST(ClusterAdminPieces, SplitsManyIdsAndNamesEachOnce) {
  Json ids = Json::array();
  std::set<std::string> expected;
  for (std::uint64_t i = 1; i <= 30'000; ++i) {
    ids.push_back(std::to_string(i * 1'000'000'007));
    expected.insert(std::to_string(i * 1'000'000'007));
  }
  std::set<std::string> found;
  const auto pieces = split_request(request_of("/api/v1/connections/close", {{"service", "s"}, {"ids", ids}}));
  EXPECT_GT(pieces.size(), 3u);
  for (const RawRequest& piece : pieces) {
    EXPECT_LE(piece.body.size(), kAtMost);
    const api::CloseRequest part = api::close_request_from_json(event::parse_json(piece.body, "a piece"));
    EXPECT_EQ(part.service.str(), "s");
    for (const ConnectionId id : part.ids) EXPECT_TRUE(found.insert(id.str()).second);
  }
  EXPECT_EQ(found, expected);

  Json names = Json::array();
  for (int i = 0; i < 10'000; ++i) names.push_back("user " + std::to_string(i) + std::string(50, 'x'));
  std::set<std::string> users;
  for (const RawRequest& piece :
       split_request(request_of("/api/v1/connections/close", {{"target", {{"users", names}, {"tenant", "acme"}}}}))) {
    EXPECT_LE(piece.body.size(), kAtMost);
    const Json body = event::parse_json(piece.body, "a piece");
    EXPECT_EQ(body["target"]["tenant"], "acme");
    for (const Json& name : body["target"]["users"]) EXPECT_TRUE(users.insert(name.get<std::string>()).second);
  }
  EXPECT_EQ(users.size(), 10'000u);
}

TEST(ClusterAdminPieces, KeepsWhatIsToBeSet) {
  Json ids = Json::array();
  for (std::uint64_t i = 1; i <= 20'000; ++i) ids.push_back(std::to_string(i));
  const auto pieces = split_request(request_of("/api/v1/durations", {{"ids", ids}, {"duration", 77}}));
  EXPECT_GT(pieces.size(), 1u);
  for (const RawRequest& piece : pieces)
    EXPECT_EQ(api::duration_request_from_json(event::parse_json(piece.body, "a piece"), true).seconds, 77);
}

TEST(ClusterAdminPieces, RefusesWhatIsNoSuchRequest) {
  RawRequest request = request_of("/api/v1/connections/close", {{"ids", "x"}});
  request.body += std::string(200'000, ' ');
  EXPECT_THROW(split_request(request), Error);
}

class NamesBodyTest : public ServerTest {
 protected:
  // What the head alone is answered with.
  std::string answer_to(const std::string& head) const {
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options_.admin.copy(address.sun_path, sizeof address.sun_path - 1, 5);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return "";
    if (::send(socket.get(), head.data(), head.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(head.size())) return "";
    std::string answer(4096, '\0');
    const ssize_t n = ::recv(socket.get(), answer.data(), answer.size(), 0);
    answer.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    return answer;
  }
};

TEST_F(NamesBodyTest, RequestsThatNameManyAreBoundedInBytes) {
  start();
  for (const std::string path : {"/api/v1/connections/close", "/api/v1/durations/clear", "/api/v1/durations?x=1"}) {
    EXPECT_THAT(answer_to("POST " + path +
                          " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          "Content-Length: 5000000\r\n\r\n"),
                ::testing::StartsWith("HTTP/1.1 413"))
        << path;
  }
  EXPECT_EQ(admin_post("/api/v1/connections/close", {{"ids", {"7"}}})["closed"], 0);
}

}  // namespace
}  // namespace sse::admin
