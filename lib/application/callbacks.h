#pragma once

#include <deque>
#include <memory>
#include <thread>

#include "application/activity_log.h"
#include "application/application.h"
#include "auth/authenticator.h"
#include "base/mutex.h"
#include "observe/metrics.h"
#include "sse-server/callbacks.h"

namespace sse::application {

using sse::Callbacks;

/// Null when `callbacks.authenticate` is empty.
std::unique_ptr<auth::Authenticator> make_callback_authenticator(const Callbacks& callbacks);
/// Answers with the callbacks; 404 to what has none.
std::unique_ptr<Application> make_callback_application(const Callbacks& callbacks);

/// Runs the last six callbacks on its own thread.
class CallbackListener final : public ActivityListener {
 public:
  CallbackListener(Callbacks callbacks, observe::Registry& metrics);
  ~CallbackListener() { stop(); }
  CallbackListener(const CallbackListener&) = delete;
  CallbackListener& operator=(const CallbackListener&) = delete;

  void offer(const ActivityEventRef& activity) override EXCLUDES(mutex_);
  /// Whether any is about channels.
  bool wants_channels() const { return callbacks_.channel_occupied || callbacks_.channel_vacated; }
  /// Runs the queued callbacks, ends the thread and joins it. Idempotent. REQUIRES: not called from a callback.
  void stop() EXCLUDES(mutex_);

 private:
  bool is_wanted(ActivityEvent::Type type) const;
  void call(const ActivityEvent& activity) const;
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
