#include "server/progress_check.h"

#include <utility>

namespace sse::server {

void ProgressCheck::add(std::string name, Ask ask) {
  threads_.push_back({std::move(name), std::move(ask), std::make_shared<std::atomic<bool>>(true)});
}

std::vector<std::string> ProgressCheck::check() {
  std::vector<std::string> stuck;
  for (const Thread& thread : threads_) {
    if (!thread.answered->load()) {
      stuck.push_back(thread.name);
      continue;
    }
    thread.answered->store(false);
    thread.ask([answered = thread.answered] { answered->store(true); });
  }
  return stuck;
}

}  // namespace sse::server
