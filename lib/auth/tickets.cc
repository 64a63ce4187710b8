#include "auth/tickets.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <utility>

#include "auth/base64url.h"
#include "auth/channel_pattern.h"
#include "auth/hmac.h"
#include "base/error.h"
#include "base/hex.h"
#include "base/text.h"
#include "base/units.h"
#include "event/json.h"
#include "event/target.h"

namespace sse::auth {
namespace {

using event::Json;

// Recognizable for scanners of secrets, and unlike what an application may have in a parameter of that name.
constexpr std::string_view kTicketPrefix = "sset_";
constexpr std::string_view kKeyPrefix = "ssek_";
constexpr std::size_t kTicketSecretBytes = 32;
constexpr std::size_t kTicketSecretLength = 43;  // in base64url
constexpr std::size_t kMaxRequestKey = 8192;

std::string random_bytes() {
  std::array<unsigned char, kTicketSecretBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Error(ErrorCode::kInternal, "OpenSSL has no random numbers for a ticket");
  return {bytes.begin(), bytes.end()};
}

std::string ticket_digest(std::string_view ticket) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(ticket.data(), ticket.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw Error(ErrorCode::kInternal, "OpenSSL cannot compute the digest of a ticket");
  return to_hex(std::span(digest).first(size));
}

// sset_NODE_SECRET; nullopt for text of another form, which no store has to be asked for.
std::optional<store::TicketKey> ticket_key(std::string_view ticket) {
  if (!Tickets::is_ticket(ticket)) return std::nullopt;
  const std::string_view rest = ticket.substr(kTicketPrefix.size());
  unsigned node = 0;
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), node);
  const std::string_view secret = rest.substr(static_cast<std::size_t>(stop - rest.data()));
  if (error != std::errc{} || secret.size() != 1 + kTicketSecretLength || secret.front() != '_') return std::nullopt;
  return store::TicketKey{node, ticket_digest(ticket)};
}

void check_ticket_name(const std::string& name, const char* what) {
  if (name.size() > event::kMaxNameBytes || !is_valid_utf8(name)) {
    throw Error(ErrorCode::kInvalidArgument, std::string("the ") + what + " must be at most " +
                                                 std::to_string(event::kMaxNameBytes) + " bytes of UTF-8");
  }
}

void check_ticket_user(const User& user) {
  if (user.identity.user.empty())
    throw Error(ErrorCode::kInvalidArgument, "a ticket is for a user: the user id is empty");
  check_ticket_name(user.identity.user.str(), "user id");
  check_ticket_name(user.identity.tenant.str(), "tenant id");
  check_ticket_name(user.identity.token.str(), "access token");
  try {
    check_user_channels(user.channels);
  } catch (const Error& e) {
    throw Error(ErrorCode::kInvalidArgument, std::string("the list of channels ") + e.what());
  }
  if (user.profile.empty()) return;
  if (user.profile.size() > kMaxProfileBytes) {
    throw Error(ErrorCode::kTooLarge,
                "the profile of the user is larger than " + std::to_string(kMaxProfileBytes) + " bytes");
  }
  event::parse_json(user.profile, "the profile of the user");
}

Json holder_json(const ServiceName& service, const User& user) {
  Json json{{"service", service.str()},
            {"user", user.identity.user.str()},
            {"tenant", user.identity.tenant.str()},
            {"token", user.identity.token.str()},
            {"profile", user.profile}};
  if (!user.channels.empty()) json["channels"] = user.channels;
  if (user.expires) json["expires"] = to_millis(*user.expires);
  return json;
}

