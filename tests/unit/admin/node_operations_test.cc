#include "admin/node_operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "cluster/core/wire.h"

namespace sse::admin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

cluster::RawRequest raw(const std::string& method, const std::string& path) {
  cluster::RawRequest request;
  request.method = method;
  request.path = path;
  return request;
}

std::string operation_of(const std::string& method, const std::string& path) {
  const NodeOperation* const found = find_operation(raw(method, path));
  return found == nullptr ? "" : std::string(found->name);
}

TEST(NodeOperations, AreNamedByMethodAndPath) {
  EXPECT_EQ(operation_of("GET", "/api/v1/connections"), "connections");
  EXPECT_EQ(operation_of("GET", "/api/v1/connections/closed"), "closed-connections");
  EXPECT_EQ(operation_of("GET", "/api/v1/connections/77"), "connection");
  EXPECT_EQ(operation_of("GET", "/api/v1/messages/77"), "message");
  EXPECT_EQ(operation_of("DELETE", "/api/v1/messages/77"), "delete-message");
  EXPECT_EQ(operation_of("GET", "/api/v1/messages/77/trace"), "message-trace");
  EXPECT_EQ(operation_of("POST", "/api/v1/dead/requeue"), "requeue-dead-letters");
  for (const char* path : {"/api/v1/send", "/api/v1/status", "/api/v1/connections/", "/", ""})
    EXPECT_EQ(operation_of("GET", path), "") << path;
  EXPECT_EQ(operation_of("POST", "/api/v1/send"), "");
}

TEST(NodeOperations, BecomeTheSameRequestOnTheOtherNodeWithoutTheHeadersOfTheClient) {
  cluster::RawRequest request = raw("POST", "/api/v1/messages/77/retry");
  request.query = {{"service", "hr & co"}, {"service", "x"}};
  request.headers = {{"Authorization", "Bearer secret"}, {"Host", "example"}};
  request.body = "{}";
  const cluster::AdminCommand command = command_of(*find_operation(request), request, "192.0.2.1");
  EXPECT_EQ(command.operation, "retry-message");
  EXPECT_EQ(command.id, "77");
  EXPECT_EQ(command.peer, "192.0.2.1");
  EXPECT_THAT(encode(command), ::testing::Not(HasSubstr("secret")));
  const cluster::RawRequest there = request_of(std::get<cluster::AdminCommand>(cluster::decode(encode(command))));
  EXPECT_EQ(there.method, "POST");
  EXPECT_EQ(there.path, request.path);
  EXPECT_THAT(there.query, ElementsAre(Pair("service", "hr & co"), Pair("service", "x")));
  EXPECT_EQ(there.body, "{}");
  EXPECT_EQ(there.header("Authorization"), "");
  EXPECT_EQ(there.header("Content-Type"), "application/json");
}

TEST(NodeOperations, RefusesWhatIsNoOperationAndWhatIsNoId) {
  for (const char* operation : {"", "send", "/api/v1/users", "connections "})
    EXPECT_THROW(request_of({operation}), Error) << operation;
  for (const char* id : {"", "x", "7 HTTP/1.1", "7\r\nX-Sse-User: admin", "../users", "-1", "99999999999999999999"})
    EXPECT_THROW(request_of({"message", id}), Error) << id;
  EXPECT_EQ(request_of({"message", "7"}).path, "/api/v1/messages/7");
  EXPECT_EQ(request_of({"users", "7"}).path, "/api/v1/users");
}

TEST(NodeOperations, RepliesKeepStatusDocumentAndTheEndOfAnExport) {
  const cluster::AdminReply list = reply_of({200, "application/json", "{\"total\":0}", {}});
  EXPECT_EQ(list.status, 200);
  EXPECT_FALSE(list.export_end);
  EXPECT_EQ(response_of(list).type, "application/json");
  EXPECT_EQ(response_of(list).body, "{\"total\":0}");
  const cluster::AdminReply page =
      reply_of({200,
                "application/x-ndjson",
                "7 {}\n",
                {{"X-Sse-Complete", "false"}, {"X-Sse-Last-Id", "7"}, {"X-Sse-Total", "9"}}});
  ASSERT_TRUE(page.export_end);
  EXPECT_FALSE(page.export_end->complete);
  EXPECT_EQ(page.export_end->last, 7U);
  EXPECT_EQ(page.export_end->total, 9U);
  const cluster::RawResponse refusal = response_of(cluster::refusal_reply(ErrorCode::kNotFound, "no such connection"));
  EXPECT_EQ(refusal.status, 404);
  EXPECT_EQ(refusal.type, "application/problem+json");
  EXPECT_THAT(refusal.body, HasSubstr("no such connection"));
}

}  // namespace
}  // namespace sse::admin
