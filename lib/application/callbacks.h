#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "application/activity_log.h"
#include "application/application.h"
#include "auth/authenticator.h"
#include "base/mutex.h"
#include "observe/metrics.h"

namespace sse::application {

/// The functions with which a C++ program handles its pages. Each may be empty.
///
/// Threads: `authenticate`, `connect`, `message` and `upload` run on worker threads, several at once, and may block.
/// `connected`, `disconnected` and `listening_changed` run one at a time, in the order of the events, on a separate
/// thread: one that blocks delays only the next ones. When 10,000 are queued, new ones are dropped, counted
/// (`sse_callbacks_dropped_total`) and logged. None runs on a loop thread, so all may use the server (send, query,
/// close); none may destroy or stop it.
///
/// Exceptions: an Error from `connect`, `message` or `upload` becomes the page's answer (a Refusal with its own
/// status), any other exception a 500. Exceptions from the other callbacks are logged.
struct Callbacks {
  /// Authenticates the sender of a request; nullopt: 401. Empty: the demo authenticator, which accepts every user.
  std::function<std::optional<auth::User>(const auth::PageRequest&)> authenticate{};
  /// Returns when the page may have its stream; throws a Refusal otherwise. May set the profile, channel and
  /// attributes.
  std::function<void(ConnectRequest&)> connect{};
  /// Answers `message/….do` and `upload/….do`. Empty: the page gets 404.
  std::function<Answer(const ApplicationRequest&, const event::Json&)> message{};
  std::function<Answer(const ApplicationRequest&, const Upload&)> upload{};
  std::function<void(const ActivityEvent&)> connected{};
  std::function<void(const ActivityEvent&)> disconnected{};
  std::function<void(const ActivityEvent&)> listening_changed{};
};

/// Null when `callbacks.authenticate` is empty.
std::unique_ptr<auth::Authenticator> make_callback_authenticator(const Callbacks& callbacks);
std::unique_ptr<Application> make_callback_application(const Callbacks& callbacks);

/// Runs the last three callbacks on its own thread.
class CallbackListener final : public ActivityListener {
 public:
  CallbackListener(Callbacks callbacks, observe::Registry& metrics);
  ~CallbackListener() { stop(); }
  CallbackListener(const CallbackListener&) = delete;
  CallbackListener& operator=(const CallbackListener&) = delete;

  void offer(const ActivityEventRef& activity) override EXCLUDES(mutex_);
  /// Runs the queued callbacks, ends the thread and joins it. Idempotent. REQUIRES: not called from a callback.
  void stop() EXCLUDES(mutex_);

 private:
  const std::function<void(const ActivityEvent&)>* callback_of(ActivityEvent::Type type) const;
  void work() EXCLUDES(mutex_);

  const Callbacks callbacks_;
  observe::Counter& dropped_;
  std::thread thread_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<ActivityEventRef> queue_ GUARDED_BY(mutex_);
  std::size_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool reported_ GUARDED_BY(mutex_) = false;  // that callbacks are too slow
};

}  // namespace sse::application
