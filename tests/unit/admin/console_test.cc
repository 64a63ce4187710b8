#include "admin/console.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "unit/server/server_fixture.h"
#include "web/web.h"

namespace sse::admin {
namespace {

using namespace testing;
using ::testing::HasSubstr;

class ConsoleTest : public ServerTest {
 protected:
  void start_with_token() {
    const std::string file = folder_.file("token");
    std::ofstream(file) << "secret-of-the-operator\n";
    ::chmod(file.c_str(), 0600);
    options_.admin_token_file = file;
    start();
  }
  Response request(const std::string& method, const std::string& target, const std::string& headers,
                   const std::string& host = "localhost") const {
    Client client = Client::unix_socket(options_.admin.substr(5));
    client.send(method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n");
    return client.response();
  }
  Response fetch(const std::string& target, const std::string& headers = "",
                 const std::string& host = "localhost") const {
    return request("GET", target, headers, host);
  }
};

TEST_F(ConsoleTest, ServesItsFilesWithoutAToken) {
  start_with_token();
  for (const web::Asset& asset : web::console_assets()) {
    const Response response = fetch(std::string(asset.path));
    EXPECT_EQ(response.status, 200) << asset.path;
    EXPECT_TRUE(response.body == asset.bytes) << asset.path;
    EXPECT_EQ(response.header("Content-Type"), asset.content_type);
  }
  EXPECT_EQ(fetch("/api/v1/status").status, 401);
  EXPECT_EQ(fetch("/console/nothing.js").status, 401);
  EXPECT_EQ(fetch("/api/v1/status", "Authorization: Bearer secret-of-the-operator\r\n").status, 200);
  EXPECT_EQ(fetch("/console/../api/v1/status").status, 401);
  EXPECT_EQ(fetch("/console/%2e%2e/api/v1/status").status, 401);
}

TEST_F(ConsoleTest, LocksItsPageDown) {
  start();
  const Response page = fetch("/console/", "Accept-Encoding: br\r\n");
  EXPECT_EQ(page.header("Content-Encoding"), "br");
  const std::string policy = page.header("Content-Security-Policy");
  for (const char* part : {"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
                           "base-uri 'none'", "form-action 'none'"})
    EXPECT_THAT(policy, HasSubstr(part));
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(page.header("X-Frame-Options"), "DENY");
  EXPECT_EQ(page.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page.header("Cache-Control"), "no-store");
  EXPECT_EQ(page.header("Referrer-Policy"), "no-referrer");
  const Response status = fetch("/api/v1/status");
  EXPECT_EQ(status.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(status.header("Cache-Control"), "no-store");
}

TEST_F(ConsoleTest, LeadsToItsPage) {
  start();
  for (const char* path : {"/", "/console"}) {
    const Response response = fetch(path);
    EXPECT_EQ(response.status, 302) << path;
    EXPECT_EQ(response.header("Location"), "console/") << path;
  }
  EXPECT_EQ(request("POST", "/console/", "Content-Length: 0\r\n").status, 405);
  EXPECT_EQ(fetch("/console/nothing.js").status, 404);
}

TEST_F(ConsoleTest, RefusesPagesOfOtherOriginsEverywhere) {
  start();
  const Response foreign = fetch("/api/v1/status", "Origin: https://evil.example\r\n");
  EXPECT_EQ(foreign.status, 403);
  EXPECT_EQ(foreign.header("Content-Type"), "application/problem+json");
  EXPECT_THAT(foreign.body, HasSubstr("permission_denied"));
  EXPECT_THAT(foreign.body, HasSubstr("https://evil.example"));
  EXPECT_EQ(foreign.header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(fetch("/metrics", "Sec-Fetch-Site: cross-site\r\n").status, 403);
  EXPECT_EQ(fetch("/console/main.js", "Sec-Fetch-Site: cross-site\r\n").status, 403);
  // As a form or fetch() without CORS sends it; it must not reach the fast path either.
  const std::string body = R"({"target":{"all":true}})";
  const std::string framing = "Content-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  EXPECT_EQ(request("POST", "/api/v1/send", "Origin: null\r\n" + framing + "\r\n" + body).status, 403);
  EXPECT_EQ(fetch("/api/v1/status", "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n").status, 200);
  EXPECT_EQ(fetch("/console/", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n")
                .status,
            200)
      << "a link";
}

TEST_F(ConsoleTest, RefusesAForeignHostWhereNoTokenProtects) {
  start();
  for (const char* path : {"/api/v1/status", "/console/", "/healthz"}) {
    const Response response = fetch(path, "", "rebound.evil.example:8089");
    EXPECT_EQ(response.status, 403) << path;
    EXPECT_THAT(response.body, HasSubstr("--allowed-host"));
    for (const char* host : {"127.0.0.1:8089", "[::1]", "example.org", "unix", "/tmp/a.b/admin.sock"})
      EXPECT_EQ(fetch(path, "", host).status, 200) << path << ' ' << host;
  }
}

TEST_F(ConsoleTest, WithATokenAnyNameWillDo) {
  start_with_token();
  EXPECT_EQ(fetch("/console/", "", "admin.test.example").status, 200);
  EXPECT_EQ(fetch("/metrics", "Authorization: Bearer secret-of-the-operator\r\n", "web1.test.example:9090").status,
            200);
  EXPECT_EQ(fetch("/metrics", "", "web1.test.example:9090").status, 401);
  EXPECT_EQ(
      fetch("/metrics", "Authorization: Bearer secret-of-the-operator\r\nOrigin: https://evil.example\r\n").status,
      403);
}

}  // namespace
}  // namespace sse::admin
