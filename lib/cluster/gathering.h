#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cluster/bus.h"

namespace sse::cluster {

/// Brings answers together with the commands they are for: the part of a bus that does not depend on how it carries.
/// Thread safe; outlives every Asked it made.
class Gathering {
 public:
  /// Numbers of `count` commands that are about to be sent, in a row from the first; open until wait() has returned or
  /// the Asked is gone.
  std::pair<std::uint64_t, std::shared_ptr<Asked>> open(std::size_t count) EXCLUDES(mutex_);

  /// So many nodes got the command, this one included where it subscribed itself.
  void reached(std::uint64_t number, std::size_t nodes) EXCLUDES(mutex_);
  /// It could not be sent.
  void failed(std::uint64_t number, const std::string& why) EXCLUDES(mutex_);
  void answered(std::uint64_t number, std::string node, std::string bytes) EXCLUDES(mutex_);
  /// The command came back to its sender, who does not answer.
  void came_back(std::uint64_t number) EXCLUDES(mutex_);

  /// As reached(), by a bus that knows who they are: by a key of its own, and a name to show.
  struct Expected {
    std::string key;
    std::string name;
  };
  void expect(std::uint64_t number, std::vector<Expected> nodes) EXCLUDES(mutex_);
  /// As answered(), by one of those expected.
  void answered_by(const std::string& key, std::uint64_t number, std::string node, std::string bytes) EXCLUDES(mutex_);
  /// One of those expected has no use for the command.
  void excused(const std::string& key, std::uint64_t number) EXCLUDES(mutex_);
  /// One of those expected will not answer any more: it is silent.
  void lost(const std::string& key, std::uint64_t number) EXCLUDES(mutex_);

 private:
  class Waiter;
  struct Slot {
    Answers answers;
    std::optional<std::size_t> reached;
    std::vector<Expected> open;  // no answer yet
    std::size_t excused = 0;
    std::size_t lost = 0;

    std::size_t heard() const { return answers.answers.size() + excused; }
    bool complete() const;
  };

  template <class Change>
  void change(std::uint64_t number, Change change) EXCLUDES(mutex_);
  std::vector<Answers> wait(std::uint64_t first, std::size_t count, std::chrono::milliseconds patience)
      EXCLUDES(mutex_);
  void forget(std::uint64_t first, std::size_t count) EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::uint64_t next_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<std::uint64_t, Slot> slots_ GUARDED_BY(mutex_);
};

}  // namespace sse::cluster
