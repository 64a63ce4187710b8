#include "net/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sse::net {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class RouterTest : public ::testing::Test {
 protected:
  std::string request(const std::string& method, const std::string& target) {
    return app_
        .process(method + " " + target + " HTTP/1.1\r\nHost: h\r\n" +
                     (method == "GET" || method == "HEAD" ? "" : "Content-Length: 0\r\n") + "\r\n",
                 {"127.0.0.1", 1}, true)
        .bytes;
  }

  net::HttplibApp app_;
  Router router_{app_, [](httplib::Response& res, int status, const std::string& code, const std::string& sentence) {
                   res.status = status;
                   res.set_content(code + ": " + sentence, "text/plain");
                 }};
};

TEST_F(RouterTest, RoutesByMethodAndWholePath) {
  router_.get("/a/{}", [](const httplib::Request& req, httplib::Response& res) {
    res.set_content("got " + req.matches[1].str(), "text/plain");
  });
  router_.del("/a/{}", [](const httplib::Request&, httplib::Response& res) { res.set_content("gone", "text/plain"); });
  EXPECT_THAT(request("GET", "/a/17?x=y"), HasSubstr("\r\n\r\ngot 17"));
  EXPECT_THAT(request("DELETE", "/a/17"), HasSubstr("\r\n\r\ngone"));
  EXPECT_THAT(request("GET", "/a/17/b"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(request("GET", "/x/a/17"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(RouterTest, SaysThatThereIsNothing) {
  EXPECT_THAT(request("GET", "/nothing%0a%1b[31m"),
              AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("not_found: there is nothing at /nothing\\x0A\\x1B[31m")));
}

TEST_F(RouterTest, SaysByTheHeadAloneWhatNoRouteTakes) {
  const auto nothing = [](const httplib::Request&, httplib::Response&) {};
  router_.get("/a", nothing);
  router_.post("/a", nothing);
  router_.post("/my-sse/{+}.do", nothing);
  router_.get("/p{/q.js|}", nothing);
  EXPECT_FALSE(router_.refuse("POST", "/a?x=/b"));
  EXPECT_FALSE(router_.refuse("HEAD", "/%61"));
  EXPECT_FALSE(router_.refuse("POST", "/my-sse/x.do?y"));
  EXPECT_FALSE(router_.refuse("GET", "/p/q.js"));
  EXPECT_FALSE(router_.refuse("GET", "/p"));
  EXPECT_FALSE(router_.refuse("OPTIONS", "/whatever"));
  EXPECT_EQ(router_.refuse("POST", "/a/b").value().status, 404);
  EXPECT_EQ(router_.refuse("POST", "/my-sse/.do").value().status, 404);
  EXPECT_EQ(router_.refuse("POST", "/my-sse/xxdo").value().status, 404);
  EXPECT_EQ(router_.refuse("GET", "/pp").value().status, 404);
  const net::HeadRefusal refusal = router_.refuse("PUT", "/a").value();
  EXPECT_EQ(refusal.status, 405);
  EXPECT_EQ(refusal.headers, "Allow: GET, HEAD, POST\r\n");
}

TEST_F(RouterTest, SaysWhichMethodsAPathTakes) {
  const auto nothing = [](const httplib::Request&, httplib::Response&) {};
  router_.get("/a", nothing);
  router_.post("/a", nothing);
  router_.post("/b", nothing);
  EXPECT_THAT(request("DELETE", "/a"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD, POST\r\n")));
  EXPECT_THAT(request("GET", "/b"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: POST\r\n")));
  EXPECT_THAT(request("PUT", "/c"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(RouterTest, TurnsErrorsIntoTheirStatus) {
  router_.get("/taken",
              [](const httplib::Request&, httplib::Response&) { throw Error(ErrorCode::kConflict, "another has it"); });
  EXPECT_THAT(request("GET", "/taken"), AllOf(StartsWith("HTTP/1.1 409 "), HasSubstr("conflict: another has it")));
}

TEST_F(RouterTest, KeepsForeignExceptionsToItself) {
  router_.get("/broken", [](const httplib::Request&, httplib::Response&) { throw std::runtime_error("the secret"); });
  EXPECT_THAT(request("GET", "/broken"),
              AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr("internal: "), Not(HasSubstr("secret"))));
}

TEST_F(RouterTest, TakesLiteralTextLiterally) {
  const std::string odd = "/a.b(c)*[d]+$^|{}\\";
  router_.get(PathTemplate::literal(odd),
              [](const httplib::Request&, httplib::Response& res) { res.set_content("odd", "text/plain"); });
  EXPECT_THAT(request("GET", "/a.b(c)*[d]%2B$^|{}\\"), HasSubstr("odd"));
  EXPECT_THAT(request("GET", "/axb(c)*[d]%2B$^|{}\\"), StartsWith("HTTP/1.1 404 "));
}

}  // namespace
}  // namespace sse::net
