#include "api/stream_probe.h"

#include <httplib.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/mutex.h"
#include "base/text.h"

namespace sse::api {
namespace {

constexpr std::size_t kMaxEvents = 10'000;
// A response without a single byte for so long has ended for a probe; observers stop much earlier.
constexpr time_t kMaxSilenceSeconds = 600;

std::string failure_text(httplib::Error error, bool verified) {
  switch (error) {
    case httplib::Error::Connection:
      return "cannot connect";
    case httplib::Error::ConnectionTimeout:
      return "the connection was not accepted in time";
    case httplib::Error::BindIPAddress:
      return "cannot connect from the given local address";
    case httplib::Error::SSLConnection:
      return "the TLS handshake failed";
    case httplib::Error::SSLServerVerification:
    case httplib::Error::SSLLoadingCerts:
      return verified ? "its certificate is not trusted, or is another host's" : "the TLS handshake failed";
    case httplib::Error::Write:
      return "the request could not be sent";
    default:
      return "the connection was cut";
  }
}

[[noreturn]] void refuse(const std::string& origin) {
  throw Error(ErrorCode::kInvalidArgument,
              "'" + printable(origin, 100) + "' is not an address; write http://HOST:PORT or https://HOST:PORT");
}

// cpp-httplib throws for any other scheme.
const std::string& checked(const std::string& origin) {
  if (!origin.starts_with("http://") && !origin.starts_with("https://")) refuse(origin);
  return origin;
}

}  // namespace

std::string ProbeHead::header(std::string_view name) const {
  const std::string wanted = to_lower(name);
  for (const auto& [key, value] : headers) {
    if (to_lower(key) == wanted) return value;
  }
  return "";
}

class StreamProbe::Impl {
 public:
  Impl(ProbeRequest request, const Clock& clock)
      : request_(std::move(request)), clock_(clock), client_(checked(request_.origin)) {
    if (!client_.is_valid()) refuse(request_.origin);
    client_.set_connection_timeout(request_.connect_timeout);
    client_.set_read_timeout(kMaxSilenceSeconds);
    // The target is encoded already.
    client_.set_url_encode(false);
    client_.enable_server_certificate_verification(request_.verify_certificate);
    if (!request_.local_address.empty()) client_.set_interface(request_.local_address);
    state_.started = clock_.steady_now();
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() { close(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool wait(std::chrono::milliseconds timeout, const std::function<bool(const ProbeState&)>& reached) {
    const SteadyTime deadline = clock_.steady_now() + timeout;
    const MutexLock lock(mutex_);
    while (!reached(state_)) {
      if (state_.ended || !changed_.wait_until(mutex_, deadline, clock_)) return reached(state_);
    }
    return true;
  }

  ProbeState state() const {
    const MutexLock lock(mutex_);
    return state_;
  }

  void inspect(const std::function<void(const ProbeState&)>& look) const {
    const MutexLock lock(mutex_);
    look(state_);
  }

  void close() {
    closing_ = true;
    // The client may be about to connect, when there is no socket yet to close.
    const auto ended = [](const ProbeState& state) { return state.ended.has_value(); };
    do {
      client_.stop();
    } while (!wait(std::chrono::milliseconds(20), ended));
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    httplib::Request request;
    request.method = request_.method;
    request.path = request_.target;
    for (const auto& [name, value] : request_.headers) request.headers.emplace(name, value);
    request.response_handler = [this](const httplib::Response& response) {
      take_head(response);
      return !closing_;
    };
    request.content_receiver = [this](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
      return take({data, size});
    };
    const httplib::Result result = client_.send(request);
    // Without a body the handler of the response is not called.
    if (result) take_head(*result);
    const MutexLock lock(mutex_);
    state_.ended = clock_.steady_now();
    if (state_.flooded) {
      state_.reason = "it sent more than " + std::to_string(request_.max_bytes) + " bytes";
    } else {
      state_.reason = closing_ ? "closed"
                      : result ? "it ended"
                               : failure_text(result.error(), request_.verify_certificate);
    }
    changed_.notify_all();
  }

  void take_head(const httplib::Response& response) {
    ProbeHead head{
        response.status, response.version, {response.headers.begin(), response.headers.end()}, clock_.steady_now()};
    const MutexLock lock(mutex_);
    if (state_.head) return;
    state_.head = std::move(head);
    changed_.notify_all();
  }

  bool take(std::string_view bytes) {
    const SteadyTime now = clock_.steady_now();
    const MutexLock lock(mutex_);
    if (!state_.first_byte) state_.first_byte = now;
    state_.last_byte = now;
    state_.bytes += bytes.size();
    state_.flooded = state_.bytes > request_.max_bytes;
    if (!state_.flooded) {
      std::vector<ProbeEvent> events;
      parser_.feed(bytes, [&](StreamEvent&& event) { events.push_back({std::move(event), now}); });
      if (request_.keep_body) state_.body += bytes;
      for (ProbeEvent& event : events) {
        if (state_.events.size() < kMaxEvents) state_.events.push_back(std::move(event));
      }
      state_.retry = parser_.retry();
    }
    changed_.notify_all();
    return !state_.flooded && !closing_;
  }

  const ProbeRequest request_;
  const Clock& clock_;
  httplib::Client client_;
  std::atomic<bool> closing_{false};
  mutable Mutex mutex_;
  CondVar changed_;
  StreamParser parser_;  // of thread_
  ProbeState state_ GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses the members above
};

StreamProbe::StreamProbe(ProbeRequest request, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(request), clock)) {}
StreamProbe::~StreamProbe() = default;

bool StreamProbe::wait(std::chrono::milliseconds timeout, const std::function<bool(const ProbeState&)>& reached) {
  return impl_->wait(timeout, reached);
}
bool StreamProbe::wait_for_head(std::chrono::milliseconds timeout) {
  return impl_->wait(timeout, [](const ProbeState& state) { return state.head.has_value(); });
}
bool StreamProbe::wait_for_data(std::string_view data, std::chrono::milliseconds timeout) {
  return impl_->wait(timeout, [&](const ProbeState& state) {
    for (const ProbeEvent& one : state.events) {
      if (one.event.data == data) return true;
    }
    return false;
  });
}
ProbeState StreamProbe::state() const {
  return impl_->state();
}
void StreamProbe::inspect(const std::function<void(const ProbeState&)>& look) const {
  impl_->inspect(look);
}
void StreamProbe::close() {
  impl_->close();
}

}  // namespace sse::api
