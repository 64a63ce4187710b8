#pragma once

#include <memory>

#include "application/activity_log.h"
#include "application/bulkheads.h"
#include "application/callbacks.h"
#include "application/hook.h"
#include "application/hook_notifier.h"
#include "server/server.h"

namespace sse::server {

/// Connects the server to its application: owns the activity log and its listeners, the hook or the program's
/// callbacks, and the threads on which requests of pages wait for them.
class ApplicationBridge {
 public:
  /// `application` null: the hook's if --hook is set, else the demo application. `demo_authentication`: a page may be
  /// any user, so that pages may also publish. Throws Error.
  ApplicationBridge(const ServerOptions& options, bool demo_authentication, std::string server_id,
                    std::unique_ptr<application::Application> application, application::Callbacks callbacks,
                    IdGenerator& ids, observe::Registry& metrics);

  application::ActivityLog& activity_log() { return activity_log_; }
  application::Application& application() { return *application_; }
  /// Whether the application wants to know which channels are occupied.
  bool wants_channels() const { return tells_hook_channels_ || callbacks_.wants_channels(); }
  application::Bulkheads& bulkheads() { return bulkheads_; }
  /// Null: there is none.
  application::HookCaller* hook() { return hook_.get(); }
  /// Reads the hook's secret again. Throws Error and keeps the old secret if that fails.
  void reload();
  /// Ends requests that wait for the application. Call before the loops of the HTTP fronts stop.
  void stop_requests();
  /// Delivers the remaining notifications. Call after the last stream has ended.
  void stop();

 private:
  const std::string hook_secret_file_;
  const bool tells_hook_channels_;
  application::ActivityLog activity_log_;
  std::unique_ptr<application::HookCaller> hook_;
  std::unique_ptr<application::HookNotifier> notifier_;
  application::CallbackListener callbacks_;
  std::unique_ptr<application::Application> application_;
  application::Bulkheads bulkheads_;
};

/// Checks the options for the hook and for uploads. Throws Error(kInvalidArgument) naming the invalid option.
void check_application_options(const ServerOptions& options);

}  // namespace sse::server
