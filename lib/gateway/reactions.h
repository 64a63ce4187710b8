#pragma once

#include <memory>

#include "gateway/bulkheads.h"
#include "gateway/callbacks.h"
#include "gateway/happenings.h"
#include "gateway/hook.h"
#include "gateway/hook_notifier.h"
#include "gateway/server.h"

namespace sse::gateway {

/// The wiring of whatever reacts to pages: what happens and who is told, the hook or the program's callbacks, and the
/// threads on which pages wait for them.
class Reactions {
 public:
  /// `application` null: the hook where there is one, else the demo's. Throws Error.
  Reactions(const ServerOptions& options, std::string server_id, std::unique_ptr<Application> application,
            Callbacks callbacks, IdGenerator& ids, observe::Registry& metrics);

  Happenings& happenings() { return happenings_; }
  Application& application() { return *application_; }
  Bulkheads& bulkheads() { return bulkheads_; }
  /// Reads the hook's secret again. Throws Error, and then the old one stays.
  void reload();
  /// Ends requests that wait for the application. Before the fronts' loops stop.
  void stop_requests();
  /// Tells what is left to tell. After the last stream has gone.
  void stop();

 private:
  const std::string hook_secret_file_;
  Happenings happenings_;
  std::unique_ptr<HookCaller> hook_;
  std::unique_ptr<HookNotifier> notifier_;
  CallbackSink callbacks_;
  std::unique_ptr<Application> application_;
  Bulkheads bulkheads_;
};

/// Throws Error(kInvalidArgument) that names the option about the hook or uploads that makes no sense.
void check_reactions(const ServerOptions& options);

}  // namespace sse::gateway
