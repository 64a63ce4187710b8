#include "cluster/told_topics.h"

#include <random>

namespace sse::cluster {

void ToldTopics::start_over() {
  std::random_device random;
  session_ = std::to_string(random()) + '-' + std::to_string(random());
  number_ = 0;
  begun_ = false;
  walking_ = true;
  walked_.clear();
  changes_.clear();
  appended_ = written_;
  for (auto& [position, barrier] : barriers_) position = appended_;
}

void ToldTopics::add(bool wanted, const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) {
    // Those to come are looked up when it is their turn.
    if (walking_ && (walked_.empty() || topic > walked_)) continue;
    changes_.push_back({wanted, topic});
    ++appended_;
  }
}

void ToldTopics::wait(std::shared_ptr<TopicBarrier> barrier) {
  ++barrier->open;
  barriers_.emplace_back(appended_, std::move(barrier));
}

void ToldTopics::write(MeshMessage& post, const std::set<std::string>& all, std::size_t most) {
  post.session = session_;
  post.number = ++number_;
  post.reset = !begun_;
  begun_ = true;
  if (walking_) {
    auto next = walked_.empty() ? all.begin() : all.upper_bound(walked_);
    for (; next != all.end() && post.topics.size() < most; ++next) post.topics.push_back({true, *next});
    if (!post.topics.empty()) walked_ = post.topics.back().name;
    walking_ = next != all.end();
  }
  while (!walking_ && !changes_.empty() && post.topics.size() < most) {
    post.topics.push_back(std::move(changes_.front()));
    changes_.pop_front();
    ++written_;
  }
  post.complete = complete();
}

void ToldTopics::confirmed(TopicBarriers& through) {
  if (!walking_) reach(written_, true, through);
}

void ToldTopics::lost(TopicBarriers& through) {
  reach(UINT64_MAX, false, through);
}

void ToldTopics::reach(std::uint64_t position, bool good, TopicBarriers& through) {
  while (!barriers_.empty() && barriers_.front().first <= position) {
    const std::shared_ptr<TopicBarrier> barrier = std::move(barriers_.front().second);
    barriers_.pop_front();
    barrier->good = barrier->good && good;
    if (--barrier->open == 0) through.push_back(barrier);
  }
}

}  // namespace sse::cluster