// What a store holds may come from another node.
std::optional<Tickets::Holder> read_holder(const std::string& text) {
  try {
    const Json json = event::parse_json(text, "a stored ticket");
    if (!json.is_object()) return std::nullopt;
    Tickets::Holder holder{ServiceName(event::string_field(json, "service")), {}};
    User& user = holder.user;
    user.identity.user = UserId(event::string_field(json, "user"));
    user.identity.tenant = TenantId(event::string_field(json, "tenant"));
    user.identity.token = AccessToken(event::string_field(json, "token"));
    user.profile = event::string_field(json, "profile");
    if (const auto channels = json.find("channels"); channels != json.end())
      user.channels = user_channels_in(*channels);
    if (const auto expires = json.find("expires"); expires != json.end()) {
      if (!expires->is_number_integer()) return std::nullopt;
      user.expires = WallTime(std::chrono::milliseconds(expires->get<std::int64_t>()));
    }
    check_ticket_user(user);
    return holder;
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The parts of a request key: what it says, and the HMAC of that.
struct KeyParts {
  std::string_view payload;
  std::string_view mac;
};

std::optional<KeyParts> key_parts(std::string_view key) {
  if (!Tickets::is_request_key(key) || key.size() > kMaxRequestKey) return std::nullopt;
  const std::string_view rest = key.substr(kKeyPrefix.size());
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return KeyParts{rest.substr(0, dot), rest.substr(dot + 1)};
}

}  // namespace

Tickets::Tickets(store::TicketStore& store, unsigned node, const Clock& clock, observe::Registry& metrics)
    : store_(store), node_(node), clock_(clock), metrics_(metrics), secret_(random_bytes()) {
  metrics.gauge_callback("sse_tickets",
                         "Tickets of this server that are neither redeemed nor expired, as far as it knows",
                         [this] { return static_cast<double>(store_.size()); });
}

bool Tickets::is_ticket(std::string_view text) {
  return text.starts_with(kTicketPrefix);
}

bool Tickets::is_request_key(std::string_view text) {
  return text.starts_with(kKeyPrefix);
}

Ticket Tickets::create(const ServiceName& service, const User& user, std::chrono::milliseconds lifetime) {
  check_ticket_user(user);
  if (lifetime < kMinTicketLifetime || lifetime > kMaxTicketLifetime) {
    throw Error(ErrorCode::kInvalidArgument, "the time to live of a ticket must be from " +
                                                 format_duration(kMinTicketLifetime) + " to " +
                                                 format_duration(kMaxTicketLifetime));
  }
  Ticket ticket{std::string(kTicketPrefix) + std::to_string(node_) + '_' + base64url_encode(random_bytes()),
                clock_.wall_now() + lifetime};
  try {
    store_.add({node_, ticket_digest(ticket.text)}, event::dump_json(holder_json(service, user)), lifetime);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kLimitExceeded) count_refused("limit");
    throw;
  }
  metrics_.counter("sse_tickets_issued_total", "Tickets created", {{"service", service.str()}}).add();
  return ticket;
}

std::optional<Tickets::Holder> Tickets::find(std::string_view ticket) {
  const auto key = ticket_key(ticket);
  if (!key) return std::nullopt;
  const auto stored = store_.find(*key);
  return stored ? read_holder(*stored) : std::nullopt;
}

bool Tickets::redeem(std::string_view ticket, const ServiceName& service) {
  const auto key = ticket_key(ticket);
  if (!key || !store_.take(*key)) return false;
  metrics_.counter("sse_tickets_redeemed_total", "Tickets that have opened a stream", {{"service", service.str()}})
      .add();
  return true;
}

void Tickets::count_refused(std::string_view reason) {
  metrics_
      .counter("sse_tickets_refused_total", "Tickets that were not created or not redeemed, by reason",
               {{"reason", std::string(reason)}})
      .add();
}

std::string Tickets::make_request_key(ConnectionId connection, const Identity& user) const {
  const std::string payload = base64url_encode(
      event::dump_json({{"connection", connection.str()}, {"user", user.user.str()}, {"tenant", user.tenant.str()}}));
  return std::string(kKeyPrefix) + payload + '.' + hmac_sha256_hex(secret_, payload);
}

bool Tickets::made(std::string_view request_key) const {
  const auto parts = key_parts(request_key);
  return parts && constant_time_equal(parts->mac, hmac_sha256_hex(secret_, std::string(parts->payload)));
}

std::optional<Tickets::KeyHolder> Tickets::holder_of(std::string_view request_key) const {
  const auto parts = key_parts(request_key);
  if (!parts) return std::nullopt;
  const auto payload = base64url_decode(parts->payload);
  if (!payload) return std::nullopt;
  KeyHolder holder;
  try {
    const Json json = event::parse_json(*payload, "a request key");
    if (!json.is_object()) return std::nullopt;
    holder = {ConnectionId(event::id_field(json, "connection")), UserId(event::string_field(json, "user")),
              TenantId(event::string_field(json, "tenant"))};
  } catch (const Error&) {
    return std::nullopt;
  }
  if (!holder.connection.valid() || holder.user.empty()) return std::nullopt;
  if (made(request_key)) return holder;
  if (check_elsewhere_ && check_elsewhere_(holder.connection, std::string(request_key))) return holder;
  return std::nullopt;
}

}  // namespace sse::auth
