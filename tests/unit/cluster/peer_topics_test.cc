#include "cluster/peer_topics.h"

#include <gtest/gtest.h>

#include "cluster/told_topics.h"

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

TEST(PeerTopics, SendsEverythingToAPeerThatHasNotToldAll) {
  PeerTopics peers(kLease);
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

TEST(PeerTopics, ForgetsWhatIsUnsubscribed) {
  PeerTopics peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll, {{true, "t"}}), kNow));
  ASSERT_TRUE(peers.read("q", post_of("s", 1, kAll, {{true, "t"}}), kNow));
  ASSERT_TRUE(peers.read("p", post_of("s", 2, {}, {{false, "t"}}), kNow));
  EXPECT_FALSE(peers.wants("p", "t", kNow));
  EXPECT_TRUE(peers.wants("q", "t", kNow));
  EXPECT_EQ(peers.topics(), 1u);
  peers.forget("q");
  EXPECT_EQ(peers.topics(), 0u);
}

TEST(PeerTopics, ASilentPeerMayWantAnythingUntilItIsHeardAgain) {
  PeerTopics peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll), kNow));
  EXPECT_FALSE(peers.wants("p", "t", kNow + kLease));
  EXPECT_TRUE(peers.wants("p", "t", kNow + kLease + 1ms));
  // What it told is still true: it was only frozen.
  ASSERT_TRUE(peers.read("p", post_of("s", 2, {}), kNow + 1min));
  EXPECT_FALSE(peers.wants("p", "t", kNow + 1min));
}

TEST(PeerTopics, NoticesAGapAndAnotherRun) {
  PeerTopics peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll), kNow));
  EXPECT_FALSE(peers.read("p", post_of("s", 3, kMore), kNow));
  EXPECT_TRUE(peers.wants("p", "t", kNow));
  // Until it begins anew.
  EXPECT_FALSE(peers.read("p", post_of("s", 4, kMore), kNow));
  EXPECT_TRUE(peers.read("p", post_of("s2", 1, kAll), kNow));
  EXPECT_FALSE(peers.wants("p", "t", kNow));
  EXPECT_FALSE(peers.read("p", post_of("s3", 2, kMore), kNow));
}

TEST(PeerTopics, ADoubtedPeerIsAskedToTellAllAgain) {
  PeerTopics peers(kLease);
  ASSERT_TRUE(peers.read("p", post_of("s", 1, kAll), kNow));
  peers.doubt("p");
  EXPECT_TRUE(peers.wants("p", "t", kNow));
  EXPECT_FALSE(peers.read("p", post_of("s", 2, kMore), kNow));
}

TEST(PeerTopicsTold, TellsAllOnceAndThenTheChanges) {
  ToldTopics told;
  PeerTopics peers(kLease);
  told.start_over({"a", "b"});
  told.add(true, {"c"});
  const auto barrier = std::make_shared<TopicBarrier>();
  told.wait(barrier);
  MeshMessage first;
  told.write(first);
  EXPECT_TRUE(first.reset);
  EXPECT_TRUE(first.complete);
  ASSERT_TRUE(peers.read("p", first, kNow));
  TopicBarriers through;
  told.confirmed(through);
  EXPECT_EQ(through.size(), 1u);
  EXPECT_TRUE(barrier->good);
  EXPECT_TRUE(peers.wants("p", "c", kNow));
  told.add(false, {"c"});
  MeshMessage second;
  told.write(second);
  EXPECT_FALSE(second.reset);
  EXPECT_EQ(second.topics.size(), 1u);
  ASSERT_TRUE(peers.read("p", second, kNow));
  EXPECT_FALSE(peers.wants("p", "c", kNow));
  EXPECT_TRUE(peers.wants("p", "a", kNow));
}

TEST(PeerTopicsTold, ALotTakesSeveralPosts) {
  ToldTopics told;
  std::unordered_set<std::string> all;
  for (int i = 0; i < 45'000; ++i) all.insert(std::to_string(i));
  told.start_over(all);
  const auto barrier = std::make_shared<TopicBarrier>();
  told.wait(barrier);
  PeerTopics peers(kLease);
  TopicBarriers through;
  int posts = 0;
  while (through.empty()) {
    MeshMessage post;
    told.write(post);
    ASSERT_TRUE(peers.read("p", post, kNow));
    EXPECT_EQ(peers.wants("p", "nobody's", kNow), !post.complete);
    told.confirmed(through);
    ASSERT_LT(++posts, 10);
  }
  EXPECT_EQ(posts, 3);
  EXPECT_EQ(peers.topics(), 45'000u);
}

TEST(PeerTopicsTold, WhoWaitsHearsWhenThePeerIsLost) {
  ToldTopics told;
  told.start_over({});
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
