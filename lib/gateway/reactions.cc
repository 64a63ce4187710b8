#include "gateway/reactions.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "gateway/secret_file.h"
#include "gateway/upload_reader.h"

namespace sse::gateway {
namespace {

constexpr std::chrono::milliseconds kLastWords{2000};
constexpr std::chrono::milliseconds kMostWait{30'000};

BulkheadOptions bulkheads_of(const ServerOptions& options, bool connects_block) {
  BulkheadOptions bulkheads;
  for (const auto& [name, path] : options.services) bulkheads.services.push_back(path);
  bulkheads.connects_may_block = connects_block;
  bulkheads.threads = options.hook_threads;
  bulkheads.clock = options.clock;
  // Callbacks of a program have no time limit that it could be derived from.
  bulkheads.most_wait =
      options.hook.empty() ? kMostWait : std::max(options.hook_timeout, std::chrono::milliseconds(1000));
  bulkheads.max_body = options.max_body;
  bulkheads.max_upload = options.max_upload;
  return bulkheads;
}

std::unique_ptr<HookCaller> hook_of(const ServerOptions& options, std::string server_id, observe::Registry& metrics) {
  if (options.hook.empty()) return nullptr;
  HookOptions hook;
  hook.url = options.hook;
  hook.clock = options.clock;
  hook.timeout = options.hook_timeout;
  hook.queue = options.hook_queue;
  hook.forward_uploads = options.forward_uploads;
  if (!options.hook_secret_file.empty()) hook.secret = read_secret_file(options.hook_secret_file, "--hook-secret-file");
  return std::make_unique<HookCaller>(std::move(hook), std::move(server_id), metrics);
}

}  // namespace

Reactions::Reactions(const ServerOptions& options, std::string server_id, std::unique_ptr<Application> application,
                     Callbacks callbacks, IdGenerator& ids, observe::Registry& metrics)
    : hook_secret_file_(options.hook_secret_file),
      happenings_(*options.clock),
      hook_(hook_of(options, std::move(server_id), metrics)),
      notifier_(hook_ ? std::make_unique<HookNotifier>(*hook_, ids, metrics) : nullptr),
      callbacks_(std::move(callbacks), metrics),
      application_(application ? std::move(application)
                   : hook_     ? make_hook_application(*hook_, ids)
                               : make_demo_application()),
      bulkheads_(bulkheads_of(options, hook_ != nullptr || options.authentication_blocks)) {
  if (notifier_) happenings_.add_sink(*notifier_);
  happenings_.add_sink(callbacks_);
}

void Reactions::reload() {
  if (hook_ && !hook_secret_file_.empty()) hook_->set_secret(read_secret_file(hook_secret_file_, "--hook-secret-file"));
}

void Reactions::stop_requests() {
  if (hook_) hook_->stop_requests();
  bulkheads_.stop();
}

void Reactions::stop() {
  if (notifier_) notifier_->stop(kLastWords);
  if (hook_) hook_->stop();
  callbacks_.stop();
}

void check_reactions(const ServerOptions& options) {
  const auto bad = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  if (!options.hook.empty()) {
    [[maybe_unused]] const HttpCaller caller(options.hook, "--hook", options.hook_timeout);
    if (options.hook_timeout < std::chrono::milliseconds(10) || options.hook_timeout > std::chrono::minutes(10))
      bad("--hook-timeout must be from 10ms to 10m");
  } else {
    if (!options.hook_secret_file.empty()) bad("--hook-secret-file signs calls of a hook; name it with --hook");
    if (options.forward_uploads) bad("--hook-uploads is about calls of a hook; name it with --hook");
  }
  if (options.hook_queue == 0) bad("--hook-queue must be at least 1");
  if (options.hook_threads == 0) bad("--hook-threads must be at least 1");
  if (options.max_upload.count() == 0) bad("--max-upload must be more than 0");
  if (!options.upload_folder.empty()) {
    struct stat status {};
    if (::stat(options.upload_folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        ::access(options.upload_folder.c_str(), W_OK | X_OK) != 0) {
      bad("--upload-dir '" + options.upload_folder + "' is no folder this user may write to");
    }
  }
}

}  // namespace sse::gateway
