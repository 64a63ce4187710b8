#include "cluster/told_topics.h"

#include <random>

namespace sse::cluster {
namespace {

constexpr std::size_t kTopicsInOnePost = 20'000;

}  // namespace

void ToldTopics::start_over(const std::unordered_set<std::string>& all) {
  std::random_device random;
  session_ = std::to_string(random()) + '-' + std::to_string(random());
  number_ = 0;
  begun_ = false;
  changes_.clear();
  for (const std::string& topic : all) changes_.push_back({true, topic});
  appended_ = written_ + changes_.size();
  for (auto& [position, barrier] : barriers_) position = appended_;
}

void ToldTopics::add(bool wanted, const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) changes_.push_back({wanted, topic});
  appended_ += topics.size();
}

void ToldTopics::wait(std::shared_ptr<TopicBarrier> barrier) {
  ++barrier->open;
  barriers_.emplace_back(appended_, std::move(barrier));
}

void ToldTopics::write(MeshMessage& post) {
  post.session = session_;
  post.number = ++number_;
  post.reset = !begun_;
  begun_ = true;
  while (!changes_.empty() && post.topics.size() < kTopicsInOnePost) {
    post.topics.push_back(std::move(changes_.front()));
    changes_.pop_front();
  }
  post.complete = changes_.empty();
  written_ += post.topics.size();
}

void ToldTopics::confirmed(TopicBarriers& through) {
  reach(written_, true, through);
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
