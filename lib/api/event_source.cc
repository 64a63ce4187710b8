#include "api/event_source.h"

#include <httplib.h>

#include <atomic>

#include "base/error.h"
#include "base/text.h"

namespace sse::api {
namespace {

// Servers send comments on idle streams far more often than this.
constexpr time_t kMaxSilence = 90;

}  // namespace

class EventSource::Impl {
 public:
  Impl(const std::string& origin, std::chrono::milliseconds timeout) : stream_(origin), calls_(origin) {
    if (!stream_.is_valid() || !calls_.is_valid()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "'" + printable(origin, 100) + "' is not an address; write http://HOST:PORT or https://HOST:PORT");
    }
    for (httplib::Client* client : {&stream_, &calls_}) {
      client->set_connection_timeout(static_cast<time_t>(timeout.count() / 1000),
                                     static_cast<time_t>(timeout.count() % 1000 * 1000));
    }
    stream_.set_read_timeout(kMaxSilence);
    calls_.set_read_timeout(static_cast<time_t>(timeout.count() / 1000 + 1));
    calls_.set_keep_alive(true);
  }

  End read(const std::string& path, const std::string& last_event_id,
           const std::function<bool(std::string_view)>& take) {
    if (stopped_) return {0, "stopped"};
    httplib::Headers headers{{"Accept", "text/event-stream"}, {"Cache-Control", "no-store"}};
    if (!last_event_id.empty()) headers.emplace("Last-Event-ID", last_event_id);
    End end;
    const httplib::Result result = stream_.Get(
        path, headers,
        [&](const httplib::Response& response) {
          end.status = response.status;
          if (response.status != 200) return false;
          if (to_lower(response.get_header_value("Content-Type")).starts_with("text/event-stream")) return true;
          end.reason = "the response is not an event stream";
          return false;
        },
        [&](const char* data, std::size_t size) {
          return !stopped_ && take({data, size});
        });
    if (!end.reason.empty()) return end;
    if (end.status != 0 && end.status != 200) {
      end.reason = "the server answered with status " + std::to_string(end.status);
    } else if (result) {
      end.reason = "the stream ended";
    } else if (result.error() == httplib::Error::SSLServerVerification) {
      end.reason = "its certificate is not trusted, or is another host's (trust that of SSL_CERT_FILE?)";
    } else {
      end.reason = end.status == 0 ? "cannot connect" : "the connection was lost";
    }
    return end;
  }

  bool post(const std::string& path, const std::string& body) {
    const httplib::Result result = calls_.Post(path, body, "application/json");
    return result && result->status >= 200 && result->status < 300;
  }

  void stop() {
    stopped_ = true;
    stream_.stop();
  }

 private:
  httplib::Client stream_;
  httplib::Client calls_;
  std::atomic<bool> stopped_{false};
};

EventSource::EventSource(const std::string& origin, std::chrono::milliseconds timeout)
    : impl_(std::make_unique<Impl>(origin, timeout)) {}
EventSource::~EventSource() = default;

EventSource::End EventSource::read(const std::string& path, const std::string& last_event_id,
                                   const std::function<bool(std::string_view)>& take) {
  return impl_->read(path, last_event_id, take);
}
bool EventSource::post(const std::string& path, const std::string& body) {
  return impl_->post(path, body);
}
void EventSource::stop() {
  impl_->stop();
}

}  // namespace sse::api
