#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/authenticator.h"
#include "auth/channel_access.h"
#include "auth/channel_rules.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace sse::auth {

/// Whether a page may publish to a channel.
enum class PublishRight : unsigned char {
  kRefused,
  kAllowed,
  kSubscriber,   ///< if its stream is in the channel
  kApplication,  ///< if the application accepts the event
};

/// The right in JSON, for operators: `allowed`, `refused`, `subscriber` or `hook`.
const char* right_name(PublishRight right);

/// The answer about one channel.
struct PublishAnswer {
  PublishRight right = PublishRight::kRefused;
  ChannelBasis basis = ChannelBasis::kNothing;
  /// The rule with ChannelBasis::kRule, the name or pattern with kCredentials.
  std::string rule{};
};

/// Decides to which channels the pages of a user may publish. It is closed: what neither the credentials of the user
/// nor a rule of --publish-rule allow is refused, also in channels that the user may join. The one exception is the
/// demo authentication, where a page may be any user anyway: without rules everything is open. Thread safe.
class PublishAccess {
 public:
  /// `demo`: of the demo authentication. Throws Error(kInvalidArgument) that names a rule.
  PublishAccess(bool demo, const std::vector<std::string>& rules);

  /// Replaces the rules. Throws as the constructor; then the earlier rules stay in effect.
  void set_rules(const std::vector<std::string>& rules) EXCLUDES(mutex_);
  PublishAnswer ask(const User& user, const ChannelName& channel) const EXCLUDES(mutex_);

 private:
  const bool demo_;
  mutable Mutex mutex_;
  std::shared_ptr<const ChannelRules> rules_ GUARDED_BY(mutex_);
};

}  // namespace sse::auth
