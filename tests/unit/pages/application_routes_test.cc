#include "pages/application_routes.h"

#include <string>

#include "base/error.h"
#include "unit/pages/one_service.h"

namespace sse::pages {
namespace {

using ::testing::HasSubstr;

// Answers with what it got, or refuses.
class Echo final : public application::Application {
 public:
  bool takes_messages_of_ended_streams() const override { return takes_late_; }
  application::Answer on_message(const application::ApplicationRequest& request, const event::Json& message) override {
    if (!request.connection.id.valid()) return {{{"late", request.connection.identity.user.str()}}};
    if (request.path == "refuse") throw application::Refusal(409, "not now");
    if (request.path == "fail") return {418, nullptr, "a teapot"};
    return {{{"path", request.path}, {"message", message}}};
  }
  application::Answer on_upload(const application::ApplicationRequest& request,
                                const application::Upload& upload) override {
    return {{{"path", request.path}, {"files", upload.files.size()}, {"fields", upload.fields}}};
  }

  bool takes_late_ = false;
};

class ApplicationRoutesTest : public OneServiceTest {
 protected:
  ApplicationRoutesTest() {
    router_.post("/p/message/{+}.do", [this](const httplib::Request& req, httplib::Response& res) {
      ApplicationRoutes(admission_, application_, activity_log_, folder_.file(""), nameless_)
          .message(service(), req, res);
    });
    router_.post("/p/upload/{+}.do", [this](const httplib::Request& req, httplib::Response& res) {
      ApplicationRoutes(admission_, application_, activity_log_, folder_.file(""), nameless_)
          .upload(service(), req, res);
    });
  }
  Answer message(const Page& page, const std::string& path, const std::string& body,
                 const std::string& headers = "Content-Type: application/json\r\n") {
    return request("POST", "/p/message/" + path + ".do?userId=7&b=2&connectionId=" + page.id.str(), body, headers);
  }

