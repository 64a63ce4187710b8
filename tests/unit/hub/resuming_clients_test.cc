#include "hub/resuming_clients.h"

#include <gtest/gtest.h>

#include <string>

#include "hub/connection.h"

namespace sse::hub {
namespace {

using std::chrono::milliseconds;

const SteadyTime kStart{std::chrono::hours(1)};

TEST(ResumingClients, KnowsEachStreamOnceAndInTimeOnly) {
  ResumingClients clients(milliseconds(1000), kibibytes(64));
  EXPECT_TRUE(clients.empty());
  EXPECT_FALSE(clients.take("a", kStart));
  clients.add("a", kStart);
  clients.add("b", kStart);
  clients.add("a", kStart + milliseconds(500));
  EXPECT_FALSE(clients.empty());
  EXPECT_FALSE(clients.take("c", kStart));
  EXPECT_TRUE(clients.take("a", kStart + milliseconds(600)));
  // The second stream of a's outlives the first, whichever of them it was that returned.
  EXPECT_TRUE(clients.take("a", kStart + milliseconds(1400)));
  EXPECT_FALSE(clients.take("a", kStart + milliseconds(1400)));
  EXPECT_FALSE(clients.take("b", kStart + milliseconds(1400)));
  clients.take("x", kStart + milliseconds(1500));
  EXPECT_TRUE(clients.empty());
  EXPECT_EQ(clients.bytes(), 0U);
}

TEST(ResumingClients, ForgetsTheOldestBeforeItTakesMoreThanItsBytes) {
  ResumingClients clients(milliseconds(1000), kibibytes(64));
  const std::string tail(100, 'x');
  for (int i = 0; i < 10'000; ++i) {
    clients.add(std::to_string(i) + tail, kStart);
    ASSERT_LE(clients.bytes(), 64U * 1024);
  }
  EXPECT_GT(clients.bytes(), 63U * 1024);
  EXPECT_FALSE(clients.take("0" + tail, kStart));
  EXPECT_TRUE(clients.take("9999" + tail, kStart));
  // One client with very many streams.
  for (int i = 0; i < 10'000; ++i) {
    clients.add("one", kStart);
    ASSERT_LE(clients.bytes(), 64U * 1024);
  }
  // One that is larger than all: not even that.
  clients.add(std::string(100'000, 'y'), kStart);
  EXPECT_TRUE(clients.empty());
  EXPECT_EQ(clients.bytes(), 0U);
}

TEST(ReturnKey, RecognisesAClientByItsIdOrElseByWhatItIsKnownFor) {
  const Identity ann{UserId("ann"), TenantId("t"), AccessToken()};
  const auto attributes = [](const std::string& query, const std::string& address, const std::string& agent) {
    Attributes all;
    all.query = query;
    all.address = address;
    all.user_agent = agent;
    return all;
  };
  const auto key = [&](const Identity& who, const Attributes& all, const std::string& id, bool instance = false) {
    return reconnect_key(who, all, id, instance);
  };
  const Attributes phone = attributes("clientId=phone&clientInstanceId=1", "10.0.0.1", "A");
  EXPECT_EQ(key(ann, phone, "5"), key(ann, attributes("x=1&clientId=phone", "10.0.0.2", "B"), "6"));
  EXPECT_NE(key(ann, phone, "5"), key({UserId("bob"), TenantId("t"), {}}, phone, "5"));
  EXPECT_NE(key(ann, phone, "5"), key({UserId("ann"), TenantId("u"), {}}, phone, "5"));
  EXPECT_NE(key(ann, phone, "5"), key(ann, attributes("clientId=pc", "10.0.0.1", "A"), "5"));
  const Attributes other_page = attributes("clientId=phone&clientInstanceId=2", "10.0.0.1", "A");
  EXPECT_EQ(key(ann, phone, "5"), key(ann, other_page, "5"));
  EXPECT_NE(key(ann, phone, "5", true), key(ann, other_page, "5", true));

  const Attributes plain = attributes("", "10.0.0.1", "A");
  EXPECT_EQ(key(ann, plain, "5"), key(ann, attributes("y=1", "10.0.0.1", "A"), "5"));
  EXPECT_NE(key(ann, plain, "5"), key(ann, plain, "6"));
  EXPECT_NE(key(ann, plain, "5"), key(ann, attributes("", "10.0.0.2", "A"), "5"));
  EXPECT_NE(key(ann, plain, "5"), key(ann, attributes("", "10.0.0.1", "B"), "5"));
  EXPECT_NE(key(ann, plain, "5"), key(ann, phone, "5"));
  // What is in one part is not taken for the next.
  EXPECT_NE(key({UserId("a"), TenantId("bc"), {}}, plain, ""), key({UserId("ab"), TenantId("c"), {}}, plain, ""));
}

}  // namespace
}  // namespace sse::hub
