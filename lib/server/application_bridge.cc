#include "server/application_bridge.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "application/upload_reader.h"
#include "auth/secret_file.h"

namespace sse::server {
namespace {

constexpr std::chrono::milliseconds kNotifyDrainTimeout{2000};
constexpr std::chrono::milliseconds kMaxWait{30'000};

application::BulkheadOptions bulkheads_of(const ServerOptions& options, bool connects_block) {
  application::BulkheadOptions bulkheads;
  for (const auto& [name, path] : options.services) bulkheads.services.push_back(path);
  bulkheads.connects_may_block = connects_block;
  bulkheads.threads = options.hook_threads;
  bulkheads.clock = options.clock;
  // Callbacks have no timeout to derive the limit from.
  bulkheads.max_wait =
      options.hook.empty() ? kMaxWait : std::max(options.hook_timeout, std::chrono::milliseconds(1000));
  bulkheads.max_body = options.max_body;
  bulkheads.max_upload = options.max_upload;
  return bulkheads;
}

std::unique_ptr<application::HookCaller> hook_of(const ServerOptions& options, std::string server_id,
                                                 observe::Registry& metrics) {
  if (options.hook.empty()) return nullptr;
  application::HookOptions hook;
  hook.url = options.hook;
  hook.clock = options.clock;
  hook.timeout = options.hook_timeout;
  hook.queue = options.hook_queue;
  hook.forward_uploads = options.forward_uploads;
  if (!options.hook_secret_file.empty())
    hook.secret = auth::read_secret_file(options.hook_secret_file, "--hook-secret-file");
  return std::make_unique<application::HookCaller>(std::move(hook), std::move(server_id), metrics);
}

}  // namespace

ApplicationBridge::ApplicationBridge(const ServerOptions& options, bool demo_authentication, std::string server_id,
                                     std::unique_ptr<application::Application> application,
                                     application::Callbacks callbacks, IdGenerator& ids, observe::Registry& metrics)
    : hook_secret_file_(options.hook_secret_file),
      tells_hook_channels_(options.hook_channels),
      activity_log_(*options.clock),
      hook_(hook_of(options, std::move(server_id), metrics)),
      notifier_(hook_ ? std::make_unique<application::HookNotifier>(*hook_, ids, metrics) : nullptr),
      callbacks_(std::move(callbacks), metrics),
      application_(application ? std::move(application)
                   : hook_     ? application::make_hook_application(*hook_, ids)
                               : application::make_demo_application(demo_authentication)),
      bulkheads_(bulkheads_of(options, hook_ != nullptr || options.authentication_blocks)) {
  if (notifier_) activity_log_.add_listener(*notifier_);
  activity_log_.add_listener(callbacks_);
}

void ApplicationBridge::reload() {
  if (hook_ && !hook_secret_file_.empty())
    hook_->set_secret(auth::read_secret_file(hook_secret_file_, "--hook-secret-file"));
}

void ApplicationBridge::stop_requests() {
  if (hook_) hook_->stop_requests();
  bulkheads_.stop();
}

void ApplicationBridge::stop() {
  if (notifier_) notifier_->stop(kNotifyDrainTimeout);
  if (hook_) hook_->stop();
  callbacks_.stop();
}

void check_application_options(const ServerOptions& options) {
  const auto bad = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  if (!options.hook.empty()) {
    [[maybe_unused]] const net::HttpCaller caller(options.hook, "--hook", options.hook_timeout);
    if (options.hook_timeout < std::chrono::milliseconds(10) || options.hook_timeout > std::chrono::minutes(10))
      bad("--hook-timeout must be from 10ms to 10m");
  } else {
    if (!options.hook_secret_file.empty()) bad("--hook-secret-file signs hook calls; it needs --hook");
    if (options.hook_channels) bad("--hook-channels is about calls of the hook; it needs --hook");
    if (options.forward_uploads) bad("--hook-uploads applies to hook calls; it needs --hook");
  }
  if (options.hook_queue == 0) bad("--hook-queue must be at least 1");
  if (options.outbox_limit == 0) bad("--outbox-limit must be at least 1");
  if (options.hook_threads == 0) bad("--hook-threads must be at least 1");
  if (options.max_upload.count() == 0) bad("--max-upload must be more than 0");
  if (!options.upload_folder.empty()) {
    struct stat status {};
    if (::stat(options.upload_folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        ::access(options.upload_folder.c_str(), W_OK | X_OK) != 0) {
      bad("--upload-dir '" + options.upload_folder + "' is not a folder this user may write to");
    }
  }
}

}  // namespace sse::server
