#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

/// Exception barriers. A thread that serves many clients must survive the failure of one task: an exception of a task,
/// timer, callback or reply is logged, counted and dropped. Such an exception is a defect, or memory has run out.
namespace sse::observe {

/// To be called in a `catch` block: logs the current exception (at most one line a second for the whole process, with
/// the number of omitted ones) and counts it. `where` is a literal that names the failed part, e.g. "a task of a
/// worker"; `detail`, which may be empty, names its object.
void note_exception(const char* where, std::string_view detail = {}) noexcept;

/// The number of exceptions passed to note_exception() since the process started.
std::uint64_t exceptions_seen() noexcept;

class Counter;

/// Makes `counter` count the exceptions of note_exception() while this object exists: the metric
/// `sse_exceptions_total`.
class ExceptionCounter {
 public:
  explicit ExceptionCounter(Counter& counter);
  ~ExceptionCounter();
  ExceptionCounter(const ExceptionCounter&) = delete;
  ExceptionCounter& operator=(const ExceptionCounter&) = delete;

 private:
  Counter& counter_;
};

/// Runs `work` and returns true; when it throws, notes the exception and returns false.
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
