#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

/// Where exceptions end. A thread that serves many must outlive a failure of one: whatever a task, timer, callback or
/// reply throws is logged, counted and left behind. An exception that gets this far is a defect, or memory that ran
/// out.
namespace sse::observe {

/// Call it in a `catch` block: logs the current exception (at most one line a second for the whole process, with the
/// number of those left out) and counts it. `where` names what failed and is a literal, e.g. "a task of a worker";
/// `detail`, which may be empty, what it was about.
void note_exception(const char* where, std::string_view detail = {}) noexcept;

/// How many exceptions note_exception() has seen since the process began.
std::uint64_t exceptions_seen() noexcept;

class Counter;

/// Has `counter` count what note_exception() sees, as long as this lives: the metric `sse_exceptions_total`.
class ExceptionCounter {
 public:
  explicit ExceptionCounter(Counter& counter);
  ~ExceptionCounter();
  ExceptionCounter(const ExceptionCounter&) = delete;
  ExceptionCounter& operator=(const ExceptionCounter&) = delete;

 private:
  Counter& counter_;
};

/// Runs `work` and returns true; where it throws, notes that and returns false.
template <class Work>
bool guarded(const char* where, Work&& work) noexcept {
  try {
    std::forward<Work>(work)();
    return true;
  } catch (...) {
    note_exception(where);
    return false;
  }
}

}  // namespace sse::observe
