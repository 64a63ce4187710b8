#include "pages/page_envelope.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::pages {
namespace {

TEST(PageEnvelope, HasTheFieldsInTheOrderOfTheJavaLibrary) {
  EXPECT_EQ(page_envelope(true, 200, {{"a", 1}}, nullptr),
            R"({"success":true,"code":200,"data":{"a":1},"message":null,"errorMessage":null})");
  EXPECT_EQ(page_envelope(false, 404, nullptr, "no"),
            R"({"success":false,"code":404,"data":null,"message":null,"errorMessage":"no"})");
}

TEST(PageEnvelope, SuccessMayNotBeStoredByCaches) {
  httplib::Response res;
  answer_ok(res, {{"count", 1}});
  EXPECT_EQ(res.get_header_value("Cache-Control"), "no-store");
  EXPECT_EQ(res.get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(res.body, R"({"success":true,"code":200,"data":{"count":1},"message":null,"errorMessage":null})");
}

TEST(PageEnvelope, A401NamesTheSchemeAndWhatIsWrongWithTheCredentials) {
  const auto challenge = [](const std::string& code, const std::string& sentence) {
    httplib::Response res;
    write_page_error(res, 401, code, sentence);
    return res.get_header_value("WWW-Authenticate");
  };
  EXPECT_EQ(challenge("unauthenticated", kNotAuthenticated), "Bearer");
  EXPECT_EQ(challenge("permission_denied", "said the application"), "Bearer");
  EXPECT_EQ(challenge("unauthenticated", "it has expired"),
            R"(Bearer error="invalid_token", error_description="it has expired")");
  EXPECT_EQ(challenge("unauthenticated", "its \"aud\" \\ \xC3\xA9\r\nX: y"),
            R"(Bearer error="invalid_token", error_description="its ?aud? ? ????X: y")");
}

TEST(PageEnvelope, ErrorsArePrintableAndShort) {
  httplib::Response res;
  write_page_error(res, 400, "invalid_argument", "bad\n" + std::string(1000, 'x'));
  EXPECT_EQ(res.status, 400);
  EXPECT_NE(res.body.find(R"("errorMessage":"bad\\x0Axxx)"), std::string::npos) << res.body;
  EXPECT_LT(res.body.size(), 600U);
}

}  // namespace
}  // namespace sse::pages
