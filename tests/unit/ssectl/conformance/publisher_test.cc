#include "ssectl/conformance/publisher.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/mutex.h"
#include "support/errors.h"
#include "support/files.h"
#include "support/http_server.h"

namespace sse::ctl {
namespace {

using testing::HttpServer;
using testing::TempFolder;

constexpr std::chrono::milliseconds kTimeout{30'000};

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(Publisher, ACommandGetsTheDataAndTheName) {
  const TempFolder folder;
  const auto publisher = publish_with(
      "cat >'" + folder.file("data") + "'; printf %s \"$SSE_EVENT\" >'" + folder.file("name") + "'", kTimeout);
  EXPECT_TRUE(publisher->names_events());
  EXPECT_TRUE(publisher->publish("one\ntwo", "a name\nof two lines"));
  EXPECT_EQ(text_of(folder.file("data")), "one\ntwo");
  EXPECT_EQ(text_of(folder.file("name")), "a name\nof two lines");
}

TEST(Publisher, ACommandThatFailsHasRefusedTheEvent) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto publisher = publish_with("exit 3", kTimeout);
  EXPECT_FALSE(publisher->names_events());
  // More than a pipe holds, so that it cannot have been written before the command ended.
  EXPECT_FALSE(publisher->publish(std::string(1'000'000, 'x'), ""));
}

TEST(Publisher, AnUrlGetsTheDataAsTheBody) {
  HttpServer server;
  Mutex mutex;  // ThreadSanitizer does not see that one request comes after the other
  std::string body;
  server.http().Post("/pub", [&](const httplib::Request& request, httplib::Response& response) {
    const MutexLock lock(mutex);
    body = request.body;
    response.status = request.get_param_value("id") == "1" ? 202 : 403;
  });
  const std::string url = server.start();
  EXPECT_TRUE(publish_with(url + "/pub?id=1", kTimeout)->publish("one\ntwo", ""));
  EXPECT_FALSE(publish_with(url + "/pub?id=2", kTimeout)->publish("x", ""));
  server.stop();
  EXPECT_EQ(body, "x");
  EXPECT_FALSE(publish_with(url, kTimeout)->names_events());
}

TEST(Publisher, NeedsAnUrlOrACommand) {
  EXPECT_EQ(testing::error_of([] { publish_with("", kTimeout); }).code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace sse::ctl
