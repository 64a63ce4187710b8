#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/authenticator.h"
#include "auth/tickets.h"
#include "auth/trusted_proxies.h"
#include "base/ids.h"
#include "hub/connection.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "pages/origin_policy.h"

namespace sse::pages {

/// The query parameter of `P/connect` with a ticket, and that of requests about a connection with its request key.
inline constexpr std::string_view kTicketParameter = "ticket";
inline constexpr std::string_view kRequestKeyParameter = "requestKey";
/// A header for the request key, in the place of the parameter.
inline constexpr const char* kRequestKeyHeader = "X-Sse-Request-Key";

/// Why a ticket is refused; one sentence for all reasons, which tells nothing to those who guess.
inline constexpr std::string_view kTicketRefused =
    "the ticket cannot be redeemed: it is unknown, expired or already used; connect with a new one";
inline constexpr std::string_view kTicketOfOtherService = "the ticket is for another service of this server";

/// A query without the tickets in it, which no log, listing or application may get. Other values of that parameter
/// belong to the application, and stay.
std::string without_tickets(std::string_view query);

/// The sender of a request, as authenticated.
struct AdmittedSender {
  auth::User user;
  std::string ticket{};                      ///< by which it is identified, not yet redeemed; empty: other credentials
  ServiceName ticket_service{};              ///< that the ticket is for
  std::optional<ConnectionId> connection{};  ///< set: identified by the request key of this connection

  /// The user that asks about connection `id`; none if a request key of another connection identifies the sender.
  hub::Identity identity_for(ConnectionId id) const {
    return connection && *connection != id ? hub::Identity{} : user.identity;
  }
};

/// Decides whether the sender of a page's request may send it: by the origin of the page, then by a ticket, a request
/// key or the authenticator. Thread safe; may block as these do.
class PageAdmission {
 public:
  /// References must outlive this. `tickets` null: neither tickets nor request keys.
  PageAdmission(auth::Authenticator& authenticator, const auth::TrustedProxies& proxies, const OriginPolicy& origins,
                auth::Tickets* tickets = nullptr)
      : authenticator_(authenticator), proxies_(proxies), origins_(origins), tickets_(tickets) {}

  /// Checks the origin and authenticates the sender from the head alone, before the body is read. Never throws. The
  /// functions below find the user that it admitted in the request.
  net::AdmitResult admit(const net::RequestHead& head, const net::Peer& peer, OriginPolicy::Access access) const;

  /// Throws Error(kPermissionDenied) for a request of a page of a foreign origin.
  void require_origin(const httplib::Request& req, OriginPolicy::Access access) const;
  /// nullopt: not authenticated. Throws Error(kUnauthenticated) for the same with a reason, also for a Bearer
  /// token of which the authenticator says nothing.
  std::optional<AdmittedSender> authenticate(const httplib::Request& req) const;
  /// The authenticated user of a page whose origin may send this request; nullopt without credentials. Throws Error:
  /// kPermissionDenied, and kUnauthenticated for credentials that are not valid.
  std::optional<AdmittedSender> find_sender(const httplib::Request& req) const;
  /// The same, but throws Error(kUnauthenticated) without credentials, too.
  AdmittedSender require_sender(const httplib::Request& req) const;
  /// The properties of a request, which must outlive the result.
  std::unique_ptr<auth::PageRequest> page_request(const httplib::Request& req) const;
  /// Null: there are none.
  auth::Tickets* tickets() const { return tickets_; }
  /// The address of the client, as reported by a trusted proxy.
  std::string client_address(const httplib::Request& req) const;

 private:
  std::optional<AdmittedSender> identify(const auth::PageRequest& request, std::string_view target) const;
  AdmittedSender holder_of_ticket(const std::string& ticket) const;
  AdmittedSender holder_of_key(const std::string& key) const;
  void require_admitted(const auth::PageRequest& request, OriginPolicy::Access access) const;

  auth::Authenticator& authenticator_;
  const auth::TrustedProxies& proxies_;
  const OriginPolicy& origins_;
  auth::Tickets* const tickets_;
};

}  // namespace sse::pages
