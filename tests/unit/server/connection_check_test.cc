#include "server/connection_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/errors.h"
#include "support/files.h"
#include "support/nacos.h"

namespace sse::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ConnectionCheck, TriesNothingWithoutACluster) {
  EXPECT_THAT(try_connections(ServerOptions{}), IsEmpty());
}

TEST(ConnectionCheck, LogsInToNacosAndJoinsNothing) {
  sse::testing::FakeNacos::Options nacos;
  nacos.user = "nacos";
  nacos.password = "secret";
  sse::testing::FakeNacos server(nacos);
  const sse::testing::TempFolder folder;
  ServerOptions options;
  options.discovery = server.url();
  options.cluster_listen = "127.0.0.1:7600";
  options.discovery_password_file = folder.file("password");
  std::ofstream(options.discovery_password_file) << "secret\n";
  EXPECT_THAT(try_connections(options), ElementsAre(HasSubstr("answers and lists 0 servers")));
  EXPECT_EQ(server.instances(), 0U);
  std::ofstream(options.discovery_password_file) << "wrong\n";
  EXPECT_EQ(sse::testing::error_of([&] { try_connections(options); }).code(), ErrorCode::kPermissionDenied);
  server.kill();
  EXPECT_EQ(sse::testing::error_of([&] { try_connections(options); }).code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace sse::server
