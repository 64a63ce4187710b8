#pragma once

#include <optional>
#include <string>

#include "auth/authenticator.h"
#include "auth/trusted_proxies.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "pages/origin_policy.h"

namespace sse::pages {

/// Decides whether the sender of a page's request may send it: by the origin of the page, then by the authenticator.
/// Thread safe; may block as the authenticator does.
class PageAdmission {
 public:
  /// References must outlive this.
  PageAdmission(auth::Authenticator& authenticator, const auth::TrustedProxies& proxies, const OriginPolicy& origins)
      : authenticator_(authenticator), proxies_(proxies), origins_(origins) {}

  /// Checks the origin and authenticates the sender from the head alone, before the body is read. Never throws. The
  /// functions below find the user that it admitted in the request.
  net::AdmitResult admit(const net::RequestHead& head, const net::Peer& peer, OriginPolicy::Access access) const;

  /// Throws Error(kPermissionDenied) for a request of a page of a foreign origin.
  void require_origin(const httplib::Request& req, OriginPolicy::Access access) const;
  /// nullopt: not authenticated. Throws Error(kUnauthenticated) for the same with a reason, also for a Bearer
  /// token of which the authenticator says nothing.
  std::optional<auth::User> authenticate(const httplib::Request& req) const;
  /// The authenticated user of a page whose origin may send this request. Throws Error: kPermissionDenied,
  /// kUnauthenticated.
  auth::User require_user(const httplib::Request& req) const;
  /// The address of the client, as reported by a trusted proxy.
  std::string client_address(const httplib::Request& req) const;

 private:
  std::optional<auth::User> identify(const auth::PageRequest& request) const;
  void require_admitted(const auth::PageRequest& request, OriginPolicy::Access access) const;

  auth::Authenticator& authenticator_;
  const auth::TrustedProxies& proxies_;
  const OriginPolicy& origins_;
};

}  // namespace sse::pages