  testing::TempFolder folder_;
  Echo echo_;
  application::Application* application_ = &echo_;
  application::ActivityLog activity_log_;
  bool nameless_ = false;
};

TEST_F(ApplicationRoutesTest, MergesQueryAndBodyIntoTheMessage) {
  const Page page = open("7");
  const Answer answer = message(page, "a/hello", R"({"b":3,"c":[4]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.head, HasSubstr("Cache-Control: no-store"));
  EXPECT_THAT(answer.body, HasSubstr(R"("data":{"message":{"b":3,"c":[4],"userId":"7"},"path":"a/hello"})"));
  EXPECT_EQ(message(page, "x", "[]").status, 400);
}

TEST_F(ApplicationRoutesTest, TheApplicationDoesNotGetTheRequestKey) {
  const Page page = open("7");
  const std::string key = tickets_.make_request_key(page.id, {UserId("7")});
  const std::string target = "/p/message/hello.do?requestKey=" + key + "&connectionId=";
  EXPECT_THAT(request("POST", target + page.id.str(), "{}", "Content-Type: application/json\r\n").body,
              HasSubstr(R"("data":{"message":{},"path":"hello"})"));
  const Page other = open("7");
  EXPECT_EQ(request("POST", target + other.id.str(), "{}", "Content-Type: application/json\r\n").status, 404);
  EXPECT_THAT(request("POST", "/p/message/hello.do?userId=7&requestKey=mine&connectionId=" + page.id.str(), "").body,
              HasSubstr(R"("requestKey":"mine")"));
}

TEST_F(ApplicationRoutesTest, AnswersWithTheStatusOfTheApplication) {
  const Page page = open("7");
  const Answer failed = message(page, "fail", "{}");
  EXPECT_EQ(failed.status, 418);
  EXPECT_THAT(failed.body, HasSubstr(R"("errorMessage":"a teapot")"));
  EXPECT_EQ(message(page, "refuse", "{}").status, 409);
}

TEST_F(ApplicationRoutesTest, PublishesTheStatusOfEveryAnswer) {
  const Page page = open("7");
  for (const char* path : {"hello", "fail", "refuse"}) message(page, path, "{}");
  std::vector<std::string> seen;
  for (const application::ActivityEventRef& activity : activity_log_.last())
    seen.push_back(activity->path + " " + std::to_string(activity->status));
  EXPECT_THAT(seen, ::testing::ElementsAre("hello 200", "fail 418", "refuse 409"));
}

TEST_F(ApplicationRoutesTest, ReadsAnUpload) {
  const Page page = open("7");
  const Answer answer = request("POST", "/p/upload/u.do?userId=7&connectionId=" + page.id.str(),
                                "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nbytes\r\n"
                                "--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\nv\r\n--b--\r\n",
                                "Content-Type: multipart/form-data; boundary=b\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"("data":{"fields":{"n":"v"},"files":1,"path":"u"})"));
}

TEST_F(ApplicationRoutesTest, KnowsOnlyTheUsersOwnConnection) {
  const Page page = open("8");
  const Answer answer = message(page, "hello", "{}");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr("connectionId not exist"));
}

TEST_F(ApplicationRoutesTest, TakesTheMessageOfAStreamThatHasJustEndedIfTheApplicationDoes) {
  Page page = open("7");
  service().sender->hub().close(std::vector<ConnectionId>{page.id});
  ASSERT_TRUE(page.client.receive_until("connect-close"));
  EXPECT_EQ(message(page, "hello", "{}").status, 404);
  echo_.takes_late_ = true;
  EXPECT_THAT(message(page, "hello", "{}").body, HasSubstr(R"("data":{"late":"7"})"));
  // Those of other users and of streams that never were, and uploads, are not for the application.
  const std::string of_page = "&connectionId=" + page.id.str();
  EXPECT_EQ(request("POST", "/p/message/hello.do?userId=8" + of_page, "{}").status, 404);
  EXPECT_EQ(request("POST", "/p/message/hello.do?userId=7&tenantId=t" + of_page, "{}").status, 404);
  EXPECT_EQ(request("POST", "/p/message/hello.do?userId=7&connectionId=42", "{}").status, 404);
  EXPECT_EQ(request("POST", "/p/upload/u.do?userId=7" + of_page, "").status, 404);
}

// The messages of the Java library's client carry no user.
TEST_F(ApplicationRoutesTest, AMessageWithoutAUserIsThatOfItsConnectionIfItComesFromThere) {
  const Page page = open("7", {.address = "192.0.2.1", .host = "localhost"});
  const Page of_other_site =
      open("7", {.address = "192.0.2.1", .host = "localhost", .origin = "https://other.example"});
  const Page elsewhere = open("7", {.address = "192.0.2.2", .host = "localhost"});
  const auto status = [this](const Page& whose, const std::string& origin, const std::string& query = "") {
    return request("POST", "/p/message/hello.do?connectionId=" + whose.id.str() + query, "{}",
                   origin.empty() ? "" : "Origin: " + origin + "\r\n")
        .status;
  };
  EXPECT_EQ(status(page, "http://localhost"), 404);
  nameless_ = true;
  EXPECT_EQ(status(page, "http://localhost"), 200);
  EXPECT_EQ(status(page, ""), 200);
  EXPECT_EQ(status(page, "http://localhost", "&userId=8"), 404);
  EXPECT_EQ(status(elsewhere, "http://localhost"), 404);
  EXPECT_EQ(status(of_other_site, "http://localhost"), 404);
  EXPECT_EQ(status(of_other_site, ""), 404);
  EXPECT_EQ(request("POST", "/p/upload/u.do?connectionId=" + page.id.str(), "--b--\r\n",
                    "Content-Type: multipart/form-data; boundary=b\r\n")
                .status,
            200);
}

TEST_F(ApplicationRoutesTest, WithoutAnApplicationNothingIsFound) {
  const Page page = open("7");
  application_ = nullptr;
  EXPECT_THAT(message(page, "hello", "{}").body, HasSubstr("no application handles messages"));
}

}  // namespace
}  // namespace sse::pages
