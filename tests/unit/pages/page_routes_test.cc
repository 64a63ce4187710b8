#include "pages/page_routes.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/version.h"
#include "unit/server/server_fixture.h"
#include "web/web.h"

namespace sse::pages {
namespace {

using namespace testing;

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kUnknown =
    R"({"success":true,"code":200,"data":{"error":"connectionId not exist"},"message":null,"errorMessage":null})";

std::string not_found() {
  return R"({"success":false,"code":404,"data":null,"message":null,"errorMessage":"connectionId not exist"})";
}

class PageRoutesTest : public ServerTest {};

TEST_F(PageRoutesTest, ServesTheClientModule) {
  start();
  for (const std::string target :
       {"/my-sse", "/my-sse/sse.js", "/my-sse?access-token=1", "/my-sse?script-type=module"}) {
    const Response got = get(target);
    EXPECT_EQ(got.status, 200) << target;
    EXPECT_EQ(got.header("Content-Type"), "application/javascript;charset=utf-8");
    EXPECT_EQ(got.header("X-Sse-Server-Id"), "node-1");
    EXPECT_EQ(got.header("X-Sse-Version"), base::kVersion);
    EXPECT_THAT(got.body, HasSubstr("export default"));
  }
  const Response classic = get("/my-sse?script-type=text/javascript");
  EXPECT_EQ(classic.status, 200);
  EXPECT_THAT(classic.body, AllOf(HasSubstr("class Sse"), Not(HasSubstr("export default"))));
}

TEST_F(PageRoutesTest, ServesTheDemoPageUnlessSwitchedOff) {
  start();
  const Response page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.header("Content-Type"), StartsWith("text/html"));
  server_.reset();
  options_.page = false;
  start();
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/my-sse").status, 200);
}

TEST_F(PageRoutesTest, PagesPublishOnlyWhereAPageMayBeAnyUser) {
  start();
  OpenStream page = stream("userId=1");
  OpenStream other = stream("userId=2");
  const std::string path = "/my-sse/connect/message/publish.do?userId=1&connectionId=" + page.id;
  const Response sent = post(path, R"({"send":{"target":{"users":["2"]},"event":"note","data":"hi","qos":true}})");
  EXPECT_EQ(sent.status, 200) << sent.body;
  EXPECT_THAT(sent.body, HasSubstr(R"("delivered":1)"));
  EXPECT_TRUE(other.client.receive_until("data:hi"));
  for (const std::string body :
       {R"({"send":{"target":{}}})", R"({"send":7})", R"({})", R"({"send":{"target":{"all":1}}})"})
    EXPECT_EQ(post(path, body).status, 400) << body;

  server_.reset();
  options_.trusted_proxies = {"127.0.0.0/8"};
  start(auth::make_header_authenticator());
  const std::string user = "X-Sse-User: 1\r\n";
  const OpenStream own = stream("", user);
  const Response refused =
      client().post("/my-sse/connect/message/publish.do?connectionId=" + own.id,
                    R"({"send":{"target":{"all":true},"data":"x"}})", user + "Content-Type: application/json\r\n");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("--auth demo"));
}

TEST_F(PageRoutesTest, ServesAFolderInsteadOfTheDemoPage) {
  options_.web_root = folder_.file("web");
  std::filesystem::create_directory(options_.web_root);
  std::ofstream(options_.web_root + "/index.html") << "<p>mine";
  std::ofstream(folder_.file("secret.txt")) << "not for you";
  start();
  EXPECT_EQ(get("/").body, "<p>mine");
  EXPECT_EQ(get("/index.html").body, "<p>mine");
  EXPECT_EQ(get("/my-sse").status, 200);
  for (const std::string target : {"/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"})
    EXPECT_EQ(get(target).status, 404) << target;
}

