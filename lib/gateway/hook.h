#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "gateway/application.h"
#include "gateway/happenings.h"
#include "gateway/http_caller.h"
#include "observe/metrics.h"

namespace sse::gateway {

/// How `--hook URL` is called.
struct HookOptions {
  std::string url;                          ///< empty: there is no hook
  std::chrono::milliseconds timeout{5000};  ///< for one call, its answer included
  std::size_t queue = 10'000;               ///< most notifications that wait
  std::string secret;                       ///< signs the calls; empty: they are not signed
  bool forward_uploads = false;             ///< files as multipart/form-data instead of by path
  const Clock* clock = &Clock::system();    ///< outlives the caller
};

/// Speaks to the hook: signs, sends, counts, logs (not every single failure). Thread safe.
///
/// A call is a POST of a JSON object whose `type` is connect, disconnect, listening, message or upload. Its headers:
///   - `X-Sse-Event`: the type, `X-Sse-Delivery`: an id that stays the same when a notification is repeated;
///   - with a secret, `X-Sse-Timestamp`: seconds since 1970 and `X-Sse-Signature`: `sha256=` and the hexadecimal
///     HMAC-SHA256 of timestamp, a dot and the JSON. Of an upload with its files in the body the JSON holds the
///     `sha256` of each, so that the signature covers them, too.
class HookCaller {
 public:
  /// Throws Error(kInvalidArgument).
  HookCaller(HookOptions options, std::string server_id, observe::Registry& metrics);

  /// `body`: the fields but type, id, time and serverId, which are added. Throws as HttpCaller::post().
  HttpCaller::Answer call(const std::string& type, const std::string& delivery, WallTime time, event::Json body);
  /// As call(), with the files as further parts of a multipart/form-data body; the JSON is the first part, `event`.
  HttpCaller::Answer call_with_files(const std::string& type, const std::string& delivery, WallTime time,
                                     event::Json body, const std::vector<UploadedFile>& files);
  /// As call(), for what nobody waits for: it goes on after stop_requests().
  HttpCaller::Answer notify(const std::string& type, const std::string& delivery, WallTime time, event::Json body);
  /// What signs calls from now on.
  void set_secret(std::string secret) EXCLUDES(mutex_);
  /// Ends calls that pages wait for; later ones fail at once.
  void stop_requests() { requests_.stop(); }
  /// Ends everything.
  void stop();

  const HookOptions& options() const { return options_; }
  const std::string& server_id() const { return server_id_; }
  /// Counts what came of a call that was answered with nonsense.
  void count_garbage(const std::string& type, const std::string& why);

 private:
  HttpCaller::Answer send_json(HttpCaller& http, const std::string& type, const std::string& delivery, WallTime time,
                               event::Json&& body);
  HttpCaller::Answer send(HttpCaller& http, const std::string& type, const std::string& delivery,
                          const std::string& signed_text, HttpCaller::Request request) EXCLUDES(mutex_);
  void count(const std::string& type, const std::string& outcome);
  void complain(const std::string& type, const std::string& why) EXCLUDES(mutex_);

  const HookOptions options_;
  const std::string server_id_;
  observe::Registry& metrics_;
  observe::Histogram& seconds_;
  HttpCaller requests_;
  HttpCaller notifications_;

  Mutex mutex_;
  std::string secret_ GUARDED_BY(mutex_);
  SteadyTime last_complaint_ GUARDED_BY(mutex_){};
  std::uint64_t untold_ GUARDED_BY(mutex_) = 0;
};

/// The application behind `--hook`: asks it about connects, messages and uploads. `caller` must outlive it.
std::unique_ptr<Application> make_hook_application(HookCaller& caller, IdGenerator& ids);

/// The lower-case hexadecimal HMAC-SHA256.
std::string hmac_sha256_hex(const std::string& key, const std::string& text);

/// The lower-case hexadecimal SHA-256 of a file. Throws Error.
std::string sha256_of_file(const std::string& path);

}  // namespace sse::gateway
