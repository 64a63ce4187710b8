// Bodies of page requests that another node answers, over each bus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/cluster.h"
#include "support/socket.h"

namespace sse::testing {
namespace {

// The body limits of the nodes in page_requests_of_every_size().
constexpr std::size_t kMaxPageBody = 1'000'000;
constexpr std::size_t kMaxPageUpload = std::size_t{3} << 20;
std::vector<std::string> page_limits() {
  return {"--max-body", std::to_string(kMaxPageBody), "--max-upload", std::to_string(kMaxPageUpload)};
}

// A multipart/form-data body with the boundary `b`, `size` bytes in total.
std::string upload_of(std::size_t size) {
  const std::string head =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n";
  const std::string tail = "\r\n--b--\r\n";
  return head + std::string(size - head.size() - tail.size(), 'x') + tail;
}

// A JSON object with these fields, `size` bytes in total.
std::string json_of(Json fields, std::size_t size) {
  fields["padding"] = "";
  const std::size_t bare = fields.dump().size();
  fields["padding"] = std::string(size - std::min(size, bare), 'x');
  return fields.dump();
}

// Checks that page requests for a stream of `holder` get the same answer through `other`, with bodies of every size.
// REQUIRES: both were started with page_limits() and see each other.
void page_requests_of_every_size(ClusterNode& other, ClusterNode& holder) {
  const std::vector<std::size_t> sizes{1'000, 16'384, 65'535, 65'536, 65'537, 131'072, kMaxPageBody, kMaxPageBody + 1};
  const std::string multipart = "multipart/form-data; boundary=b";
  const std::string form = "application/x-www-form-urlencoded";
  const auto server_of = [](const HttpResponse& response) {
    const auto found = response.headers.find("x-sse-server-id");
    return found == response.headers.end() ? std::string() : found->second;
  };
  const std::size_t stream = holder.streams().connect("userId=1&ack=1");
  const std::string id = holder.streams()[stream].connection_id;
  const std::string query = "?userId=1&connectionId=" + id;
  const auto same = [&](const std::string& path, const std::string& body, const std::string& type, int status) {
    const HttpResponse response = other.pages().request("POST", path, body, type);
    EXPECT_EQ(response.status, status) << path << " with " << body.size() << " bytes: " << response.body.substr(0, 300);
    // Large bodies only once: they are slow in a debug build.
    if (body.size() <= 131'072) {
      const HttpResponse direct = holder.pages().request("POST", path, body, type);
      EXPECT_EQ(direct.status, status) << path << " with " << body.size() << " bytes: " << direct.body.substr(0, 300);
      // Not with EXPECT_EQ, which would print both bodies.
      EXPECT_TRUE(response.body == direct.body) << path << " with " << body.size() << " bytes";
    }
    if (status == 200) {
      EXPECT_EQ(server_of(response), holder.id()) << path << " with " << body.size() << " bytes";
    }
  };

  std::vector<std::size_t> uploads = sizes;
  uploads.insert(uploads.end(), {kMaxPageUpload - 1, kMaxPageUpload, kMaxPageUpload + 1});
  for (const std::size_t size : uploads)
    same("/my-sse/connect/upload/docs.do" + query, upload_of(size), multipart, size <= kMaxPageUpload ? 200 : 413);
  for (const std::size_t size : sizes) {
    const int status = size <= kMaxPageBody ? 200 : 413;
    same("/my-sse/connect/message/hello.do" + query, json_of({{"text", "hello"}}, size), "application/json", status);
    const std::string listen = json_of({{"connectionId", id}, {"listener", {"note"}}}, size);
    same("/my-sse/connect/addListener.do?userId=1", listen, "application/json", status);
    same("/my-sse/connect/removeListener.do?userId=1", listen, "application/json", status);
    // The content type of a beacon with a string is text/plain.
    same("/my-sse/connect/ack.do?userId=1", json_of({{"connectionId", id}, {"ids", {"1"}}}, size), "text/plain",
         status);
  }
  for (const std::size_t size : {1'000UL, 4'097UL, 8'192UL, 8'193UL}) {
    std::string fields = "connectionId=" + id + "&x=";
    fields.append(size - fields.size(), 'x');
    same("/my-sse/connect/message/hello.do?userId=1", fields, form, size <= 8192 ? 200 : 413);
  }
  // Each request closes its stream, and only once.
  for (const std::size_t size : {200UL, 1'000UL, 4'096UL, 4'097UL}) {
    for (const std::string& type : {form, multipart}) {
      const std::size_t other_stream = holder.streams().connect("userId=1");
      const std::string named = holder.streams()[other_stream].connection_id;
      std::string body;
      if (type == form) {
        body = "connectionId=" + named + "&reason=";
        body.append(size - body.size(), 'x');
      } else {
        const std::string field = "--b\r\nContent-Disposition: form-data; name=\"";
        body = field + "connectionId\"\r\n\r\n" + named + "\r\n";
        if (size > 200) body += field + "reason\"\r\n\r\n" + std::string(size - 200, 'x') + "\r\n";
        body += "--b--\r\n";
        body.append(size - std::min(size, body.size()), ' ');
      }
      const HttpResponse response = other.pages().request("POST", "/my-sse/connect/disconnect.do?userId=1", body, type);
      EXPECT_EQ(response.status, size <= 4096 ? 200 : 413) << type << " of " << size << ": " << response.body;
      if (response.status == 200) {
        EXPECT_EQ(response.json()["data"]["count"], 1) << type << " of " << size;
      }
    }
  }
  // A stream opens on the node that receives the request.
  for (const std::size_t size : {200UL, 8'000UL, 40'000UL, 65'536UL, 65'537UL}) {
    const std::string body = json_of({{"channel", "news"}}, size);
    const UniqueFd fd = connect_to(other.server().pages());
    write_all(fd.get(),
              "POST /my-sse/connect?userId=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              "Content-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string head =
        read_until(fd.get(), [](const std::string& text) { return text.find("\r\n\r\n") != std::string::npos; });
    EXPECT_EQ(head.substr(0, 12), size <= 16'000 ? "HTTP/1.1 200" : "HTTP/1.1 413") << size;
  }
}

// Checks that an upload for a stream of `small`, whose limit is lower than that of `other`, is refused with the
// reason.
void upload_over_the_limit_of_the_other_node(ClusterNode& other, ClusterNode& small) {
  const std::size_t stream = small.streams().connect("userId=1");
  const std::string path =
      "/my-sse/connect/upload/docs.do?userId=1&connectionId=" + small.streams()[stream].connection_id;
  const std::string type = "multipart/form-data; boundary=b";
  EXPECT_EQ(other.pages().request("POST", path, upload_of(100'000), type).status, 200);
  for (const std::size_t size : {100'001UL, 2'000'000UL}) {
    const HttpResponse response = other.pages().request("POST", path, upload_of(size), type);
    EXPECT_EQ(response.status, 413) << size << ": " << response.body;
    EXPECT_NE(response.body.find("--max-upload"), std::string::npos) << response.body;
    EXPECT_FALSE(response.json()["success"].get<bool>());
  }
}

template <class Bus>
class ClusterBodiesTest : public ClusterOver<Bus> {};
TYPED_TEST_SUITE(ClusterBodiesTest, EveryBus, BusName);

TYPED_TEST(ClusterBodiesTest, BodiesOfEverySizeReachTheNodeWithTheStream) {
  ClusterNode& a = this->start("a", page_limits());
  ClusterNode& b = this->start("b", page_limits());
  this->settle();
  page_requests_of_every_size(a, b);
}

TYPED_TEST(ClusterBodiesTest, AnUploadOverTheLimitOfTheNodeWithTheStreamIsRefusedWithTheReason) {
  ClusterNode& a = this->start("a", page_limits());
  ClusterNode& b = this->start("b", {"--max-upload", "100000", "--max-body", "50000"});
  this->settle();
  upload_over_the_limit_of_the_other_node(a, b);
}

}  // namespace
}  // namespace sse::testing