TEST_F(PageRoutesTest, SendsTheClientOnceAndCompressed) {
  start();
  Client c = client();
  const Response plain = c.get("/my-sse/sse.js");
  const std::string tag = plain.header("ETag");
  EXPECT_THAT(tag, AllOf(StartsWith("\""), EndsWith("\"")));
  EXPECT_EQ(plain.header("Vary"), "Accept-Encoding, Origin");
  EXPECT_EQ(plain.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(c.get("/my-sse/sse.js", "If-None-Match: " + tag + "\r\n").status, 304);
  EXPECT_EQ(c.get("/my-sse", "If-None-Match: " + c.get("/my-sse").header("ETag") + "\r\n").status, 304);
  EXPECT_EQ(c.get("/my-sse?script-type=", "If-None-Match: " + tag + "\r\n").status, 200) << "another script";
  const Response gzip = c.get("/my-sse/sse.js", "Accept-Encoding: gzip, deflate\r\n");
  EXPECT_EQ(gzip.header("Content-Encoding"), "gzip");
  EXPECT_THAT(gzip.body, StartsWith("\x1f\x8b"));
  EXPECT_NE(gzip.header("ETag"), tag);
  const Response brotli = c.get("/my-sse/sse.js", "Accept-Encoding: gzip, deflate, br\r\n");
  EXPECT_EQ(brotli.header("Content-Encoding"), "br");
  EXPECT_LT(brotli.body.size() * 3, plain.body.size());
  EXPECT_EQ(c.get("/my-sse/sse.js", "Accept-Encoding: br\r\nIf-None-Match: " + brotli.header("ETag") + "\r\n").status,
            304);
  EXPECT_EQ(c.get("/my-sse/sse.js", "Accept-Encoding: br\r\nIf-None-Match: " + tag + "\r\n").status, 200);
  const Response refused = c.post("/my-sse/sse.js", "");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Allow"), "GET, HEAD");
}

TEST_F(PageRoutesTest, ServesTheFilesOfTheClientAlsoAtAPathForEver) {
  start();
  for (const web::ClientFile& file : web::client_files()) {
    const std::string name(file.name);
    const Response latest = get("/my-sse/" + name);
    EXPECT_EQ(latest.status, 200) << name;
    EXPECT_EQ(latest.header("Cache-Control"), "no-cache");
    EXPECT_EQ(latest.header("Content-Type"), file.content_type);
    const std::string location = latest.header("Content-Location");
    EXPECT_EQ(location, web::client_release() + "/" + name);
    const Response released = get("/my-sse/" + location, "Accept-Encoding: br\r\n");
    EXPECT_EQ(released.status, 200);
    EXPECT_EQ(released.header("Cache-Control"), "public, max-age=31536000, immutable");
    EXPECT_EQ(released.header("Content-Encoding"), "br");
    EXPECT_EQ(get("/my-sse/" + location).body, latest.body);
    EXPECT_EQ(get("/my-sse/" + location, "If-None-Match: " + latest.header("ETag") + "\r\n").status, 304);
    const Response other = get("/my-sse/0.0.9-01234567/" + name);
    EXPECT_EQ(other.body, latest.body) << "a node of another release may have served the module";
    EXPECT_EQ(other.header("Cache-Control"), "no-cache");
    EXPECT_EQ(client().post("/my-sse/" + location, "").status, 405);
  }
  EXPECT_THAT(get("/my-sse/" + web::client_release() + "/sse.js?script-type=text/javascript").body,
              HasSubstr("globalThis.Sse = Sse;"));
  EXPECT_EQ(get("/my-sse").header("Content-Location"), "") << "its parts are elsewhere";
  for (const std::string path :
       {"/my-sse/0.0.9-01234567/", "/my-sse/0.0.9-01234567", "/my-sse/0.0.9-01234567/index.html",
        "/my-sse/latest/sse.js", "/my-sse/1/2/sse.js", "/0/sse.js", "/my-sse//sse.js", "/1/demo.js"})
    EXPECT_EQ(get(path).status, 404) << path;
  EXPECT_EQ(get("/my-sse/sse.js/?script-type=text").header("Location"), "../sse.js?script-type=text");
}

TEST_F(PageRoutesTest, RefusesControlCharactersInAPath) {
  options_.web_root = folder_.file("web");
  std::filesystem::create_directory(options_.web_root);
  std::ofstream(options_.web_root + "/data") << "<script>";
  start();
  for (const std::string target : {"/data%00.html", "/%0d%0a", "/x%7f", "/my-sse/connect%00", "/%zz"}) {
    const Response got = get(target);
    EXPECT_EQ(got.status, 400) << target;
    EXPECT_THAT(got.header("Content-Type"), StartsWith("text/plain"));
  }
  EXPECT_EQ(post("/my-sse/connect/message/a%00b.do", "{}").status, 400);
}

TEST_F(PageRoutesTest, ServesFilesAsFilesAreServed) {
  options_.web_root = folder_.file("web");
  options_.cors_origins = {"https://a.example"};
  std::filesystem::create_directories(options_.web_root + "/docs");
  std::ofstream(options_.web_root + "/data") << "0123456789";
  std::ofstream(options_.web_root + "/docs/index.html") << "<p>docs";
  std::ofstream(options_.web_root + "/.env") << "secret";
  start();
  Client c = client();
  const Response whole = c.get("/data", "Origin: https://a.example\r\n");
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(whole.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(whole.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(whole.header("X-Sse-Server-Id"), "node-1");
  EXPECT_EQ(whole.header("Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_NE(whole.header("Last-Modified"), "");
  EXPECT_NE(whole.header("Date"), "");
  EXPECT_EQ(c.get("/data", "If-None-Match: " + whole.header("ETag") + "\r\n").status, 304);
  EXPECT_EQ(c.get("/data", "If-Modified-Since: " + whole.header("Last-Modified") + "\r\n").status, 304);
  EXPECT_EQ(c.get("/data", "Range: bytes=3-5\r\n").body, "345");
  EXPECT_EQ(c.get("/.env").status, 404);
  const Response folder = c.get("/docs?a=b");
  EXPECT_EQ(folder.status, 301);
  EXPECT_EQ(folder.header("Location"), "/docs/?a=b");
  EXPECT_EQ(c.get("/docs/").body, "<p>docs");
  const Response refused = c.post("/data", "x");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Allow"), "GET, HEAD");
  EXPECT_EQ(c.post("/missing", "x").status, 404);
}

TEST_F(PageRoutesTest, OpensAStream) {
  start();
  const OpenStream page = stream();
  EXPECT_THAT(page.head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page.head, HasSubstr("Content-Type: text/event-stream;charset=UTF-8\r\n"));
  EXPECT_THAT(page.head, HasSubstr("Cache-Control: no-cache, no-transform\r\n"));
  EXPECT_THAT(page.head, HasSubstr("X-Accel-Buffering: no\r\n"));
  EXPECT_THAT(page.head, HasSubstr("X-Sse-Server-Id: node-1\r\n"));
  EXPECT_THAT(page.head, HasSubstr("X-Sse-Version: "));
  EXPECT_THAT(page.client.received(),
              HasSubstr("\r\n\r\nid:" + page.id + "\nretry:5000\nevent:connect-finish\ndata:{\"connectionId\":\"" +
                        page.id + "\",\"serverTime\":"));
}

TEST_F(PageRoutesTest, KeepsEveryParameterOfAStream) {
  start();
  OpenStream page{client(), "", ""};
  const std::string body = R"({"extra":"from the body","n":5,"channel":"c"})";
  page.client.send(
      "POST /my-sse/connect?userId=7&name=N&tenantId=t&access-token=abcdefghijkl&listeners=a,%20b,a&"
      "clientId=me&keepaliveTime=60000&screen=1x2&accessTime=17 HTTP/1.1\r\nHost: example.org\r\n"
      "User-Agent: me/1\r\nCookie: sid=secret\r\nContent-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  finish_opening(page);
  const Json shown = admin_get("/api/v1/connections/" + page.id);
  EXPECT_EQ(shown["accessUserId"], "7");
  EXPECT_EQ(shown["accessTenantId"], "t");
  EXPECT_EQ(shown["accessUser"]["name"], "N");
  EXPECT_EQ(shown["channel"], "c");
  EXPECT_EQ(shown["listeners"], (Json{"a", "b"}));
  EXPECT_EQ(shown["clientId"], "me");
  EXPECT_EQ(shown["timeout"], 60000);
  EXPECT_EQ(shown["screen"], "1x2");
  EXPECT_EQ(shown["accessTime"], 17);
  EXPECT_EQ(shown["httpParameters"]["extra"], "from the body");
  EXPECT_EQ(shown["httpParameters"]["n"], "5");
  EXPECT_EQ(shown["requestDomain"], "example.org");
  EXPECT_EQ(shown["userAgent"], "me/1");
  EXPECT_EQ(shown["requestIp"], "127.0.0.1");
  EXPECT_EQ(shown["serverId"], "node-1");
  EXPECT_THAT(shown.dump(), AllOf(Not(HasSubstr("abcdefghijkl")), Not(HasSubstr("secret"))));
  EXPECT_EQ(shown["accessToken"], "abcd***");
}

TEST_F(PageRoutesTest, LetsAServerSideKeepaliveTimeWin) {
  options_.keepalive_time = std::chrono::milliseconds(90'000);
  start();
  EXPECT_EQ(admin_get("/api/v1/connections/" + stream("keepaliveTime=5000").id)["timeout"], 90'000);
}

TEST_F(PageRoutesTest, UsesADefaultKeepaliveTimeAndTakesNoneForAnAnswer) {
  start();
  EXPECT_EQ(admin_get("/api/v1/connections/" + stream("").id)["timeout"], 900'000);
  EXPECT_EQ(admin_get("/api/v1/connections/" + stream("keepaliveTime=0").id)["timeout"], 0);
  EXPECT_EQ(admin_get("/api/v1/connections/" + stream("keepaliveTime=-1").id)["timeout"], 0);
}

TEST_F(PageRoutesTest, RefusesStreamsThatMakeNoSense) {
  start();
  for (const std::string query : {"keepaliveTime=soon", "listeners=a%0Ab", "listeners=%ff", "channel=%ff", "userId=%ff",
                                  "tenantId=%ff", "access-token=%ff"}) {
    const Response got = get("/my-sse/connect?" + query);
    EXPECT_EQ(got.status, 400) << query << got.body;
    EXPECT_THAT(got.body, StartsWith(R"({"success":false,"code":400,"data":null,"message":null,"errorMessage":")"));
  }
  EXPECT_EQ(get("/my-sse/connect?userId=" + std::string(1025, 'x')).status, 400);
  const Response long_id = get("/my-sse/connect?clientId=" + std::string(257, 'x'));
  EXPECT_EQ(long_id.status, 400);
  EXPECT_THAT(long_id.body, HasSubstr("the clientId must be at most 256 bytes"));
  EXPECT_EQ(client().get("/my-sse/connect", "Origin: http://" + std::string(300, 'x') + "\r\n").status, 400);
  EXPECT_EQ(post("/my-sse/connect", "{").status, 400);
  EXPECT_EQ(post("/my-sse/connect", "[]").status, 400);
  EXPECT_EQ(post("/my-sse/connect", R"({"x":")" + std::string(20'000, 'x') + "\"}").status, 413);
  EXPECT_EQ(admin_get("/api/v1/connections")["total"], 0);
}

TEST_F(PageRoutesTest, Answers401WithoutAUser) {
  start(auth::make_header_authenticator());
  Client c = client();
  const Response got = c.get("/my-sse/connect", "X-Sse-User: mallory\r\n");
  EXPECT_EQ(got.status, 401);
  EXPECT_EQ(got.body, "");
  EXPECT_EQ(got.header("Connection"), "close");
  EXPECT_EQ(got.header("X-Sse-Server-Id"), "node-1");
  EXPECT_TRUE(c.receive_all());
  const std::string json = R"({"connectionId":"1","listener":["a"]})";
  for (const std::string target :
       {"addListener.do", "removeListener.do", "message/x.do", "disconnect.do", "upload/x.do"})
    EXPECT_EQ(post("/my-sse/connect/" + target, json).status, 401) << target;
}

TEST_F(PageRoutesTest, BelievesTheHeadersOfATrustedProxy) {
  options_.trusted_proxies = {"127.0.0.0/8"};
  start(auth::make_header_authenticator());
  const OpenStream page = stream("userId=mallory",
                                 "X-Sse-User: alice\r\nX-Sse-Tenant: t\r\nX-Sse-Token: abcdefgh\r\n"
                                 "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n");
  const Json shown = admin_get("/api/v1/connections/" + page.id);
  EXPECT_EQ(shown["accessUserId"], "alice");
  EXPECT_EQ(shown["accessTenantId"], "t");
  EXPECT_EQ(shown["requestIp"], "203.0.113.9");
  EXPECT_EQ(get("/my-sse/connect").status, 401);
}

TEST_F(PageRoutesTest, TakesHeaderValuesAsTheyCame) {
  options_.trusted_proxies = {"127.0.0.0/8"};
  start(auth::make_header_authenticator());
  const OpenStream page =
      stream("", "X-Sse-User: a%64min\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2:80\r\n");
  const Json shown = admin_get("/api/v1/connections/" + page.id);
  EXPECT_EQ(shown["accessUserId"], "a%64min");
  EXPECT_EQ(shown["requestIp"], "2.2.2.2");
  const Response doubled = get("/my-sse/connect", "X-Sse-User: alice\r\nX-Sse-User: admin\r\n");
  EXPECT_EQ(doubled.status, 400);
  EXPECT_THAT(doubled.body, HasSubstr("is repeated"));
}

TEST_F(PageRoutesTest, KnowsAProxyOnAListenerForBothFamilies) {
  options_.listen = "[::]:0";
  options_.trusted_proxies = {"127.0.0.1"};
  options_.max_connections_per_ip = 1;
  start(auth::make_header_authenticator());
  const auto of = [](const std::string& user, const std::string& address) {
    return "X-Sse-User: " + user + "\r\nForwarded: for=\"" + address + "\"\r\n";
  };
  const OpenStream alice = stream("", of("alice", "203.0.113.7:4711"));
  EXPECT_EQ(admin_get("/api/v1/connections/" + alice.id)["requestIp"], "203.0.113.7");
  const OpenStream bob = stream("", of("bob", "[2001:db8::1]"));
  EXPECT_EQ(admin_get("/api/v1/connections/" + bob.id)["requestIp"], "2001:db8::1");
  EXPECT_EQ(get("/my-sse", of("carol", "203.0.113.7")).status, 429);
  EXPECT_EQ(get("/my-sse", of("carol", "203.0.113.8")).status, 200);
}

TEST_F(PageRoutesTest, RefusesStreamsThatAForeignPageMakesABrowserOpen) {
  options_.cors_origins = {"https://app.example"};
  start();
  const std::string image = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
  const Response refused = get("/my-sse/connect?userId=1", image);
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("--cors-origin"));
  EXPECT_EQ(get("/my-sse/sse.js", image).status, 200) << "the module is for everybody";
  const std::string fetch = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nOrigin: ";
  EXPECT_EQ(get("/my-sse/connect", fetch + "https://evil.example\r\n").status, 403);
  EXPECT_EQ(client().post("/my-sse/connect/message/x.do", "{}", fetch + "https://evil.example\r\n").status, 403);
  EXPECT_EQ(client().post("/my-sse/connect/message/x.do", "{}", fetch + "https://app.example\r\n").status, 404);
  EXPECT_EQ(admin_get("/api/v1/connections")["total"], 0);
  const OpenStream listed = stream("", fetch + "https://app.example\r\n");
  const OpenStream own = stream("", "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n");
  EXPECT_EQ(admin_get("/api/v1/connections")["total"], 2);
}

TEST_F(PageRoutesTest, RefusesAHostThatMayBeAForeignPagesUnderDemoAuthentication) {
  options_.allowed_hosts = {"push.example.org"};
  start();
  const auto as = [&](const std::string& host) {
    Client c = client();
    c.send("GET /my-sse HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(c.receive_all());
    return c.received().substr(0, 12);
  };
  EXPECT_EQ(as("evil.example:8080"), "HTTP/1.1 403");
  EXPECT_EQ(as("127.0.0.1:1"), "HTTP/1.1 200");
  EXPECT_EQ(as("localhost"), "HTTP/1.1 200");
  EXPECT_EQ(as("push.example.org"), "HTTP/1.1 200");
  server_.reset();
  start(auth::make_header_authenticator());
  EXPECT_EQ(as("evil.example:8080"), "HTTP/1.1 200") << "a rebound page has no credentials";
}

TEST_F(PageRoutesTest, DoesNotBelieveAForwardedAddressOfAnyClient) {
  start();
  const OpenStream page = stream("", "X-Forwarded-For: 6.6.6.6\r\n");
  EXPECT_EQ(admin_get("/api/v1/connections/" + page.id)["requestIp"], "127.0.0.1");
}

TEST_F(PageRoutesTest, ChangesListeners) {
  start();
  const OpenStream page = stream("listeners=a");
  const Response got =
      post("/my-sse/connect/addListener.do", R"({"connectionId":")" + page.id + R"(","listener":["b","a"]})");
  EXPECT_EQ(got.header("Content-Type"), "application/json");
  EXPECT_EQ(got.header("X-Sse-Server-Id"), "node-1");
  EXPECT_EQ(got.body,
            R"({"success":true,"code":200,"data":{"listener":["a","b"]},"message":null,"errorMessage":null})");
  // An id may be a number, too.
  EXPECT_EQ(
      post("/my-sse/connect/removeListener.do", R"({"connectionId":)" + page.id + R"(,"listener":["a","x"]})").body,
      R"({"success":true,"code":200,"data":{"listener":["b"]},"message":null,"errorMessage":null})");
}

TEST_F(PageRoutesTest, KnowsNoConnectionOfAnotherUser) {
  start();
  OpenStream page = stream("userId=1");
  const std::string other = std::to_string(std::stoull(page.id) + 1);
  for (const std::string how : {"addListener", "removeListener"}) {
    const std::string mine = R"({"connectionId":")" + page.id + R"(","listener":["b"]})";
    EXPECT_EQ(post("/my-sse/connect/" + how + ".do?userId=2", mine).body, kUnknown);
    for (const std::string& id : {other, std::string("0"), std::string("x"), std::string("-1"), std::string("")}) {
      EXPECT_EQ(post("/my-sse/connect/" + how + ".do", R"({"connectionId":")" + id + R"(","listener":["b"]})").body,
                kUnknown)
          << id;
    }
    EXPECT_EQ(post("/my-sse/connect/" + how + ".do", R"({"listener":["b"]})").body, kUnknown);
  }
  for (const std::string what : {"message/x", "upload/x", "message/close"}) {
    const Response foreign = post("/my-sse/connect/" + what + ".do?userId=2&connectionId=" + page.id, "{}");
    EXPECT_EQ(foreign.status, 404);
    EXPECT_EQ(foreign.body, not_found());
    EXPECT_EQ(post("/my-sse/connect/" + what + ".do?connectionId=" + other, "{}").body, not_found());
    EXPECT_EQ(post("/my-sse/connect/" + what + ".do", "{}").body, not_found());
  }
  const std::string form = "application/x-www-form-urlencoded";
  EXPECT_EQ(data(post("/my-sse/connect/disconnect.do?userId=2", "connectionId=" + page.id, form))["count"], 0);
  EXPECT_EQ(data(post("/my-sse/connect/disconnect.do", "connectionId=" + other, form))["count"], 0);
  EXPECT_EQ(data(post("/my-sse/connect/disconnect.do", "", form))["count"], 0);
  const Json shown = admin_get("/api/v1/connections/" + page.id);
  EXPECT_EQ(shown["listeners"], Json::array());
  EXPECT_EQ(shown["requestMessageCount"], 0);
}

TEST_F(PageRoutesTest, KnowsNoConnectionOfTheSameUserInAnotherTenant) {
  start();
  const OpenStream page = stream("userId=1&tenantId=acme");
  const std::string of_page = "&connectionId=" + page.id;
  const std::string change = R"({"connectionId":")" + page.id + R"(","listener":["b"]})";
  const std::string form = "application/x-www-form-urlencoded";
  for (const std::string who : {"?userId=1", "?userId=1&tenantId=other"}) {
    EXPECT_EQ(post("/my-sse/connect/addListener.do" + who, change).body, kUnknown);
    for (const std::string what : {"message/x", "message/close", "upload/x"})
      EXPECT_EQ(post("/my-sse/connect/" + what + ".do" + who + of_page, "{}").body, not_found());
    EXPECT_EQ(data(post("/my-sse/connect/disconnect.do" + who, "connectionId=" + page.id, form))["count"], 0);
    EXPECT_EQ(
        data(post("/my-sse/connect/ack.do" + who, R"({"connectionId":")" + page.id + R"(","ids":["1"]})"))["error"],
        "connectionId not exist");
  }
  EXPECT_EQ(
      data(post("/my-sse/connect/disconnect.do?userId=1&tenantId=acme", "connectionId=" + page.id, form))["count"], 1);
}

TEST_F(PageRoutesTest, RefusesMalformedListenerChanges) {
  start();
  const OpenStream page = stream();
  const std::string& id = page.id;
  for (const std::string& body :
       std::vector<std::string>{"", "{", "[]", "null", R"({"connectionId":")" + id + R"(","listener":"a"})",
                                R"({"connectionId":")" + id + R"(","listener":[1]})",
                                R"({"connectionId":")" + id + R"(","listener":["a\nb"]})", std::string(1000, '[')}) {
    const Response got = post("/my-sse/connect/addListener.do", body);
    EXPECT_EQ(got.status, 400) << body;
    EXPECT_THAT(got.body, StartsWith(R"({"success":false,"code":400,"data":null,"message":null,"errorMessage":")"));
  }
}

TEST_F(PageRoutesTest, PassesMessagesToTheApplication) {
  start();
  const OpenStream page = stream();
  const std::string& id = page.id;
  const Response got = post("/my-sse/connect/message/hello/world.do?a=query&b=query&connectionId=" + id,
                            R"({"b":"body","c":{"d":[1,null]}})");
  EXPECT_EQ(got.body, R"({"success":true,"code":200,"data":{"path":"hello/world","received":{"a":"query","b":"body",)"
                      R"("c":{"d":[1,null]}}},"message":null,"errorMessage":null})");
  EXPECT_EQ(data(post("/my-sse/connect/message/x.do?connectionId=" + id, ""))["received"], Json::object());
  EXPECT_EQ(post("/my-sse/connect/message/x.do?connectionId=" + id, "{").status, 400);
  EXPECT_EQ(post("/my-sse/connect/message/x.do?connectionId=" + id, "[1]").status, 400);
  EXPECT_EQ(admin_get("/api/v1/connections/" + id)["requestMessageCount"], 4);
}

TEST_F(PageRoutesTest, ChunksStreamsForThoseWhoKnowChunks) {
  start();
  OpenStream page = stream();
  EXPECT_THAT(page.head, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(page.head, HasSubstr("\r\nConnection: close\r\n"));
  Client old = client();
  old.send("GET /my-sse/connect HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(old.receive_until("}\n\n"));
  EXPECT_THAT(old.received(), ::testing::MatchesRegex("HTTP/1.1 200 OK\r\n(.*\r\n)?\r\nid:[0-9]+\nretry:.*\n\n"));
  EXPECT_THAT(old.received(), Not(HasSubstr("chunked")));
  server_->sender().send({event::Target::all(), "news", "x"});
  EXPECT_TRUE(page.client.receive_until("event:news\ndata:x\n\n"));
  EXPECT_TRUE(old.receive_until("}\n\nid:"));
  EXPECT_TRUE(old.receive_until("event:news\ndata:x\n\n"));
}

// The standard's way to keep an EventSource away (WHATWG HTML 9.2.3).
TEST_F(PageRoutesTest, AnswersAClientThatItClosedOnceWith204) {
  start();
  OpenStream page = stream("clientId=c&userId=1");
  EXPECT_EQ(admin_post("/api/v1/connections/close", {{"ids", {page.id}}})["closed"], 1);
  Client head = client();
  head.send("HEAD /my-sse/connect?clientId=c&userId=1 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(head.response(true).status, 200);
  EXPECT_EQ(get("/my-sse/connect?clientId=c&userId=2&keepaliveTime=soon").status, 400);
  const Response away = get("/my-sse/connect?clientId=c&userId=1");
  EXPECT_EQ(away.status, 204);
  EXPECT_EQ(away.body, "");
  EXPECT_NE(stream("clientId=c&userId=1").id, page.id);
}

TEST_F(PageRoutesTest, TellsAClientThatComesBackThatItMayHaveMissedSomething) {
  start();
  OpenStream fresh = stream("userId=1");
  EXPECT_THAT(fresh.client.received(), Not(HasSubstr("resync")));
  for (const bool by_header : {true, false}) {
    OpenStream back = by_header ? stream("userId=1", "Last-Event-ID: " + fresh.id + "\r\n")
                                : stream("userId=1&lastEventId=" + fresh.id);
    EXPECT_TRUE(back.client.receive_until("id:" + back.id +
                                          "\nevent:resync\ndata:{\"missed\":null,\"oldest\":null,\"requested\":\"" +
                                          fresh.id + "\"}\n\n"))
        << back.client.received();
  }
  // Its time was over: it is back before that could count as an absence.
  OpenStream brief = stream("userId=2&clientId=c&keepaliveTime=1");
  EXPECT_TRUE(brief.client.receive_all());
  OpenStream renewed = stream("userId=2&clientId=c", "Last-Event-ID: " + brief.id + "\r\n");
  admin_post("/api/v1/send", {{"target", {{"users", {"2"}}}}, {"data", "x"}});
  EXPECT_TRUE(renewed.client.receive_until("data:x\n\n"));
  EXPECT_THAT(renewed.client.received(), Not(HasSubstr("resync")));
}

TEST_F(PageRoutesTest, ClosesThePagesConnectionWhenTheDemoIsAskedTo) {
  start();
  OpenStream page = stream();
  EXPECT_EQ(data(post("/my-sse/connect/message/close.do?connectionId=" + page.id, "{}"))["count"], 1);
  EXPECT_TRUE(page.client.receive_all());
  EXPECT_TRUE(page.client.chunks().complete());
  EXPECT_THAT(page.client.received(), HasSubstr("event:connect-close\ndata:{\"connectionId\": \"" + page.id +
                                                "\",\"reason\":\"closed-by-operator\"}\n\n"));
}

TEST_F(PageRoutesTest, TakesUploads) {
  start();
  const OpenStream page = stream();
  const std::string& id = page.id;
  const std::string body =
      "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n"
      "hello\r\n--XX--\r\n";
  const Json answer =
      data(post("/my-sse/connect/upload/docs.do?connectionId=" + id, body, "multipart/form-data; boundary=XX"));
  EXPECT_EQ(answer["path"], "docs");
  EXPECT_EQ(answer["files"],
            (Json{{{"field", "f"}, {"filename", "a.txt"}, {"contentType", "text/plain"}, {"size", 5}}}));
  EXPECT_EQ(post("/my-sse/connect/upload/docs.do?connectionId=" + id, "x", "text/plain").status, 415);
  EXPECT_EQ(post("/my-sse/connect/upload/docs.do?connectionId=" + id, body, "multipart/form-data; boundary=YY").status,
            400);
  EXPECT_EQ(admin_get("/api/v1/connections/" + id)["requestUploadCount"], 3);
}

TEST_F(PageRoutesTest, RecordsStreamsThatAreRefusedBeforeTheirRoute) {
  options_.cors_origins = {"https://app.example"};
  start(auth::make_header_authenticator());
  const auto post_head = [&](const std::string& headers) {
    Client c = client();
    c.send("POST /my-sse/connect?clientId=c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + headers +
           "Content-Length: 5\r\n\r\n");
    EXPECT_TRUE(c.receive_all());
    return c.received();
  };
  EXPECT_THAT(post_head(""), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(post_head("Authorization: Bearer x\r\n"),
              HasSubstr("\r\nWWW-Authenticate: Bearer error=\"invalid_token\""));
  EXPECT_THAT(post_head("Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n"), StartsWith("HTTP/1.1 403 "));
  const Json events = admin_get("/api/v1/events?type=refused")["list"];
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0]["reason"], "unauthenticated");
  EXPECT_EQ(events[1]["reason"], "invalid-token");
  EXPECT_EQ(events[2]["reason"], "origin");
  EXPECT_EQ(events[2]["client"], "c");
  // A preflight needs no user, and is cached.
  Client c = client();
  c.send(
      "OPTIONS /my-sse/connect HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\nConnection: close\r\n"
      "Access-Control-Request-Headers: authorization\r\nAccess-Control-Request-Method: GET\r\n\r\n");
  EXPECT_TRUE(c.receive_all());
  EXPECT_THAT(c.received(),
              AllOf(StartsWith("HTTP/1.1 204 "), HasSubstr("\r\nAccess-Control-Allow-Headers: authorization"),
                    HasSubstr("\r\nAccess-Control-Max-Age: 7200\r\n")));
}

// Nothing of a body is taken before its head has said who sends it, and where to.
TEST_F(PageRoutesTest, DecidesByTheHeadOfARequest) {
  start(auth::make_header_authenticator());
  const auto answer = [&](const std::string& target, std::size_t length, const std::string& headers = "") {
    Client c = client();
    c.send("POST " + target + " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n" + headers +
           "Content-Length: " + std::to_string(length) + "\r\n\r\n");
    EXPECT_TRUE(c.receive_all()) << target << " was invited";
    return c.received();
  };
  for (const std::string target :
       {"connect", "connect/addListener.do", "connect/ack.do", "connect/message/x.do", "connect/upload/x.do"}) {
    const std::string got = answer("/my-sse/" + target, 50'000);
    EXPECT_THAT(got, AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"),
                           HasSubstr("\r\nX-Sse-Server-Id: node-1\r\n")))
        << target;
  }
  EXPECT_THAT(answer("/my-sse/connect", 50'000), EndsWith("\r\n\r\n"));
  EXPECT_THAT(answer("/my-sse/connect/nothing", 50'000), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("nothing at")));
  EXPECT_THAT(answer("/my-sse/connect/users.json", 50'000),
              AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD\r\n")));
  EXPECT_THAT(answer("/my-sse/connect", 65'537), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer("/my-sse/connect/disconnect.do", 4097), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer("/my-sse/connect/ack.do", 4097, "Content-Type: multipart/form-data; boundary=b\r\n"),
              StartsWith("HTTP/1.1 415 "));
}

TEST_F(PageRoutesTest, TakesNoCredentialsFromABody) {
  start();
  const Response got = client().post("/my-sse/connect/ack.do?userId=a", "userId=b",
                                     "Content-Type: application/x-www-form-urlencoded\r\n");
  EXPECT_EQ(got.status, 400) << "it is no JSON, whoever sends it";
  const OpenStream page = stream("userId=a");
  const std::string form = "connectionId=" + page.id + "&userId=a";
  EXPECT_EQ(data(post("/my-sse/connect/disconnect.do?userId=b", form, "application/x-www-form-urlencoded"))["count"],
            0);
}

TEST_F(PageRoutesTest, TakesConfirmationsOfTheConnectionsOwner) {
  start();
  OpenStream page = stream("userId=1&ack=1&clientId=c");
  const std::string id =
      admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "a"}, {"qos", true}})["id"];
  ASSERT_TRUE(page.client.receive_until("data:a\n\n"));
  const std::string target = "/my-sse/connect/ack.do?userId=";
  const std::string body = Json{{"connectionId", page.id}, {"ids", {id}}}.dump();
  EXPECT_EQ(data(post(target + "2", body)), (Json{{"acked", 0}, {"error", "connectionId not exist"}}));
  EXPECT_EQ(data(post(target + "1", Json{{"connectionId", "7"}, {"ids", {id}}}.dump())),
            (Json{{"acked", 0}, {"error", "connectionId not exist"}}));
  EXPECT_EQ(admin_get("/api/v1/connections/" + page.id)["inFlight"], 1);
  // Garbage among good ones costs the good ones nothing; a beacon says text/plain.
  const Json mixed{{"connectionId", std::stoull(page.id)}, {"ids", {id, id, "x", -1, nullptr, Json::object(), "99"}}};
  EXPECT_EQ(data(post(target + "1", mixed.dump(), "text/plain")), (Json{{"acked", 1}}));
  EXPECT_EQ(data(post(target + "1", body)), (Json{{"acked", 0}}));
  EXPECT_TRUE(eventually([&] { return admin_get("/api/v1/status")["pending"] == 0; }));
  for (const std::string bad : {"", "[]", "{", R"({"connectionId":"1"})", R"({"connectionId":"1","ids":"5"})"})
    EXPECT_EQ(post(target + "1", bad).status, 400) << bad;
}

TEST_F(PageRoutesTest, TakesALastEventIdFromHeaderOrParameter) {
  start();
  for (const bool by_header : {true, false}) {
    OpenStream page = stream("userId=1&ack=1&clientId=c");
    const std::string id =
        admin_post("/api/v1/send", {{"target", {{"users", {"1"}}}}, {"data", "a"}, {"qos", true}})["id"];
    ASSERT_TRUE(page.client.receive_until("data:a\n\n"));
    page.client.close();
    const OpenStream again = by_header ? stream("userId=1&ack=1&clientId=c", "Last-Event-ID: " + id + "\r\n")
                                       : stream("userId=1&ack=1&clientId=c&lastEventId=" + id);
    EXPECT_TRUE(eventually([&] { return admin_get("/api/v1/status")["pending"] == 0; }));
  }
}

TEST_F(PageRoutesTest, DisconnectsWithABeacon) {
  start();
  OpenStream first = stream();
  const std::string form = "application/x-www-form-urlencoded;charset=UTF-8";
  const Response got = post("/my-sse/connect/disconnect.do",
                            "connectionId=" + first.id + "&clientId=x&reason=unload&duration=3&sseVersion=1", form);
  EXPECT_EQ(got.body, R"({"success":true,"code":200,"data":{"count":1},"message":null,"errorMessage":null})");
  EXPECT_TRUE(first.client.receive_all());
  EXPECT_THAT(first.client.received(),
              EndsWith("event:connect-close\ndata:{\"connectionId\": \"" + first.id + "\"}\n\n"));
  EXPECT_EQ(data(post("/my-sse/connect/disconnect.do", "connectionId=" + first.id, form))["count"], 0);
}

TEST_F(PageRoutesTest, DisconnectsWithABeaconOfFormData) {
  start();
  OpenStream page = stream();
  const std::string body =
      "--XX\r\nContent-Disposition: form-data; name=\"connectionId\"\r\n\r\n" + page.id + "\r\n--XX--\r\n";
  EXPECT_EQ(data(post("/my-sse/connect/disconnect.do", body, "multipart/form-data; boundary=XX"))["count"], 1);
}

TEST_F(PageRoutesTest, AnswersNoQueriesOfPagesByDefault) {
  start();
  for (const std::string what : {"users", "connections", "repositoryMessages"}) {
    const Response got = get("/my-sse/connect/" + what + ".json");
    EXPECT_EQ(got.status, 403);
    EXPECT_THAT(got.body, StartsWith(R"({"success":false,"code":403,)"));
  }
}

TEST_F(PageRoutesTest, SaysWhatIsNotThere) {
  start();
  const Response nothing = get("/my-sse/nothing");
  EXPECT_EQ(nothing.status, 404);
  EXPECT_THAT(nothing.body, StartsWith(R"({"success":false,"code":404,"data":null,"message":null,"errorMessage":")"));
  const Response method = get("/my-sse/connect/addListener.do");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "POST");
  EXPECT_EQ(method.header("X-Sse-Server-Id"), "node-1");
}

TEST_F(PageRoutesTest, ExposesNoAdminApi) {
  start();
  for (const std::string target : {"/api/v1/status", "/api/openapi.json", "/metrics", "/healthz"})
    EXPECT_EQ(get(target).status, 404) << target;
}

TEST_F(PageRoutesTest, HostsIndependentServices) {
  options_.services = {{"hr", "/hr"}, {"hunter", "/hunter/sse"}};
  start();
  OpenStream hr = stream("userId=1", "", "/hr");
  OpenStream hunter = stream("userId=1", "", "/hunter/sse");
  EXPECT_THAT(hr.client.received(), HasSubstr(R"("name":"hr")"));
  EXPECT_THAT(hunter.client.received(), HasSubstr(R"("name":"hunter")"));
  EXPECT_EQ(server_->sender("hr").send({event::Target::all(), "news", "for hr"}).delivered, 1U);
  EXPECT_EQ(server_->sender("hunter").send({event::Target::all(), "news", "for hunter"}).delivered, 1U);
  EXPECT_TRUE(hr.client.receive_until("data:for hr\n\n"));
  EXPECT_TRUE(hunter.client.receive_until("data:for hunter\n\n"));
  EXPECT_EQ(post("/hunter/sse/connect/addListener.do", R"({"connectionId":")" + hr.id + R"(","listener":["b"]})").body,
            kUnknown);
  EXPECT_THROW(server_->sender("none"), Error);
  EXPECT_THROW(server_->sender(), Error);
}

TEST_F(PageRoutesTest, AllowsTheOriginsItWasTold) {
  options_.cors_origins = {"https://app.example"};
  start();
  const OpenStream page = stream("", "Origin: https://app.example\r\n");
  EXPECT_THAT(page.head, AllOf(HasSubstr("Access-Control-Allow-Origin: https://app.example\r\n"),
                               HasSubstr("Access-Control-Allow-Credentials: true\r\n"), HasSubstr("Vary: Origin\r\n")));
  EXPECT_EQ(get("/my-sse", "Origin: https://evil.example\r\n").header("Access-Control-Allow-Origin"), "");
  Client c = client();
  c.send(
      "OPTIONS /my-sse/connect/addListener.do HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\n"
      "Access-Control-Request-Headers: content-type\r\n\r\n");
  const Response preflight = c.response();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(preflight.header("Access-Control-Allow-Headers"), "content-type");
  EXPECT_THAT(preflight.header("Access-Control-Allow-Methods"), HasSubstr("POST"));
}

TEST_F(PageRoutesTest, NamesNoOriginByDefault) {
  start();
  EXPECT_THAT(stream("", "Origin: https://evil.example\r\n").head, Not(HasSubstr("Access-Control")));
}

TEST_F(PageRoutesTest, LimitsConnectionsOfOneAddress) {
  options_.max_connections_per_ip = 3;
  start();
  OpenStream a = stream();
  OpenStream b = stream();
  OpenStream c = stream();
  Client refused = client();
  EXPECT_TRUE(refused.receive_all());
  EXPECT_THAT(refused.received(), StartsWith("HTTP/1.1 429 "));
  a.client.close();
  EXPECT_TRUE(eventually([&] { return get("/my-sse").status == 200; }));
}

TEST_F(PageRoutesTest, TakesNoMoreThanItsBodyLimit) {
  options_.max_body = kibibytes(1);
  start();
  EXPECT_EQ(post("/my-sse/connect/addListener.do", std::string(1025, ' ')).status, 413);
}

}  // namespace
}  // namespace sse::pages
