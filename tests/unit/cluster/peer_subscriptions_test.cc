#include "cluster/mesh/peer_subscriptions.h"

#include <gtest/gtest.h>

#include "base/step_count.h"
#include "cluster/mesh/subscription_announcer.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kNow{1h};
constexpr auto kLease = 3s;

struct Flags {
  bool reset = false;
  bool complete = false;
};

MeshMessage post_of(const std::string& session, std::uint64_t number, Flags flags = {},
                    std::vector<MeshMessage::Topic> topics = {}) {
  MeshMessage post;
  post.session = session;
  post.number = number;
  post.reset = flags.reset;
  post.complete = flags.complete;
  post.topics = std::move(topics);
  return post;
}

constexpr Flags kAll{true, true};
constexpr Flags kMore{false, true};

TEST(PeerSubscriptions, SendsEverythingToAPeerThatHasNotToldAll) {
  PeerSubscriptions peers(kLease);
  EXPECT_TRUE(peers.wants("p", "t", kNow));
  MeshMessage post;
  post.session = "s";
  post.number = 1;
  post.reset = true;
  post.topics = {{true, "t"}};
  EXPECT_TRUE(peers.read("p", post, kNow));
  EXPECT_TRUE(peers.wants("p", "other", kNow));
  post.reset = false;
  post.number = 2;
  post.complete = true;
  post.topics.clear();
  EXPECT_TRUE(peers.read("p", post, kNow));
  EXPECT_TRUE(peers.wants("p", "t", kNow));
  EXPECT_FALSE(peers.wants("p", "other", kNow));
}

TEST(PeerSubscriptions, LooksOnlyAtThePeersOwnTopicsWhenItStartsOver) {
  PeerSubscriptions peers(kLease);
  std::vector<MeshMessage::Topic> many;
  for (int i = 0; i < 5000; ++i) many.push_back({true, "topic " + std::to_string(i)});
  ASSERT_TRUE(peers.read("large", post_of("s", 1, kAll, many), kNow));
  ASSERT_TRUE(peers.read("small", post_of("s", 1, kAll, {{true, "topic 7"}, {true, "its own"}}), kNow));
  EXPECT_EQ(peers.topics(), 5001u);
  std::uint64_t before = steps_counted();
  ASSERT_TRUE(peers.read("small", post_of("t", 1, kAll, {{true, "topic 8"}}), kNow));
  EXPECT_EQ(steps_counted() - before, 2u);
  EXPECT_EQ(peers.topics(), 5000u);
  EXPECT_FALSE(peers.wants("small", "topic 7", kNow));
  EXPECT_TRUE(peers.wants("small", "topic 8", kNow));
  EXPECT_TRUE(peers.wants("large", "topic 7", kNow));
  before = steps_counted();
  peers.forget("small");
  EXPECT_EQ(steps_counted() - before, 1u);
  EXPECT_TRUE(peers.wants("large", "topic 8", kNow));
}

TEST(PeerSubscriptions, ForgetsWhatIsUnsubscribed) {
  PeerSubscriptions peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll, {{true, "t"}}), kNow));
  ASSERT_TRUE(peers.read("q", post_of("s", 1, kAll, {{true, "t"}}), kNow));
  ASSERT_TRUE(peers.read("p", post_of("s", 2, {}, {{false, "t"}}), kNow));
  EXPECT_FALSE(peers.wants("p", "t", kNow));
  EXPECT_TRUE(peers.wants("q", "t", kNow));
  EXPECT_EQ(peers.topics(), 1u);
  peers.forget("q");
  EXPECT_EQ(peers.topics(), 0u);
}

TEST(PeerSubscriptions, ASilentPeerMayWantAnythingUntilItIsHeardAgain) {
  PeerSubscriptions peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll), kNow));
  EXPECT_FALSE(peers.wants("p", "t", kNow + kLease));
  EXPECT_TRUE(peers.wants("p", "t", kNow + kLease + 1ms));
  // What it told is still true: it was only frozen.
  ASSERT_TRUE(peers.read("p", post_of("s", 2, {}), kNow + 1min));
  EXPECT_FALSE(peers.wants("p", "t", kNow + 1min));
}

TEST(PeerSubscriptions, NoticesAGapAndAnotherRun) {
  PeerSubscriptions peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll), kNow));
  EXPECT_FALSE(peers.read("p", post_of("s", 3, kMore), kNow));
  EXPECT_TRUE(peers.wants("p", "t", kNow));
  // Until it begins anew.
  EXPECT_FALSE(peers.read("p", post_of("s", 4, kMore), kNow));
  EXPECT_TRUE(peers.read("p", post_of("s2", 1, kAll), kNow));
  EXPECT_FALSE(peers.wants("p", "t", kNow));
  EXPECT_FALSE(peers.read("p", post_of("s3", 2, kMore), kNow));
}

TEST(PeerSubscriptions, ADoubtedPeerIsAskedToTellAllAgain) {
  PeerSubscriptions peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll), kNow));
  peers.invalidate("p");
  EXPECT_TRUE(peers.wants("p", "t", kNow));
  EXPECT_FALSE(peers.read("p", post_of("s", 2, kMore), kNow));
}

