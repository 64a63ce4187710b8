#include "auth/webhook_authenticator.h"

#include <unordered_map>
#include <utility>

#include "auth/channel_pattern.h"
#include "auth/hmac.h"
#include "base/error.h"
#include "base/mutex.h"
#include "event/json.h"
#include "event/target.h"
#include "net/http_caller.h"
#include "observe/log.h"
#include "observe/log_throttle.h"

namespace sse::auth {
namespace {

using event::Json;

constexpr std::size_t kMaxCached = 10'000;
constexpr std::size_t kMaxCachedBytes = std::size_t{16} * 1024 * 1024;
constexpr std::chrono::milliseconds kMaxCachedRefusal{2000};
constexpr std::chrono::seconds kLogInterval{5};

std::string id_field(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found != json.end() && found->is_number_integer()) return found->dump();
  return event::string_field(json, name);
}

std::vector<std::string> channels_field(const Json& json, const std::string& name) {
  const auto list = json.find(name);
  if (list == json.end()) return {};
  try {
    return user_channels_in(*list);
  } catch (const Error& e) {
    throw Error(ErrorCode::kInvalidArgument, "its answer's '" + name + "' " + e.what());
  }
}

User user_of(const Json& json) {
  User user;
  if (!json.is_object()) throw Error(ErrorCode::kInvalidArgument, "its answer is not a JSON object");
  user.identity.user = UserId(id_field(json, "user"));
  if (user.identity.user.empty()) throw Error(ErrorCode::kInvalidArgument, "its answer has no field 'user'");
  user.identity.tenant = TenantId(id_field(json, "tenant"));
  user.identity.token = AccessToken(id_field(json, "token"));
  if (const auto profile = json.find("profile"); profile != json.end() && !profile->is_null())
    user.profile = event::dump_json(*profile);
  if (user.profile.size() > kMaxProfileBytes)
    throw Error(ErrorCode::kTooLarge,
                "its answer's 'profile' is larger than " + std::to_string(kMaxProfileBytes) + " bytes");
  user.channels = channels_field(json, "channels");
  user.publish = channels_field(json, "publish");
  for (const std::string* name : {&user.identity.user.str(), &user.identity.tenant.str(), &user.identity.token.str()}) {
    if (name->size() > event::kMaxNameBytes)
      throw Error(ErrorCode::kTooLarge,
                  "its answer has a name of more than " + std::to_string(event::kMaxNameBytes) + " bytes");
  }
  return user;
}

class WebhookAuthenticator final : public Authenticator {
 public:
  explicit WebhookAuthenticator(WebhookOptions options)
      : options_(std::move(options)), http_(options_.url, "--auth-url", options_.timeout, *options_.clock) {}

  std::optional<User> authenticate(const PageRequest& request) override {
    net::HttpCaller::Request call;
    Json parameters = Json::object();
    for (const std::string& name : options_.parameters) {
      if (const std::string value = request.parameter(name); !value.empty()) parameters[name] = value;
    }
    call.body = event::dump_json(
        {{"parameters", std::move(parameters)}, {"address", request.address()}, {"origin", request.header("Origin")}});
    std::string key = call.body;
    for (const char* name : {"Authorization", "Cookie"}) {
      const std::string value = request.header(name);
      key += '\0' + value;
      if (!value.empty()) call.headers.emplace_back(name, value);
    }
    // Not the credentials themselves: an attacker that reads this memory must not be able to use the cache keys.
    key = hmac_sha256_hex("sse-auth", key);
    if (auto known = find(key)) return std::move(*known);
    std::optional<User> user = ask(call);
    remember(key, user);
    return user;
  }

  void stop() override { http_.stop(); }

 private:
  struct CachedAnswer {
    std::optional<User> user;
    SteadyTime until;

    std::size_t bytes() const {
      constexpr std::size_t kKeyAndNode = 192;
      if (!user) return sizeof(CachedAnswer) + kKeyAndNode;
      std::size_t channels = 0;
      for (const auto* list : {&user->channels, &user->publish}) {
        for (const std::string& one : *list) channels += sizeof(one) + one.size();
      }
      return sizeof(CachedAnswer) + kKeyAndNode + user->profile.size() + user->identity.user.str().size() +
             user->identity.tenant.str().size() + user->identity.token.str().size() + channels;
    }
  };

  std::optional<User> ask(const net::HttpCaller::Request& call) {
    std::string why;
    try {
      const net::HttpCaller::Answer answer = http_.post(call);
      if (answer.status == 401 || answer.status == 403) return std::nullopt;
      if (answer.status < 300) return user_of(event::parse_json(answer.body, "its answer"));
      why = "it answered with status " + std::to_string(answer.status);
    } catch (const Error& e) {
      why = e.what();
    }
    log_failure(why);
    throw Error(ErrorCode::kUnavailable, "the sender could not be authenticated at present; try again later");
  }

  std::optional<std::optional<User>> find(const std::string& key) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto found = cache_.find(key);
    if (found == cache_.end()) return std::nullopt;
    if (found->second.until <= options_.clock->steady_now()) {
      cache_bytes_ -= found->second.bytes();
      cache_.erase(found);
      return std::nullopt;
    }
    return found->second.user;
  }

  void remember(const std::string& key, const std::optional<User>& user) EXCLUDES(mutex_) {
    if (options_.cache.count() == 0) return;
    const SteadyTime now = options_.clock->steady_now();
    const MutexLock lock(mutex_);
    CachedAnswer fresh{user, now + (user ? options_.cache : std::min(options_.cache, kMaxCachedRefusal))};
    const auto full = [&]() REQUIRES(mutex_) {
      return cache_.size() >= kMaxCached || cache_bytes_ + fresh.bytes() > kMaxCachedBytes;
    };
    if (full()) {
      std::erase_if(cache_, [&](const auto& one) REQUIRES(mutex_) {
        const bool old = one.second.until <= now;
        if (old) cache_bytes_ -= one.second.bytes();
        return old;
      });
    }
    if (full()) {
      cache_.clear();
      cache_bytes_ = 0;
    }
    cache_bytes_ += fresh.bytes();
    const auto [place, is_new] = cache_.try_emplace(key);
    if (!is_new) cache_bytes_ -= place->second.bytes();
    place->second = std::move(fresh);
  }

  void log_failure(const std::string& why) {
    if (log_throttle_.line(options_.clock->steady_now()))
      observe::log_warn("the authentication service failed (--auth-url)", {{"error", why}});
  }

  const WebhookOptions options_;
  net::HttpCaller http_;
  observe::LogThrottle log_throttle_{kLogInterval};
  Mutex mutex_;
  std::unordered_map<std::string, CachedAnswer> cache_ GUARDED_BY(mutex_);
  std::size_t cache_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::unique_ptr<Authenticator> make_webhook_authenticator(WebhookOptions options) {
  return std::make_unique<WebhookAuthenticator>(std::move(options));
}

}  // namespace sse::auth
