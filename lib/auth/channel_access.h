#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/authenticator.h"
#include "auth/channel_rules.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "hub/channel_review.h"

namespace sse::auth {

/// What decides about a channel.
enum class ChannelBasis : unsigned char {
  kNothing,      ///< nothing names it: it is refused
  kOpen,         ///< every channel is open: the demo authentication without rules
  kCredentials,  ///< User::channels
  kRule,
};

/// The answer about one channel.
struct ChannelAnswer {
  ChannelName channel;
  ChannelRight right = ChannelRight::kRefused;
  ChannelBasis basis = ChannelBasis::kNothing;
  /// The rule with kRule, the name or pattern with kCredentials.
  std::string rule{};
};

/// Decides which channels a user may join. It is closed: what neither the credentials of the user nor a rule allow is
/// refused. The one exception is the demo authentication, where a page may be any user anyway: without rules everything
/// is open.
///
/// The question is asked for all names of a request at once, because the application, which answers next, is asked once
/// for all of them. Thread safe.
class ChannelAccess {
 public:
  /// `demo`: of the demo authentication. Throws Error(kInvalidArgument) that names a rule.
  ChannelAccess(bool demo, const std::vector<std::string>& rules);

  /// Replaces the rules. Throws as the constructor; then the earlier rules stay in effect.
  void set_rules(const std::vector<std::string>& rules) EXCLUDES(mutex_);

  /// One consistent set of answers.
  struct Answers {
    std::vector<ChannelAnswer> list;  ///< in the order of the channels
    std::uint32_t version = 0;        ///< of the rules
  };
  Answers ask(const User& user, const std::vector<ChannelName>& channels) const EXCLUDES(mutex_);

  /// For the streams that have joined by earlier rules.
  std::shared_ptr<const hub::ChannelReview> review() const EXCLUDES(mutex_);
  /// Whether every channel is refused that neither credentials nor the application open.
  bool closed() const EXCLUDES(mutex_);

 private:
  struct Snapshot {
    ChannelRules rules;
    std::uint32_t version = 0;
    bool open = false;
  };
  std::shared_ptr<const Snapshot> snapshot() const EXCLUDES(mutex_);

  const bool demo_;
  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> current_ GUARDED_BY(mutex_);
};

}  // namespace sse::auth
