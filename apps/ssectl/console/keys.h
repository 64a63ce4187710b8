#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"

namespace sse::ctl {

/// The secrets of `ssectl console`. A one-time token stands in the address that is printed: it may end up in a history
/// or be seen on a screen. The page exchanges it once, soon, for the key of its session, which no other program sees.
/// Both are 256 random bits. Thread safe.
class ConsoleKeys {
 public:
  static constexpr std::chrono::seconds kTokenLifetime{60};
  /// The oldest ones beyond these numbers become invalid.
  static constexpr std::size_t kMaxTokens = 4;
  static constexpr std::size_t kMaxSessions = 8;

  explicit ConsoleKeys(const Clock& clock = Clock::system()) : clock_(clock) {}

  /// A new one-time token.
  std::string create_token() EXCLUDES(mutex_);
  /// The key of a new session; nullopt for a token that is unknown, used or expired.
  std::optional<std::string> redeem(std::string_view token) EXCLUDES(mutex_);
  /// True for the key of a session.
  bool is_session(std::string_view key) const EXCLUDES(mutex_);

 private:
  struct Token {
    std::string text;
    SteadyTime expires;
  };

  const Clock& clock_;
  mutable Mutex mutex_;
  std::deque<Token> tokens_ GUARDED_BY(mutex_);
  std::deque<std::string> sessions_ GUARDED_BY(mutex_);
};

}  // namespace sse::ctl
