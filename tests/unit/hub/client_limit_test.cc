#include "hub/client_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "unit/hub/connections.h"

namespace sse::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ClientLimitTest : public ::testing::Test {
 protected:
  Connection& open(const std::string& user, const std::string& client, const std::string& tenant = "",
                   const std::string& origin = "") {
    open_.push_back(connections_.make());
    join(indexes_, *open_.back(), user, client, tenant, origin);
    limit_.joined(*open_.back());
    return *open_.back();
  }
  void close(std::size_t index) {
    limit_.leaving(*open_[index]);
    indexes_.leave_all(*open_[index]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  // Ids of the streams that exceed the limit when this one has opened.
  std::vector<std::uint64_t> excess(const Connection& newest, const ClientLimit& limit) const {
    const auto client = limit.limited_client(newest, newest.unpacked_attributes());
    return client ? ids(limit.excess(*client)) : std::vector<std::uint64_t>();
  }
  static std::vector<std::uint64_t> ids(const std::vector<Connection*>& connections) {
    std::vector<std::uint64_t> numbers;
    for (const Connection* one : connections) numbers.push_back(one->id.value());
    return numbers;
  }

  net::EventLoop loop_{"test"};
  Connections connections_{loop_};
  Indexes indexes_;
  std::vector<std::unique_ptr<Connection>> open_;
  ClientLimit limit_{indexes_, 2, false};
};

TEST_F(ClientLimitTest, NamesTheOldestStreamsOfTheClientBeyondTheLimit) {
  open("u", "c");
  open("u", "other");
  open("u", "c");
  EXPECT_THAT(excess(open("u", "c"), limit_), ElementsAre(1));
  EXPECT_THAT(excess(open("u", "c"), limit_), ElementsAre(1, 3));
}

TEST_F(ClientLimitTest, CountsAClientOfAnotherTenantOriginOrUserForItself) {
  open("u", "c", "t", "https://a");
  open("u", "c", "t", "https://a");
  EXPECT_THAT(excess(open("u", "c", "other", "https://a"), limit_), IsEmpty());
  EXPECT_THAT(excess(open("u", "c", "t", "https://b"), limit_), IsEmpty());
  EXPECT_THAT(excess(open("v", "c", "t", "https://a"), limit_), IsEmpty());
  EXPECT_THAT(excess(open("u", "c", "t", "https://a"), limit_), ElementsAre(1));
}

TEST_F(ClientLimitTest, LimitsNeitherStreamsWithoutAClientIdNorWithoutAUser) {
  for (int i = 0; i < 5; ++i) {
    for (const Connection* newest : {&open("u", ""), &open("", "c")})
      EXPECT_FALSE(limit_.limited_client(*newest, newest->unpacked_attributes()));
  }
}

TEST_F(ClientLimitTest, ZeroIsNoLimit) {
  const ClientLimit none(indexes_, 0, true);
  for (int i = 0; i < 5; ++i) {
    const Connection& newest = open("u", "c");
    EXPECT_FALSE(none.limited_client(newest, newest.unpacked_attributes()));
    EXPECT_THAT(none.excess({"u", "c", "", ""}), IsEmpty());
  }
}

// Then its client may be over the limit although this node has only one stream of it.
TEST_F(ClientLimitTest, NamesTheClientOfEveryStreamWhenOtherNodesMayHaveStreamsOfIt) {
  const ClientLimit cluster(indexes_, 2, true);
  const Connection& newest = open("u", "c", "t", "https://a");
  EXPECT_FALSE(limit_.limited_client(newest, newest.unpacked_attributes()));
  const auto client = cluster.limited_client(newest, newest.unpacked_attributes());
  ASSERT_TRUE(client);
  EXPECT_EQ(client->user + " " + client->client + " " + client->tenant + " " + client->origin, "u c t https://a");
  EXPECT_THAT(cluster.excess(*client), IsEmpty());
}

TEST_F(ClientLimitTest, SaysTheSameOfAUserWithVeryManyStreams) {
  for (std::size_t i = 0; i < ClientIndex::kManyStreams + 5; ++i) open("u", "kiosk-" + std::to_string(i));
  const std::uint64_t first = open("u", "c").id.value();
  const std::uint64_t second = open("u", "c").id.value();
  EXPECT_THAT(excess(open("u", "c"), limit_), ElementsAre(first));
  EXPECT_THAT(limit_.streams_of({"u", "c", "", ""}), SizeIs(3));
  close(open_.size() - 3);
  EXPECT_THAT(excess(open("u", "c"), limit_), ElementsAre(second));
  EXPECT_THAT(limit_.streams_of({"u", "nobody", "", ""}), IsEmpty());
}

TEST_F(ClientLimitTest, VisitsTheStreamsOfAClientIdWhateverTheirOrigin) {
  const auto visited = [&](const Connection& one) {
    std::vector<std::uint64_t> seen;
    limit_.for_each(
        one, "c", [&](const Connection& other) { return other.id != one.id; },
        [&](const Connection& other) { seen.push_back(other.id.value()); });
    return seen;
  };
  open("u", "c", "t", "https://a");
  open("u", "c", "t", "https://b");
  open("u", "c", "other");
  open("u", "d", "t");
  open("v", "c", "t");
  EXPECT_THAT(visited(open("u", "c", "t")), ElementsAre(1, 2));
  for (std::size_t i = 0; i < ClientIndex::kManyStreams; ++i) open("u", "kiosk");
  EXPECT_THAT(visited(open("u", "c", "t")), ::testing::UnorderedElementsAre(1, 2, 6));
}

}  // namespace
}  // namespace sse::hub
