#include "application/callbacks.h"

#include <pthread.h>

#include <cassert>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "event/json.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::application {
namespace {

constexpr std::size_t kMaxWaiting = 10'000;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} * 1024 * 1024;

class CallbackAuthenticator final : public auth::Authenticator {
 public:
  explicit CallbackAuthenticator(std::function<std::optional<auth::User>(const auth::PageRequest&)> ask)
      : ask_(std::move(ask)) {}
  std::optional<auth::User> authenticate(const auth::PageRequest& request) override { return ask_(request); }

 private:
  const std::function<std::optional<auth::User>(const auth::PageRequest&)> ask_;
};

class CallbackApplication final : public Application {
 public:
  explicit CallbackApplication(const Callbacks& callbacks) : callbacks_(callbacks) {}

  bool decides_connects() const override { return static_cast<bool>(callbacks_.connect); }
  void on_connect(ConnectRequest& request) override { callbacks_.connect(request); }
  void on_subscribe(SubscribeRequest& request) override {
    if (callbacks_.subscribe) callbacks_.subscribe(request);
  }
  bool decides_publications() const override { return static_cast<bool>(callbacks_.publish); }
  void on_publish(const PublishRequest& request) override { callbacks_.publish(request); }
  Answer on_message(const ApplicationRequest& request, const event::Json& message) override {
    if (!callbacks_.message) throw Error(ErrorCode::kNotFound, "no application answers messages on this server");
    const std::string json = event::dump_json(message);
    return parsed(callbacks_.message({request.service, request.connection, request.path, json,
                                      request.trace.traceparent, request.trace.tracestate}));
  }
  Answer on_upload(const ApplicationRequest& request, const Upload& upload) override {
    if (!callbacks_.upload) throw Error(ErrorCode::kNotFound, "no application takes uploads on this server");
    std::map<std::string, std::string> fields;
    for (const auto& [name, text] : upload.fields.items()) fields.emplace(name, text.get<std::string>());
    return parsed(callbacks_.upload({request.service, request.connection, request.path, fields, upload.files}));
  }

 private:
  static Answer parsed(sse::Answer answer) {
    try {
      return {answer.status, event::parse_json(answer.json, "the answer of the program"), std::move(answer.error)};
    } catch (const Error& e) {
      // The page did nothing wrong.
      throw Error(ErrorCode::kInternal, e.what());
    }
  }

  const Callbacks callbacks_;
};

}  // namespace

std::unique_ptr<auth::Authenticator> make_callback_authenticator(const Callbacks& callbacks) {
  if (!callbacks.authenticate) return nullptr;
  return std::make_unique<CallbackAuthenticator>(callbacks.authenticate);
}

std::unique_ptr<Application> make_callback_application(const Callbacks& callbacks) {
  return std::make_unique<CallbackApplication>(callbacks);
}

CallbackListener::CallbackListener(Callbacks callbacks, observe::Registry& metrics)
    : callbacks_(std::move(callbacks)),
      dropped_(
          metrics.counter("sse_callbacks_dropped_total", "Activity events dropped because callbacks were too slow")) {
  if (callbacks_.connected || callbacks_.disconnected || callbacks_.listening_changed || wants_channels()) {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "sse-callbacks");
      work();
    });
  }
}

bool CallbackListener::is_wanted(ActivityEvent::Type type) const {
  switch (type) {
    case ActivityEvent::Type::kConnect:
      return static_cast<bool>(callbacks_.connected);
    case ActivityEvent::Type::kDisconnect:
      return static_cast<bool>(callbacks_.disconnected);
    case ActivityEvent::Type::kListening:
      return static_cast<bool>(callbacks_.listening_changed);
    case ActivityEvent::Type::kOccupied:
      return static_cast<bool>(callbacks_.channel_occupied);
    case ActivityEvent::Type::kVacated:
      return static_cast<bool>(callbacks_.channel_vacated);
    default:
      return false;
  }
}

void CallbackListener::call(const ActivityEvent& activity) const {
  const ServiceName& service = activity.service;
  const WallTime time = activity.time;
  if (!activity.connection) {
    const bool occupied = activity.type == ActivityEvent::Type::kOccupied;
    const ChannelName channel(activity.channel);
    return (occupied ? callbacks_.channel_occupied : callbacks_.channel_vacated)({service, channel, time});
  }
  const ConnectionInfo& connection = *activity.connection;
  switch (activity.type) {
    case ActivityEvent::Type::kConnect:
      return callbacks_.connected({service, connection, time});
    case ActivityEvent::Type::kDisconnect:
      return callbacks_.disconnected({service, connection, time, activity.reason, activity.note});
    default:
      return callbacks_.listening_changed({service, connection, time, activity.names, activity.added});
  }
}

void CallbackListener::offer(const ActivityEventRef& activity) {
  if (!is_wanted(activity->type)) return;
  bool report = false;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    if (queue_.size() < kMaxWaiting && queue_bytes_ + activity->bytes <= kMaxWaitingBytes) {
      queue_.push_back(activity);
      queue_bytes_ += activity->bytes;
      changed_.notify_one();
      return;
    }
    report = !std::exchange(reported_, true);
  }
  dropped_.add();
  if (report) {
    observe::log_warn("callbacks of the program are too slow: activity events are dropped",
                      {{"waiting", std::to_string(kMaxWaiting)}});
  }
}

void CallbackListener::stop() {
  assert(std::this_thread::get_id() != thread_.get_id() && "a callback must not stop its server");
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void CallbackListener::work() {
  for (;;) {
    ActivityEventRef next;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (queue_.empty()) return;
      next = std::move(queue_.front());
      queue_.pop_front();
      queue_bytes_ -= next->bytes;
      if (queue_.empty()) reported_ = false;
    }
    try {
      call(*next);
    } catch (const std::exception& e) {
      observe::log_error("a callback of the program threw",
                         {{"type", std::string(type_name(next->type))}, {"error", e.what()}});
    } catch (...) {
      observe::note_exception("a callback of the program");
    }
  }
}

}  // namespace sse::application
