#include "ssectl/console/keys.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <utility>

#include "auth/base64url.h"
#include "base/error.h"
#include "base/text.h"

namespace sse::ctl {
namespace {

std::string random_key() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Error(ErrorCode::kInternal, "OpenSSL has no random numbers for the console's token");
  return auth::base64url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

std::string ConsoleKeys::create_token() {
  std::string text = random_key();
  const MutexLock lock(mutex_);
  if (tokens_.size() == kMaxTokens) tokens_.pop_front();
  tokens_.push_back({text, clock_.steady_now() + kTokenLifetime});
  return text;
}

std::optional<std::string> ConsoleKeys::redeem(std::string_view token) {
  std::string key = random_key();
  const MutexLock lock(mutex_);
  const SteadyTime now = clock_.steady_now();
  std::erase_if(tokens_, [now](const Token& one) { return one.expires <= now; });
  if (std::erase_if(tokens_, [token](const Token& one) { return constant_time_equal(one.text, token); }) == 0)
    return std::nullopt;
  if (sessions_.size() == kMaxSessions) sessions_.pop_front();
  sessions_.push_back(key);
  return key;
}

bool ConsoleKeys::is_session(std::string_view key) const {
  const MutexLock lock(mutex_);
  return std::ranges::any_of(sessions_, [key](const std::string& one) { return constant_time_equal(one, key); });
}

}  // namespace sse::ctl
