#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sse::server {

/// Finds threads that no longer work off their queues: asks each for an answer, and looks at the next check whether it
/// has come. Not thread safe; the answers may come on any thread, also after this object is destroyed.
class ProgressCheck {
 public:
  using Answer = std::function<void()>;
  /// Queues the call of `answer` on the thread in question.
  using Ask = std::function<void(Answer answer)>;

  /// Includes a thread. `name`: for the result of check().
  void add(std::string name, Ask ask);
  /// Returns the names of the threads that have not answered the question of an earlier check, and asks the others
  /// anew. A thread has at most one question in its queue.
  std::vector<std::string> check();

 private:
  struct Thread {
    std::string name;
    Ask ask;
    std::shared_ptr<std::atomic<bool>> answered;
  };
  std::vector<Thread> threads_;
};

}  // namespace sse::server
