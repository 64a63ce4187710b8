#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "application/activity_log.h"
#include "application/application.h"
#include "base/trace_context.h"
#include "net/http_caller.h"
#include "observe/log_throttle.h"
#include "observe/metrics.h"

namespace sse::application {

/// How to call the application's hook, `--hook URL`.
struct HookOptions {
  std::string url;                          ///< empty: no hook
  std::chrono::milliseconds timeout{5000};  ///< for one call, including its answer
  std::size_t queue = 10'000;               ///< maximum of queued notifications
  std::string secret;                       ///< signs the calls; empty: unsigned
  bool forward_uploads = false;             ///< send files as multipart/form-data instead of their paths
  const Clock* clock = &Clock::system();    ///< outlives the caller
};

/// The client of the application's hook: signs and sends calls, counts them and logs failures (rate-limited). Thread
/// safe.
///
/// A call is a POST of a JSON object whose `type` is connect, disconnect, listening, message or upload, or the outcome
/// of a delivery report. Its headers:
///   - `traceparent` and `tracestate` of the page's request, if it has valid ones (W3C Trace Context);
///   - `X-Sse-Event`: the type, `X-Sse-Delivery`: an id that stays the same when a notification is repeated;
///   - with a secret, `X-Sse-Timestamp`: seconds since 1970 and `X-Sse-Signature`: `sha256=` and the hexadecimal
///     HMAC-SHA256 of timestamp, a dot and the JSON. When an upload's files are in the body, the JSON contains
///     the `sha256` of each, so that the signature covers them, too.
class HookCaller {
 public:
  /// Throws Error(kInvalidArgument).
  HookCaller(HookOptions options, std::string server_id, observe::Registry& metrics);

  /// `body`: all fields except type, id, time and serverId, which are added. `trace`: of the page's request. Throws as
  /// HttpCaller::post().
  net::HttpCaller::Answer call(const std::string& type, const std::string& delivery, WallTime time, event::Json body,
                               const TraceHeaders& trace = {});
  /// As call(), with the files as further parts of a multipart/form-data body; the JSON is the first part, `event`.
  net::HttpCaller::Answer call_with_files(const std::string& type, const std::string& delivery, WallTime time,
                                          event::Json body, const std::vector<UploadedFile>& files,
                                          const TraceHeaders& trace = {});
  /// As call(), for notifications, which no page waits for: they continue after stop_requests().
  net::HttpCaller::Answer notify(const std::string& type, const std::string& delivery, WallTime time, event::Json body);
  /// As notify(), for delivery reports: until stop_reports().
  net::HttpCaller::Answer report(const std::string& type, const std::string& delivery, WallTime time, event::Json body);
  /// Replaces the secret that signs calls.
  void set_secret(std::string secret) EXCLUDES(mutex_);
  /// Ends calls that pages wait for; later ones fail immediately.
  void stop_requests() { requests_.stop(); }
  /// Ends calls of report(); later ones fail immediately.
  void stop_reports() { reports_.stop(); }
  /// Ends all calls.
  void stop();

  const HookOptions& options() const { return options_; }
  const std::string& server_id() const { return server_id_; }
  /// Counts and logs a call with an invalid answer.
  void count_invalid_answer(const std::string& type, const std::string& why);

 private:
  net::HttpCaller::Answer send_json(net::HttpCaller& http, const std::string& type, const std::string& delivery,
                                    WallTime time, event::Json&& body, const TraceHeaders& trace);
  net::HttpCaller::Answer send(net::HttpCaller& http, const std::string& type, const std::string& delivery,
                               const std::string& signed_text, net::HttpCaller::Request request) EXCLUDES(mutex_);
  void count(const std::string& type, const std::string& outcome);
  void log_failure(const std::string& type, const std::string& why);

  const HookOptions options_;
  const std::string server_id_;
  observe::Registry& metrics_;
  observe::Histogram& seconds_;
  net::HttpCaller requests_;
  net::HttpCaller notifications_;
  net::HttpCaller reports_;
  observe::LogThrottle log_throttle_{std::chrono::seconds(5)};

  Mutex mutex_;
  std::string secret_ GUARDED_BY(mutex_);
};

/// The application behind `--hook`: forwards connects, messages and uploads to the hook. `caller` must outlive it.
std::unique_ptr<Application> make_hook_application(HookCaller& caller, IdGenerator& ids);

/// The lower-case hexadecimal SHA-256 of a file. Throws Error.
std::string sha256_of_file(const std::string& path);

}  // namespace sse::application