TEST(SubscriptionAnnouncer, TellsAllOnceAndThenTheChanges) {
  SubscriptionAnnouncer told;
  PeerSubscriptions peers(kLease);
  std::set<std::string> all{"a", "b"};
  told.start_over();
  all.insert("c");
  told.add(true, {"c"});
  const auto barrier = std::make_shared<TopicBarrier>();
  told.wait(barrier);
  MeshMessage first;
  told.write(first, all);
  EXPECT_TRUE(first.reset);
  EXPECT_TRUE(first.complete);
  ASSERT_TRUE(peers.read("p", first, kNow));
  TopicBarriers through;
  told.confirmed(through);
  EXPECT_EQ(through.size(), 1u);
  EXPECT_TRUE(barrier->good);
  EXPECT_TRUE(peers.wants("p", "c", kNow));
  all.erase("c");
  told.add(false, {"c"});
  MeshMessage second;
  told.write(second, all);
  EXPECT_FALSE(second.reset);
  EXPECT_EQ(second.topics.size(), 1u);
  ASSERT_TRUE(peers.read("p", second, kNow));
  EXPECT_FALSE(peers.wants("p", "c", kNow));
  EXPECT_TRUE(peers.wants("p", "a", kNow));
}

TEST(SubscriptionAnnouncer, ALotTakesSeveralPosts) {
  SubscriptionAnnouncer told;
  std::set<std::string> all;
  for (int i = 0; i < 45'000; ++i) all.insert(std::to_string(i));
  told.start_over();
  const auto barrier = std::make_shared<TopicBarrier>();
  told.wait(barrier);
  PeerSubscriptions peers(kLease);
  TopicBarriers through;
  int posts = 0;
  while (through.empty()) {
    MeshMessage post;
    told.write(post, all);
    ASSERT_TRUE(peers.read("p", post, kNow));
    EXPECT_EQ(peers.wants("p", "unwanted", kNow), !post.complete);
    told.confirmed(through);
    ASSERT_LT(++posts, 10);
  }
  EXPECT_EQ(posts, 3);
  EXPECT_EQ(peers.topics(), 45'000u);
}

TEST(SubscriptionAnnouncer, WhatChangesMeanwhileIsToldWhereverTheRestHasGot) {
  const auto topic = [](int i) { return "t" + std::to_string(100'000 + i); };
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) all.insert(topic(2 * i));
  SubscriptionAnnouncer told;
  PeerSubscriptions peers(kLease);
  told.start_over();
  TopicBarriers through;
  const auto change = [&](bool wanted, const std::string& name) {
    wanted ? static_cast<void>(all.insert(name)) : static_cast<void>(all.erase(name));
    told.add(wanted, {name});
  };
  // Odd ones come and even ones go, before and behind what has been told; one goes and comes back.
  int posts = 0;
  for (int i = 0; through.empty(); ++i) {
    change(true, topic(2 * (i * 37 % 1000) + 1));
    change(false, topic(2 * (i * 91 % 1000)));
    change(false, topic(4));
    change(true, topic(4));
    if (i == 5) told.wait(std::make_shared<TopicBarrier>());
    MeshMessage post;
    told.write(post, all, 100);
    EXPECT_LE(post.topics.size(), 100u);
    ASSERT_TRUE(peers.read("p", post, kNow));
    told.confirmed(through);
    ASSERT_LT(++posts, 100);
  }
  EXPECT_GT(posts, 10);
  EXPECT_TRUE(through.front()->good);
  EXPECT_TRUE(told.complete());
  EXPECT_EQ(peers.topics(), all.size());
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(peers.wants("p", topic(i), kNow), all.contains(topic(i))) << i;
}

TEST(SubscriptionAnnouncer, AnAttemptThatMayFailTakesNoTopics) {
  std::set<std::string> all{"a", "b", "c"};
  SubscriptionAnnouncer told;
  PeerSubscriptions peers(kLease);
  const auto barrier = std::make_shared<TopicBarrier>();
  TopicBarriers through;
  for (int attempt = 0; attempt < 3; ++attempt) {
    told.start_over();
    MeshMessage post;
    told.write(post, all, 0);
    EXPECT_TRUE(post.reset);
    EXPECT_FALSE(post.complete);
    EXPECT_TRUE(post.topics.empty());
  }
  // The peer is back: it may want anything until it has been told.
  told.wait(barrier);
  told.start_over();
  MeshMessage probe;
  told.write(probe, all, 0);
  ASSERT_TRUE(peers.read("p", probe, kNow));
  told.confirmed(through);
  EXPECT_TRUE(through.empty());
  EXPECT_TRUE(told.urgent());
  EXPECT_TRUE(peers.wants("p", "z", kNow));
  MeshMessage rest;
  told.write(rest, all);
  EXPECT_EQ(rest.topics.size(), 3u);
  ASSERT_TRUE(peers.read("p", rest, kNow));
  told.confirmed(through);
  EXPECT_EQ(through.size(), 1u);
  EXPECT_FALSE(peers.wants("p", "z", kNow));
}

TEST(SubscriptionAnnouncer, WhoWaitsHearsWhenThePeerIsLost) {
  SubscriptionAnnouncer told;
  told.start_over();
  told.add(true, {"a"});
  const auto barrier = std::make_shared<TopicBarrier>();
  told.wait(barrier);
  TopicBarriers through;
  told.lost(through);
  ASSERT_EQ(through.size(), 1u);
  EXPECT_FALSE(barrier->good);
}

}  // namespace
}  // namespace sse::cluster
