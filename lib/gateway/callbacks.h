#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "base/mutex.h"
#include "gateway/application.h"
#include "gateway/authenticator.h"
#include "gateway/happenings.h"
#include "observe/metrics.h"

namespace sse::gateway {

/// How a C++ program reacts to its pages. Leave empty what is of no interest.
///
/// Threads: `authenticate`, `connect`, `message` and `upload` run on worker threads, several at once, and may block.
/// `connected`, `disconnected` and `listening_changed` run one at a time, in the order things happened, on a thread of
/// their own: one that blocks delays the next ones, nothing else; when 10,000 wait, new ones are dropped, counted
/// (`sse_callbacks_dropped_total`) and logged. None runs on a loop thread, so that all may use the server (send, query,
/// close); none may destroy or stop it.
///
/// Exceptions: an Error from `connect`, `message` or `upload` becomes the page's answer (Refusal: with the status it
/// names), anything else a 500; from the others they are logged.
struct Callbacks {
  /// Who sends a request; nullopt: 401. Empty: the demo's, which believes everybody.
  std::function<std::optional<User>(const PageRequest&)> authenticate{};
  /// Returns when the page may have its stream; throws a Refusal otherwise. May fill in profile, channel, attributes.
  std::function<void(ConnectRequest&)> connect{};
  /// Answers `message/….do` and `upload/….do`. Empty: the page gets 404.
  std::function<Answer(const ApplicationRequest&, const event::Json&)> message{};
  std::function<Answer(const ApplicationRequest&, const Upload&)> upload{};
  std::function<void(const Happening&)> connected{};
  std::function<void(const Happening&)> disconnected{};
  std::function<void(const Happening&)> listening_changed{};
};

/// Null for empty callbacks.
std::unique_ptr<Authenticator> make_callback_authenticator(const Callbacks& callbacks);
std::unique_ptr<Application> make_callback_application(const Callbacks& callbacks);

/// Runs the last three callbacks on its thread.
class CallbackSink final : public HappeningSink {
 public:
  CallbackSink(Callbacks callbacks, observe::Registry& metrics);
  ~CallbackSink() { stop(); }
  CallbackSink(const CallbackSink&) = delete;
  CallbackSink& operator=(const CallbackSink&) = delete;

  void offer(const HappeningRef& happening) override EXCLUDES(mutex_);
  /// Runs what waits, ends the thread and joins it. Idempotent. Not from a callback.
  void stop() EXCLUDES(mutex_);

 private:
  const std::function<void(const Happening&)>* callback_of(Happening::Type type) const;
  void work() EXCLUDES(mutex_);

  const Callbacks callbacks_;
  observe::Counter& dropped_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<HappeningRef> queue_ GUARDED_BY(mutex_);
  std::size_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool told_ GUARDED_BY(mutex_) = false;  // that callbacks fall behind
};

}  // namespace sse::gateway
