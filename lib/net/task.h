#pragma once

#include <memory>
#include <utility>

namespace sse::net {

/// A move-only `void()` callable, so that a task can carry a descriptor. Must not throw.
class Task {
 public:
  Task() = default;
  template <class F>
  Task(F f) : callable_(std::make_unique<Model<F>>(std::move(f))) {}  // NOLINT(google-explicit-constructor)

  void operator()() { callable_->run(); }
  explicit operator bool() const { return callable_ != nullptr; }

 private:
  struct Callable {
    virtual ~Callable() = default;
    virtual void run() = 0;
  };
  template <class F>
  struct Model final : Callable {
    explicit Model(F f) : function(std::move(f)) {}
    void run() override { function(); }
    F function;
  };

  std::unique_ptr<Callable> callable_;
};

}  // namespace sse::net
