#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "auth/channel_access.h"
#include "base/clock.h"
#include "base/ids.h"
#include "hub/connection.h"
#include "observe/log_throttle.h"
#include "observe/metrics.h"
#include "sse-server/callbacks.h"

namespace sse::pages {

/// Decides whether a stream may join the channels that its page asks for: the credentials of the user and the rules
/// first, then the application. Also counts the channels that are refused, in `sse_channels_refused_total`, and logs
/// them, there at most kLines times in kInterval. Thread safe.
class ChannelGate {
 public:
  static constexpr int kLines = 10;
  static constexpr std::chrono::seconds kInterval{10};

  /// References must outlive this.
  ChannelGate(const auth::ChannelAccess& access, observe::Registry& metrics, const Clock& clock)
      : access_(access), metrics_(metrics), clock_(clock) {}

  /// The channels of a page's request, on their way through the decision.
  struct Request {
    auth::ChannelAccess::Answers answers;    ///< by credentials and rules
    std::vector<RequestedChannel> channels;  ///< the same, for the application to change
  };
  Request ask(const auth::User& user, const std::vector<ChannelName>& channels) const;
  /// What the application puts a stream into.
  struct Placed {
    ChannelName first{};                ///< in the place of the first channel of the request; may be that
    std::vector<ChannelName> joined{};  ///< besides those of the request
  };
  /// Makes the decision of the application, and the rules where it has none, that of the stream. Throws
  /// Error(kLimitExceeded) if it is in more than hub::kMaxChannels then.
  static void decide(const Request& request, const Placed& placed, hub::NewConnection& connection);
  /// The same about further channels of an open stream.
  struct Decision {
    std::vector<hub::JoinedChannel> allowed{};
    std::vector<hub::RefusedChannel> refused{};
  };
  static Decision decide(const Request& request);
  /// Records the channels that a stream of `user` is refused.
  void note(const ServiceName& service, const Request& request, const std::vector<hub::RefusedChannel>& refused,
            const UserId& user, const std::string& address);

  /// Whether a user may read what concerns a channel without a stream in it: by the credentials or a rule alone.
  bool may_read(const auth::User& user, const ChannelName& channel) const;

 private:
  const auth::ChannelAccess& access_;
  observe::Registry& metrics_;
  const Clock& clock_;
  observe::LogThrottle throttle_{kInterval, kLines};
};

}  // namespace sse::pages
