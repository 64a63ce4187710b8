#include "auth/jwt_authenticator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "auth/base64url.h"
#include "auth/channel_pattern.h"
#include "auth/secret_file.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/text.h"
#include "event/json.h"
#include "observe/log.h"
#include "observe/log_throttle.h"

namespace sse::auth {
namespace {

using event::Json;

constexpr std::chrono::seconds kRefusalLogInterval{1};

Error refused(const std::string& why) {
  return {ErrorCode::kUnauthenticated, why};
}

Json json_part(std::string_view part, const char* what) {
  const auto text = base64url_decode(part);
  if (!text) throw refused(std::string("its ") + what + " is not base64url text");
  Json json;
  try {
    json = event::parse_json(*text, what);
  } catch (const Error&) {
    throw refused(std::string("its ") + what + " is not JSON");
  }
  if (!json.is_object()) throw refused(std::string("its ") + what + " is not a JSON object");
  return json;
}

// RFC 7519 §2, NumericDate: seconds, possibly with a fraction.
std::optional<WallTime> time_claim(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end()) return std::nullopt;
  const double seconds = found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(seconds) || std::abs(seconds) > 1e12) throw refused(std::string("its ") + name + " is not a time");
  return from_millis(static_cast<std::int64_t>(seconds * 1000));
}

std::string text_claim(const Json& claims, const std::string& name) {
  const auto found = name.empty() ? claims.end() : claims.find(name);
  if (found == claims.end() || found->is_null()) return "";
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return found->dump();
  throw refused("its claim '" + printable(name, 40) + "' is neither a string nor an integer");
}

std::vector<std::string> channels_claim(const Json& claims, const std::string& name) {
  const auto found = name.empty() ? claims.end() : claims.find(name);
  if (found == claims.end()) return {};
  try {
    return user_channels_in(*found);
  } catch (const Error& e) {
    throw refused("its claim '" + printable(name, 40) + "' " + e.what());
  }
}

void check_audience(const Json& claims, const JwtOptions& options) {
  const auto aud = claims.find("aud");
  if (aud == claims.end()) {
    if (!options.audience.empty()) throw refused("it names no audience (--jwt-audience)");
    return;
  }
  const auto ours = [&](const Json& one) {
    return one.is_string() && std::ranges::find(options.audience, one.get<std::string>()) != options.audience.end();
  };
  const bool meant = aud->is_array() ? std::ranges::any_of(*aud, ours) : ours(*aud);
  // RFC 7519 §4.1.3: a recipient that is not in `aud` must refuse the token.
  if (!meant) throw refused("it is for another audience (--jwt-audience)");
}

struct TokenParts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_text;
};

TokenParts split_token(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    throw refused("it does not have three parts");
  return {token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1),
          token.substr(0, second)};
}

std::string key_id_in(const Json& header) {
  const auto kid = header.find("kid");
  return kid != header.end() && kid->is_string() ? kid->get<std::string>() : std::string();
}

std::string key_id_of(std::string_view token) {
  return key_id_in(json_part(split_token(token).header, "header"));
}

class JwtAuthenticator final : public Authenticator {
 public:
  explicit JwtAuthenticator(JwtOptions options) : options_(std::move(options)) {
    if (finds_keys_of_issuer(options_)) {
      issuer_ = std::make_unique<IssuerKeys>(issuer_options(options_));
    } else {
      read();
    }
  }

