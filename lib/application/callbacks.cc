#include "application/callbacks.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cctype>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "event/json.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::application {
namespace {

constexpr std::size_t kMaxWaiting = 10'000;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} * 1024 * 1024;

// RFC 9110 §5.1 and §5.5. Headers that frame the message, or that every answer has, are the server's.
void check_headers(const std::vector<std::pair<std::string, std::string>>& headers) {
  static constexpr std::array<std::string_view, 8> kOwn{
      "connection", "content-length", "content-type", "date", "keep-alive", "trailer", "upgrade", "transfer-encoding"};
  const auto in_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  const auto in_value = [](char c) { return c == '\t' || static_cast<unsigned char>(c) >= ' '; };
  for (const auto& [name, value] : headers) {
    const bool good = !name.empty() && std::ranges::all_of(name, in_name) && std::ranges::all_of(value, in_value) &&
                      value.find('\x7F') == std::string::npos && std::ranges::find(kOwn, to_lower(name)) == kOwn.end();
    if (!good)
      throw Error(ErrorCode::kInvalidArgument, "the answer of the program has a header '" + printable(name, 60) +
                                                   "' that it must not have, or a value with control characters");
  }
}

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
  bool may_query(const QueryRequest& request) override {
    return !callbacks_.may_query || callbacks_.may_query(request);
  }
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
      check_headers(answer.headers);
      Answer parsed{answer.status, event::parse_json(answer.json, "the answer of the program"),
                    std::move(answer.error)};
      parsed.headers = std::move(answer.headers);
      return parsed;
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
  if (callbacks_.connected || callbacks_.disconnected || callbacks_.listening_changed || wants_channels() ||
      callbacks_.settled) {
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
    case ActivityEvent::Type::kConfirmed:
    case ActivityEvent::Type::kExpired:
    case ActivityEvent::Type::kDead:
    case ActivityEvent::Type::kDeleted:
    case ActivityEvent::Type::kReplaced:
      return static_cast<bool>(callbacks_.settled);
    default:
      return false;
  }
}

void CallbackListener::call(const ActivityEvent& activity) const {
  const ServiceName& service = activity.service;
  const WallTime time = activity.time;
  if (activity.report) return callbacks_.settled(*activity.report);
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
