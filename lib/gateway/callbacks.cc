#include "gateway/callbacks.h"

#include <pthread.h>

#include <cassert>
#include <exception>
#include <utility>

#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kMostWaiting = 10'000;
constexpr std::size_t kMaxWaitingBytes = std::size_t{64} * 1024 * 1024;

class CallbackAuthenticator final : public Authenticator {
 public:
  explicit CallbackAuthenticator(std::function<std::optional<User>(const PageRequest&)> ask) : ask_(std::move(ask)) {}
  std::optional<User> authenticate(const PageRequest& request) override { return ask_(request); }

 private:
  const std::function<std::optional<User>(const PageRequest&)> ask_;
};

class CallbackApplication final : public Application {
 public:
  explicit CallbackApplication(const Callbacks& callbacks) : callbacks_(callbacks) {}

  bool decides_connects() const override { return static_cast<bool>(callbacks_.connect); }
  void on_connect(ConnectRequest& request) override { callbacks_.connect(request); }
  Answer on_message(const ApplicationRequest& request, const event::Json& message) override {
    if (!callbacks_.message) throw Error(ErrorCode::kNotFound, "no application answers messages on this server");
    return callbacks_.message(request, message);
  }
  Answer on_upload(const ApplicationRequest& request, const Upload& upload) override {
    if (!callbacks_.upload) throw Error(ErrorCode::kNotFound, "no application takes uploads on this server");
    return callbacks_.upload(request, upload);
  }

 private:
  const Callbacks callbacks_;
};

}  // namespace

std::unique_ptr<Authenticator> make_callback_authenticator(const Callbacks& callbacks) {
  if (!callbacks.authenticate) return nullptr;
  return std::make_unique<CallbackAuthenticator>(callbacks.authenticate);
}

std::unique_ptr<Application> make_callback_application(const Callbacks& callbacks) {
  return std::make_unique<CallbackApplication>(callbacks);
}

CallbackSink::CallbackSink(Callbacks callbacks, observe::Registry& metrics)
    : callbacks_(std::move(callbacks)),
      dropped_(metrics.counter("sse_callbacks_dropped_total", "Happenings the program was too slow to be told of")) {
  if (callbacks_.connected || callbacks_.disconnected || callbacks_.listening_changed) {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "sse-callbacks");
      work();
    });
  }
}

const std::function<void(const Happening&)>* CallbackSink::callback_of(Happening::Type type) const {
  const std::function<void(const Happening&)>* callback =
      type == Happening::Type::kConnect      ? &callbacks_.connected
      : type == Happening::Type::kDisconnect ? &callbacks_.disconnected
      : type == Happening::Type::kListening  ? &callbacks_.listening_changed
                                             : nullptr;
  return callback == nullptr || !*callback ? nullptr : callback;
}

void CallbackSink::offer(const HappeningRef& happening) {
  if (callback_of(happening->type) == nullptr) return;
  bool tell = false;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    if (queue_.size() < kMostWaiting && queue_bytes_ + happening->bytes <= kMaxWaitingBytes) {
      queue_.push_back(happening);
      queue_bytes_ += happening->bytes;
      changed_.notify_one();
      return;
    }
    tell = !std::exchange(told_, true);
  }
  dropped_.add();
  if (tell) {
    observe::log_warn("callbacks of the program are too slow: happenings are dropped",
                      {{"waiting", std::to_string(kMostWaiting)}});
  }
}

void CallbackSink::stop() {
  assert(std::this_thread::get_id() != thread_.get_id() && "a callback must not stop its server");
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void CallbackSink::work() {
  for (;;) {
    HappeningRef next;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (queue_.empty()) return;
      next = std::move(queue_.front());
      queue_.pop_front();
      queue_bytes_ -= next->bytes;
      if (queue_.empty()) told_ = false;
    }
    try {
      (*callback_of(next->type))(*next);
    } catch (const std::exception& e) {
      observe::log_error("a callback of the program threw",
                         {{"type", std::string(type_name(next->type))}, {"error", e.what()}});
    } catch (...) {
      observe::note_exception("a callback of the program");
    }
  }
}

}  // namespace sse::gateway
