#include "pages/cluster_pages.h"

#include <gtest/gtest.h>

#include <string>

#include "net/spool.h"
#include "pages/profile_row.h"
#include "support/files.h"

namespace sse::pages {
namespace {

std::string post(const std::string& target, const std::string& type, const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(ClusterPages, TakesTheApplicationsProfilesAsTheyAre) {
  using event::Json;
  using Profiles = cluster::NodeList<ProfileRow>;
  const auto list = [](std::uint64_t total, const std::vector<Json>& rows) {
    return Profiles::read(Json{{"total", total}, {"list", Json(rows)}});
  };
  const Json old_one{{"id", "1"}, {"age", 30}, {"roles", {"a"}}, {"last", "x"}, {"address", {{"zip", 1}}}};
  const Json new_one{{"id", "1"}, {"age", 31}, {"roles", {"b"}}, {"phone", 5}};
  const Json other{{"id", "2"}, {"age", 7}};
  Profiles merged = cluster::merge_lists(std::vector<Profiles>{list(2, {new_one, other}), list(1, {old_one})});
  cluster::sort_rows(merged.rows, "", false);
  EXPECT_EQ(merged.total, 2U);
  ASSERT_EQ(merged.rows.size(), 2u);
  const Json first = merged.rows[0].json();
  EXPECT_TRUE(first == old_one || first == new_one) << first.dump();
  EXPECT_EQ(merged.rows[1].json(), other);
  // Whichever node is asked.
  EXPECT_EQ(cluster::merge_lists(std::vector<Profiles>{list(1, {old_one}), list(1, {new_one})}).rows.at(0).json(),
            first);
  EXPECT_EQ(cluster::merge_lists(std::vector<Profiles>{list(1, {old_one}), list(1, {old_one})}).rows.at(0).json(),
            old_one);
}

TEST(ClusterPages, FindsTheConnectionWhereverAPageNamesIt) {
  EXPECT_EQ(find_connection_id(post("/p/connect/message/a.do?connectionId=847140540416", "application/json", "{}")),
            847140540416u);
  EXPECT_EQ(find_connection_id(post("/p", "application/json", R"({"connectionId":"847140540416"})")), 847140540416u);
  EXPECT_EQ(find_connection_id(post("/p", "application/json", R"({"connectionId":847140540416})")), 847140540416u);
  EXPECT_EQ(find_connection_id(post("/p", "text/plain;charset=UTF-8", R"({"connectionId":"847140540416"})")),
            847140540416u);
  EXPECT_EQ(find_connection_id(
                post("/p", "application/x-www-form-urlencoded", "reason=x&connectionId=847140540416&duration=3")),
            847140540416u);
  EXPECT_EQ(find_connection_id(post("/p", "multipart/form-data; boundary=b",
                                    "--b\r\nContent-Disposition: form-data; name=\"connectionId\"\r\n\r\n"
                                    "847140540416\r\n--b--\r\n")),
            847140540416u);
}

// A page's upload is never loaded for this; what is loadable is.
TEST(ClusterPages, FindsTheConnectionOfABodyInAFile) {
  const testing::TempFolder folder;
  net::Spool spool;
  const std::string body = R"({"padding":")" + std::string(100'000, 'x') + R"(","connectionId":"847140540416"})";
  spool.append(body, folder.file(""));
  net::RequestExtras extras;
  extras.file = spool.fd();
  extras.file_size = spool.size();
  const auto head = [&](const std::string& target) {
    return "POST " + target +
           " HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n";
  };
  EXPECT_EQ(find_connection_id(head("/p"), extras), 0u);
  EXPECT_EQ(find_connection_id(head("/p?connectionId=847140540417"), extras), 847140540417u);
  extras.loadable = true;
  EXPECT_EQ(find_connection_id(head("/p"), extras), 847140540416u);
}

TEST(ClusterPages, FindsTheConnectionInAFormOfEverySizeThatIsTaken) {
  for (const std::size_t size : {100UL, 4'096UL, 4'097UL, 8'192UL, 8'193UL}) {
    std::string body = "connectionId=847140540416&x=";
    body.append(size - body.size(), 'x');
    EXPECT_EQ(find_connection_id(post("/p", "application/x-www-form-urlencoded", body)),
              size <= 8192 ? 847140540416u : 0u)
        << size;
  }
}

TEST(ClusterPages, FindsNoneInNonsense) {
  for (const char* body : {"", "{", "[]", "{}", R"({"connectionId":"x"})", R"({"connectionId":-1})",
                           R"({"connectionId":{}})", R"({"connectionId":99999999999999999999})"}) {
    EXPECT_EQ(find_connection_id(post("/p", "application/json", body)), 0u) << body;
  }
  EXPECT_EQ(find_connection_id(post("/p", "multipart/form-data; boundary=b", "name=\"connectionId\"\r\n\r\n12")), 0u);
  EXPECT_EQ(find_connection_id(post("/p?connectionId=", "text/plain", "connectionId")), 0u);
  EXPECT_EQ(find_connection_id("nonsense"), 0u);
}

}  // namespace
}  // namespace sse::pages
