#include "hub/connection_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/manual_clock.h"
#include "unit/hub/connections.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The registry on its loop, as it is used.
class ConnectionRegistryTest : public ::testing::Test {
 protected:
  ConnectionRegistryTest() { loop_.start(); }
  ~ConnectionRegistryTest() override { loop_.stop(); }

  void on_loop(const std::function<void()>& test) {
    std::promise<void> done;
    loop_.post([&] {
      test();
      done.set_value();
    });
    done.get_future().wait();
  }
  Connection& open(const std::string& user, const std::string& tenant = "", std::vector<std::string> listeners = {}) {
    NewConnection request;
    request.identity = {UserId(user), TenantId(tenant)};
    request.listeners = std::move(listeners);
    request.attributes.address = "10.0.0.1";
    return registry_.add(connections_.make(), request);
  }
  void end(Connection& connection) {
    connection.indexed = false;
    registry_.leave(connection, registry_.describe_closed(connection, net::CloseReason::kDisconnect));
  }
  std::vector<std::uint64_t> reached(TargetKind kind, const std::string& name) const {
    std::vector<std::uint64_t> ids;
    for (const Connection* one : registry_.connections_for({kind, {}, false}, name)) ids.push_back(one->id.value());
    return ids;
  }

  ManualClock clock_;
  net::EventLoop loop_{"test", clock_};
  Connections connections_{loop_};
  ConnectionRegistry registry_{loop_, {}};
};

TEST_F(ConnectionRegistryTest, FindsAConnectionUnderEveryNameUntilItLeaves) {
  on_loop([&] {
    Connection& one = open("u", "t");
    open("u", "other");
    EXPECT_THAT(reached(TargetKind::kUser, "u"), ElementsAre(1, 2));
    EXPECT_THAT(reached(TargetKind::kTenant, "t"), ElementsAre(1));
    EXPECT_THAT(reached(TargetKind::kMember, event::member_name("u", "t")), ElementsAre(1));
    EXPECT_THAT(reached(TargetKind::kAll, ""), ElementsAre(1, 2));
    EXPECT_THAT(registry_.names(TargetKind::kTenant), ::testing::UnorderedElementsAre("t", "other"));
    EXPECT_EQ(registry_.find(ConnectionId(1)), &one);
    end(one);
    EXPECT_THAT(reached(TargetKind::kUser, "u"), ElementsAre(2));
    EXPECT_THAT(reached(TargetKind::kTenant, "t"), IsEmpty());
    EXPECT_EQ(registry_.find(ConnectionId(1)), nullptr);
    EXPECT_EQ(registry_.find_any(ConnectionId(1)), &one) << "its stream is being closed";
    registry_.destroy(&one);
    EXPECT_EQ(registry_.find_any(ConnectionId(1)), nullptr);
  });
}

TEST_F(ConnectionRegistryTest, CountsConnectionsUsersAndSocketsForEveryThread) {
  Connection* first = nullptr;
  on_loop([&] {
    first = &open("u");
    open("u");
    open("");
  });
  EXPECT_EQ(registry_.connections(), 3U);
  EXPECT_EQ(registry_.users(), 1U);
  EXPECT_EQ(registry_.sockets(), 3U);
  on_loop([&] { end(*first); });
  EXPECT_EQ(registry_.connections(), 2U);
  EXPECT_EQ(registry_.sockets(), 3U);
  on_loop([&] { registry_.destroy(first); });
  EXPECT_EQ(registry_.sockets(), 2U);
}

TEST_F(ConnectionRegistryTest, DescribesAConnectionAndWhatItListensTo) {
  on_loop([&] {
    Connection& one = open("u", "t", {"news"});
    registry_.set_listeners(one, {"mail", "news"});
    registry_.set_duration(one, 120);
    const ConnectionInfo info = registry_.describe(one);
    EXPECT_EQ(info.identity.user, UserId("u"));
    EXPECT_EQ(info.identity.tenant, TenantId("t"));
    EXPECT_THAT(info.listeners, ElementsAre("mail", "news"));
    EXPECT_EQ(info.attributes.address, "10.0.0.1");
    EXPECT_EQ(info.duration.value().seconds, 120);
    EXPECT_EQ(info.duration.value().at, clock_.wall_now());
    registry_.forget_duration(one);
    EXPECT_FALSE(registry_.describe(one).duration);
  });
}

TEST_F(ConnectionRegistryTest, RemembersWhyAConnectionEnded) {
  on_loop([&] {
    end(open("u"));
    ASSERT_EQ(registry_.closed().size(), 1U);
    EXPECT_EQ(registry_.closed().front().id, ConnectionId(1));
    EXPECT_EQ(registry_.closed().front().reason, net::CloseReason::kDisconnect);
    EXPECT_EQ(registry_.closed().front().address, "10.0.0.1");
  });
}

using ConnectionRegistryDeathTest = ConnectionRegistryTest;

TEST_F(ConnectionRegistryDeathTest, ATouchFromAnotherThreadIsADefect) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEBUG_DEATH(registry_.names(TargetKind::kUser), "loop 'test' touched from another thread");
}

}  // namespace
}  // namespace sse::hub
