#include "cluster/mesh/subscription_announcer.h"

#include <random>

namespace sse::cluster {

void SubscriptionAnnouncer::start_over() {
  std::random_device random;
  session_ = std::to_string(random()) + '-' + std::to_string(random());
  number_ = 0;
  begun_ = false;
  listing_all_ = true;
  last_listed_.clear();
  changes_.clear();
  appended_ = written_;
  for (auto& [position, barrier] : barriers_) position = appended_;
}

void SubscriptionAnnouncer::add(bool wanted, const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    // Topics after the current position are read when it reaches them.
    if (listing_all_ && (last_listed_.empty() || topic > last_listed_)) continue;
    changes_.push_back({wanted, topic});
    ++appended_;
  }
}

void SubscriptionAnnouncer::wait(std::shared_ptr<TopicBarrier> barrier) {
  ++barrier->open;
  barriers_.emplace_back(appended_, std::move(barrier));
}

void SubscriptionAnnouncer::write(MeshMessage& post, const std::set<std::string>& all, std::size_t limit) {
  post.session = session_;
  post.number = ++number_;
  post.reset = !begun_;
  begun_ = true;
  if (listing_all_) {
    auto next = last_listed_.empty() ? all.begin() : all.upper_bound(last_listed_);
    for (; next != all.end() && post.topics.size() < limit; ++next) post.topics.push_back({true, *next});
    if (!post.topics.empty()) last_listed_ = post.topics.back().name;
    listing_all_ = next != all.end();
  }
  while (!listing_all_ && !changes_.empty() && post.topics.size() < limit) {
    post.topics.push_back(std::move(changes_.front()));
    changes_.pop_front();
    ++written_;
  }
  post.complete = complete();
}

void SubscriptionAnnouncer::confirmed(TopicBarriers& completed) {
  if (!listing_all_) reach(written_, true, completed);
}

void SubscriptionAnnouncer::lost(TopicBarriers& completed) {
  reach(UINT64_MAX, false, completed);
}

void SubscriptionAnnouncer::reach(std::uint64_t position, bool good, TopicBarriers& completed) {
  while (!barriers_.empty() && barriers_.front().first <= position) {
    const std::shared_ptr<TopicBarrier> barrier = std::move(barriers_.front().second);
    barriers_.pop_front();
    barrier->good = barrier->good && good;
    if (--barrier->open == 0) completed.push_back(barrier);
  }
}

}  // namespace sse::cluster
