#include "ssectl/context/service_path.h"

#include <gtest/gtest.h>

namespace sse::ctl {
namespace {

TEST(ServicePath, IsThatOfTheNamedServiceOrOfTheFirst) {
  const api::Json status = event::parse_json(
      R"({"services": [{"name": "main", "path": "/my-sse"}, {"name": "hr", "path": "/hr-sse"}]})", "status");
  EXPECT_EQ(service_path(status, ServiceName("hr")), "/hr-sse");
  EXPECT_EQ(service_path(status, ServiceName()), "/my-sse");
  EXPECT_EQ(service_path(status, ServiceName("other")), std::nullopt);
}

TEST(ServicePath, IsNoneIfTheServerListsNoServices) {
  EXPECT_EQ(service_path(api::Json::object(), ServiceName()), std::nullopt);
}

}  // namespace
}  // namespace sse::ctl
