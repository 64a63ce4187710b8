#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace sse::ctl {

/// Confirms the messages of a stream on a thread of its own, up to 1000 in one call. A call that fails is repeated with
/// a growing pause, for the connection that is open then, because the server redelivers what is not confirmed. All
/// methods may be called from any thread.
class Confirmer {
 public:
  /// Confirms `ids` for a connection; false if the server did not accept that. Called on the thread of the confirmer.
  using Confirm = std::function<bool(const std::string& connection, const std::vector<std::string>& ids)>;

  explicit Confirmer(Confirm confirm, const Clock& clock = Clock::system());
  /// Calls finish().
  ~Confirmer();
  Confirmer(const Confirmer&) = delete;
  Confirmer& operator=(const Confirmer&) = delete;

  /// A connection was opened. Without `expects_confirmations` the server does not accept any for it.
  void opened(const std::string& connection, bool expects_confirmations);
  /// Confirms this message soon, unless the server expects no confirmations. Remembers at most 10,000 messages: of more
  /// it forgets the oldest.
  void confirm(const std::string& id);
  /// Tries once more to confirm what is unconfirmed, then ends the thread.
  void finish();

 private:
  void run();

  const Confirm confirm_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::string connection_ GUARDED_BY(mutex_);
  bool expects_confirmations_ GUARDED_BY(mutex_) = false;
  std::deque<std::string> unconfirmed_ GUARDED_BY(mutex_);
  bool finishing_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses the members above
};

}  // namespace sse::ctl
