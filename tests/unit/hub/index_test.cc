#include "hub/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "hub/connection.h"
#include "unit/hub/connections.h"

namespace sse::hub {
namespace {

using event::TargetKind;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class IndexTest : public ::testing::Test {
 protected:
  std::unique_ptr<Connection> connection() { return connections_.make(); }
  std::set<std::uint64_t> members(TargetKind kind, const std::string& name) const {
    std::set<std::uint64_t> ids;
    if (const Group* group = indexes_.find(kind, name)) {
      for (const Connection* member : group->members()) ids.insert(member->id.value());
    }
    return ids;
  }

  net::EventLoop loop_{"test"};
  Connections connections_{loop_};
  Indexes indexes_;
};

TEST_F(IndexTest, FindsWhoSharesAName) {
  const auto a = connection();
  const auto b = connection();
  const auto c = connection();
  indexes_.join(*a, TargetKind::kUser, "1");
  indexes_.join(*b, TargetKind::kUser, "1");
  indexes_.join(*c, TargetKind::kUser, "2");
  indexes_.join(*a, TargetKind::kTenant, "1");
  EXPECT_THAT(members(TargetKind::kUser, "1"), ElementsAre(1, 2));
  EXPECT_THAT(members(TargetKind::kUser, "2"), ElementsAre(3));
  EXPECT_THAT(members(TargetKind::kTenant, "1"), ElementsAre(1));
  EXPECT_EQ(indexes_.find(TargetKind::kChannel, "1"), nullptr);
  EXPECT_EQ(indexes_.count(TargetKind::kUser), 2U);
  EXPECT_THAT(indexes_.names(TargetKind::kUser), UnorderedElementsAre("1", "2"));
  EXPECT_EQ(Indexes::name_of(*a, TargetKind::kTenant), "1");
  EXPECT_EQ(Indexes::name_of(*b, TargetKind::kTenant), "");
}

TEST_F(IndexTest, ForgetsANameWhenItsLastConnectionLeaves) {
  const auto a = connection();
  const auto b = connection();
  indexes_.join(*a, TargetKind::kUser, "1");
  indexes_.join(*b, TargetKind::kUser, "1");
  indexes_.leave_all(*a);
  EXPECT_THAT(members(TargetKind::kUser, "1"), ElementsAre(2));
  indexes_.leave_all(*b);
  EXPECT_EQ(indexes_.find(TargetKind::kUser, "1"), nullptr);
  EXPECT_EQ(indexes_.count(TargetKind::kUser), 0U);
  indexes_.leave_all(*b);
}

TEST_F(IndexTest, IndexesNoEmptyNamesButThatOfAll) {
  const auto a = connection();
  for (const auto kind : {TargetKind::kUser, TargetKind::kToken, TargetKind::kTenant, TargetKind::kChannel})
    indexes_.join(*a, kind, "");
  indexes_.join(*a, TargetKind::kAll, "");
  EXPECT_EQ(indexes_.count(TargetKind::kUser), 0U);
  EXPECT_THAT(members(TargetKind::kAll, ""), ElementsAre(1));
  indexes_.leave_all(*a);
}

TEST_F(IndexTest, AgreesWithASimpleModelUnderRandomUse) {
  std::mt19937 random(7);
  std::map<std::uint64_t, std::unique_ptr<Connection>> live;
  using Key = std::pair<TargetKind, std::string>;
  std::map<Key, std::set<std::uint64_t>> model;
  constexpr std::array kKinds{TargetKind::kUser, TargetKind::kToken, TargetKind::kTenant, TargetKind::kChannel,
                              TargetKind::kAll};
  for (int step = 0; step < 3000; ++step) {
    // Grows first, shrinks later, so that groups of hundreds come and go.
    const bool join = live.empty() || random() % 1000 < (step < 1500 ? 700U : 300U);
    if (join && live.size() < 400) {
      auto fresh = connection();
      for (const TargetKind kind : kKinds) {
        const std::string name = kind == TargetKind::kAll ? "" : std::to_string(random() % 5);
        if (name == "0") continue;
        indexes_.join(*fresh, kind, name);
        model[{kind, name}].insert(fresh->id.value());
      }
      live.emplace(fresh->id.value(), std::move(fresh));
    } else {
      auto leaving = live.begin();
      std::advance(leaving, static_cast<std::ptrdiff_t>(random() % live.size()));
      indexes_.leave_all(*leaving->second);
      for (auto& [key, ids] : model) ids.erase(leaving->first);
      connections_.forget(leaving->first);
      live.erase(leaving);
    }
    if (step % 50 != 0) continue;
    for (const auto& [key, ids] : model) ASSERT_EQ(members(key.first, key.second), ids);
    for (const auto& [id, connection] : live) {
      for (const TargetKind kind : kKinds) {
        const Group* group = connection->membership.group(kind);
        if (group == nullptr) continue;
        ASSERT_EQ(group->members()[connection->membership.position(kind)], connection.get());
      }
    }
  }
}

TEST_F(IndexTest, AConnectionMayBeInManyChannels) {
  const auto a = connection();
  const auto b = connection();
  for (const auto& one : {a.get(), b.get()}) {
    indexes_.join(*one, TargetKind::kChannel, "c0");
    for (int i = 1; i < 100; ++i)
      indexes_.join_further(*one, "c" + std::to_string(i), i % 2 == 0 ? ChannelSource::kRule : ChannelSource::kLasting);
  }
  EXPECT_EQ(a->membership.further_channels(), 99U);
  EXPECT_THAT(members(TargetKind::kChannel, "c57"), ElementsAre(1, 2));
  EXPECT_TRUE(a->membership.is_in(TargetKind::kChannel, indexes_.find(TargetKind::kChannel, "c57")));
  std::vector<std::string> ruled;
  a->membership.for_each_channel([&](const Group& group, ChannelSource source) {
    if (source == ChannelSource::kRule) ruled.emplace_back(group.name());
  });
  EXPECT_EQ(ruled.size(), 49U);
  EXPECT_TRUE(indexes_.leave_channel(*a, "c57"));
  EXPECT_FALSE(indexes_.leave_channel(*a, "c57"));
  EXPECT_FALSE(indexes_.leave_channel(*a, "unknown"));
  EXPECT_TRUE(indexes_.leave_channel(*a, "c0"));
  EXPECT_THAT(members(TargetKind::kChannel, "c57"), ElementsAre(2));
  EXPECT_EQ(Indexes::name_of(*a, TargetKind::kChannel), "");
  EXPECT_THAT(members(TargetKind::kChannel, "c98"), ElementsAre(1, 2));
  indexes_.leave_all(*a);
  EXPECT_EQ(a->membership.further_channels(), 0U);
  indexes_.leave_all(*b);
  EXPECT_EQ(indexes_.count(TargetKind::kChannel), 0U);
}

TEST_F(IndexTest, ChannelsAgreeWithAModelUnderRandomUse) {
  std::mt19937 random(11);
  std::vector<std::unique_ptr<Connection>> live;
  std::map<std::string, std::set<std::uint64_t>> model;
  for (int i = 0; i < 60; ++i) live.push_back(connection());
  for (int step = 0; step < 20'000; ++step) {
    Connection& one = *live[random() % live.size()];
    const std::string name = std::to_string(random() % 30);
    std::set<std::uint64_t>& in = model[name];
    if (in.erase(one.id.value()) != 0) {
      ASSERT_TRUE(indexes_.leave_channel(one, name));
    } else {
      if (one.membership.group(TargetKind::kChannel) == nullptr) {
        indexes_.join(one, TargetKind::kChannel, name);
      } else {
        indexes_.join_further(one, name, ChannelSource::kRule);
      }
      in.insert(one.id.value());
    }
    if (step % 100 != 0) continue;
    for (const auto& [channel, ids] : model) ASSERT_EQ(members(TargetKind::kChannel, channel), ids);
  }
  for (const auto& one : live) indexes_.leave_all(*one);
  EXPECT_EQ(indexes_.count(TargetKind::kChannel), 0U);
}

// A server has tens of thousands of streams.
TEST_F(IndexTest, AFurtherChannelTakesAtMost32BytesAndTheFirstNoMoreThanBefore) {
  static_assert(sizeof(Membership) == 32, "what a stream without token, tenant and channel takes");
  std::vector<std::unique_ptr<Connection>> crowd;
  for (int i = 0; i < 1000; ++i) crowd.push_back(connection());
  const auto bytes_of = [&](const auto& change) {
    const std::size_t before = mallinfo2().uordblks;
    change();
    return static_cast<double>(mallinfo2().uordblks - before) / static_cast<double>(crowd.size());
  };
  const double first = bytes_of([&] {
    for (const auto& one : crowd) indexes_.join(*one, TargetKind::kChannel, "the first one");
  });
  // The places of token, tenant and channel in one piece, 48 bytes to malloc, and one in the group.
  EXPECT_LE(first, 48 + 12);
  const double further = bytes_of([&] {
    for (const auto& one : crowd) {
      Indexes::reserve_further(*one, 10);
      for (int i = 0; i < 10; ++i) indexes_.join_further(*one, "further " + std::to_string(i), ChannelSource::kLasting);
    }
  });
  EXPECT_LE(further / 10, 32);
  for (const auto& one : crowd) indexes_.leave_all(*one);
}

TEST(ListenerSets, KeepsEveryDistinctSetOnce) {
  ListenerSets sets;
  const ListenerSet* ab = sets.intern({"a", "b"});
  const ListenerSet* ba = sets.intern({"b", "a"});
  const ListenerSet* none = sets.intern({});
  EXPECT_EQ(ab, ba);
  EXPECT_NE(ab, none);
  EXPECT_EQ(sets.size(), 2U);
  sets.release(ab);
  EXPECT_EQ(sets.size(), 2U);
  sets.release(ba);
  EXPECT_EQ(sets.size(), 1U);
  sets.release(none);
  sets.release(nullptr);
  EXPECT_EQ(sets.size(), 0U);
}

}  // namespace
}  // namespace sse::hub