  std::optional<User> authenticate(const PageRequest& request) override {
    const std::string token = token_of(request);
    if (token.empty()) return std::nullopt;
    try {
      return user_of_token(token, *keys_for(token), options_, options_.clock->wall_now());
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kUnauthenticated) throw;
      log_refusal(request, e.what());
      throw;
    }
  }

  void reload() override {
    if (issuer_ != nullptr) {
      issuer_->reload();
    } else {
      read();
    }
  }

  void stop() override {
    if (issuer_ != nullptr) issuer_->stop();
  }

 private:
  std::shared_ptr<const JwtKeys> keys_for(const std::string& token) EXCLUDES(mutex_) {
    if (issuer_ != nullptr) return issuer_->keys_for(key_id_of(token));
    const MutexLock lock(mutex_);
    return keys_;
  }

  // The first token of a new application fails without a visible reason otherwise. Any client can send invalid tokens,
  // so that further ones within a second are logged at debug only.
  void log_refusal(const PageRequest& request, const char* reason) {
    const bool shown = log_throttle_.line(options_.clock->steady_now()).has_value();
    (shown ? observe::log_info : observe::log_debug)("a token was refused",
                                                     {{"address", request.address()}, {"reason", reason}});
  }

  void read() EXCLUDES(mutex_) {
    JwtKeys keys;
    const auto what = [](const char* option, const std::string& file) {
      return std::string(option) + " '" + printable(file, 200) + "'";
    };
    if (!options_.key_file.empty()) {
      constexpr const char* kOption = "--jwt-key-file";
      keys.add(JwtKeys::parse(read_whole_file(options_.key_file, kOption), what(kOption, options_.key_file)));
    }
    if (!options_.secret_file.empty()) {
      constexpr const char* kOption = "--jwt-secret-file";
      keys.add(
          JwtKeys::parse_secret(read_whole_file(options_.secret_file, kOption), what(kOption, options_.secret_file)));
      warn_if_readable_by_others(options_.secret_file, kOption);
    }
    // Replaces the old keys only after all files were read successfully.
    const MutexLock lock(mutex_);
    keys_ = std::make_shared<const JwtKeys>(std::move(keys));
  }

  std::string token_of(const PageRequest& request) const {
    constexpr std::string_view kScheme = "bearer ";
    const std::string header = request.header("Authorization");
    if (!header.empty()) {
      return to_lower(header.substr(0, kScheme.size())) == kScheme ? header.substr(kScheme.size()) : std::string();
    }
    if (std::string parameter = request.parameter("access-token"); !parameter.empty()) return parameter;
    return options_.cookie.empty() ? std::string() : cookie_value(request.header("Cookie"), options_.cookie);
  }

  const JwtOptions options_;
  std::unique_ptr<IssuerKeys> issuer_;  // null: the keys are those of the files
  observe::LogThrottle log_throttle_{kRefusalLogInterval};
  Mutex mutex_;
  std::shared_ptr<const JwtKeys> keys_ GUARDED_BY(mutex_);
};

}  // namespace

User user_of_token(const std::string& token, const JwtKeys& keys, const JwtOptions& options, WallTime now) {
  const TokenParts parts = split_token(token);
  const Json head = json_part(parts.header, "header");
  const auto alg = head.find("alg");
  if (alg == head.end() || !alg->is_string()) throw refused("its header names no algorithm");
  // RFC 7515 §4.1.11: a token with extensions that the recipient does not support is invalid.
  if (head.contains("crit")) throw refused("its header requires extensions (crit)");
  const std::string algorithm = alg->get<std::string>();
  if (!JwtKeys::is_supported(algorithm))
    throw refused("its algorithm (alg) is none of HS256, RS256, ES256, their forms of 384 and 512 bits, and EdDSA");
  const std::string key_id = key_id_in(head);
  const auto signature = base64url_decode(parts.signature);
  if (!signature || !keys.verify(algorithm, key_id, parts.signed_text, *signature)) {
    throw refused(key_id.empty() || keys.has_key_for(key_id)
                      ? "no key of --jwt-key-file, --jwt-secret-file or --jwt-issuer verifies its signature"
                      : "its key id (kid) is not that of a key of --jwt-key-file or --jwt-issuer");
  }
  const Json claims = json_part(parts.claims, "claims");
  const auto expires = time_claim(claims, "exp");
  if (!expires) throw refused("it has no expiration time (exp)");
  if (*expires + options.leeway <= now) throw refused("it has expired");
  if (const auto begins = time_claim(claims, "nbf"); begins && *begins - options.leeway > now)
    throw refused("it is not valid yet");
  if (!options.issuer.empty() && text_claim(claims, "iss") != options.issuer)
    throw refused("it is from another issuer (--jwt-issuer)");
  check_audience(claims, options);

  User user;
  const std::string id = text_claim(claims, options.user_claim);
  if (id.empty()) throw refused("its claim '" + printable(options.user_claim, 40) + "' names no user");
  user.identity.user = UserId(id);
  user.identity.tenant = TenantId(text_claim(claims, options.tenant_claim));
  user.identity.token = AccessToken(text_claim(claims, options.token_claim));
  Json profile{{"id", id}};
  if (const auto name = claims.find("name"); name != claims.end() && name->is_string()) profile["name"] = *name;
  if (const auto shown = claims.find("presence"); shown != claims.end() && shown->is_object())
    profile["presence"] = *shown;
  user.profile = event::dump_json(profile);
  user.channels = channels_claim(claims, options.channels_claim);
  user.publish = channels_claim(claims, options.publish_claim);
  user.expires = *expires + options.leeway;
  return user;
}

bool finds_keys_of_issuer(const JwtOptions& options) {
  return options.key_file.empty() && options.secret_file.empty() && IssuerKeys::is_discoverable(options.issuer);
}

IssuerKeys::Options issuer_options(const JwtOptions& options) {
  IssuerKeys::Options issuer;
  issuer.issuer = options.issuer;
  issuer.ca_file = options.issuer_ca_file;
  issuer.clock = options.clock;
  return issuer;
}

std::unique_ptr<Authenticator> make_jwt_authenticator(JwtOptions options) {
  return std::make_unique<JwtAuthenticator>(std::move(options));
}

std::string cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(';'), header.size());
    std::string_view pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(" \t"), pair.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return "";
}

}  // namespace sse::auth
