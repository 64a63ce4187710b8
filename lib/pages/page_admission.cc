#include "pages/page_admission.h"

#include <exception>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/url.h"
#include "observe/log.h"
#include "pages/page_envelope.h"

namespace sse::pages {
namespace {

constexpr const char* kTokenRefused = "the token of this request is refused: ";

std::string challenge_line(std::string_view reason) {
  return "WWW-Authenticate: " + bearer_challenge(reason) + "\r\n";
}

class HttplibPageRequest final : public auth::PageRequest {
 public:
  HttplibPageRequest(const httplib::Request& req, std::string address, bool trusted)
      : req_(req), address_(std::move(address)), trusted_(trusted) {}

  std::string header(const std::string& name) const override { return req_.get_header_value(name); }
  std::string parameter(const std::string& name) const override { return form_value(query_of(req_.target), name); }
  std::string address() const override { return address_; }
  bool from_trusted_proxy() const override { return trusted_; }

 private:
  const httplib::Request& req_;
  std::string address_;
  bool trusted_;
};

// A request whose body has not been read yet.
class HeadPageRequest final : public auth::PageRequest {
 public:
  HeadPageRequest(const net::RequestHead& head, std::string address, bool trusted)
      : head_(head), address_(std::move(address)), trusted_(trusted) {}

  std::string header(const std::string& name) const override { return net::joined_header(head_, name); }
  std::string parameter(const std::string& name) const override { return form_value(query_of(head_.target), name); }
  std::string address() const override { return address_; }
  bool from_trusted_proxy() const override { return trusted_; }

 private:
  const net::RequestHead& head_;
  std::string address_;
  bool trusted_;
};

class AdmittedUser final : public net::Admission {
 public:
  explicit AdmittedUser(auth::User user) : user_(std::move(user)) {}
  const auth::User& user() const { return user_; }

 private:
  const auth::User user_;
};

}  // namespace

net::AdmitResult PageAdmission::admit(const net::RequestHead& head, const net::Peer& peer,
                                      OriginPolicy::Access access) const {
  net::AdmitResult result;
  try {
    const std::string address = proxies_.client_address(peer.address, net::joined_header(head, "X-Forwarded-For"),
                                                        net::joined_header(head, "Forwarded"));
    const HeadPageRequest request(head, address, proxies_.contains(peer.address));
    require_admitted(request, access);
    auto user = identify(request);
    if (user) {
      result.admission = std::make_shared<AdmittedUser>(std::move(*user));
    } else {
      result.refusal = net::HeadRefusal{401, kNotAuthenticated, challenge_line("")};
    }
  } catch (const Error& e) {
    result.refusal = net::HeadRefusal{http_status(e.code()), e.what()};
    if (e.code() == ErrorCode::kUnauthenticated)
      result.refusal = net::HeadRefusal{401, std::string(kTokenRefused) + e.what(), challenge_line(e.what())};
  } catch (const std::exception& e) {
    observe::log_error("request failed",
                       {{"path", std::string(head.target.substr(0, head.target.find('?')))}, {"error", e.what()}});
    result.refusal = net::HeadRefusal{500, "the request could not be handled; the server's log says why"};
  }
  return result;
}

void PageAdmission::require_origin(const httplib::Request& req, OriginPolicy::Access access) const {
  require_admitted(HttplibPageRequest(req, "", false), access);
}

std::optional<auth::User> PageAdmission::authenticate(const httplib::Request& req) const {
  // Already authenticated before the body was read.
  if (const auto* known = dynamic_cast<const AdmittedUser*>(net::HttplibApp::admission(req))) return known->user();
  return identify(HttplibPageRequest(req, client_address(req), proxies_.contains(req.remote_addr)));
}

std::optional<auth::User> PageAdmission::identify(const auth::PageRequest& request) const {
  std::optional<auth::User> user = authenticator_.authenticate(request);
  constexpr std::string_view kScheme = "bearer ";
  if (!user && to_lower(request.header("Authorization").substr(0, kScheme.size())) == kScheme)
    throw Error(ErrorCode::kUnauthenticated, "the token is not accepted");
  return user;
}

auth::User PageAdmission::require_user(const httplib::Request& req) const {
  require_origin(req, req.method == "POST" ? OriginPolicy::Access::kWrite : OriginPolicy::Access::kRead);
  std::optional<auth::User> user;
  try {
    user = authenticate(req);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnauthenticated) throw;
    throw Error(ErrorCode::kUnauthenticated, std::string(kTokenRefused) + e.what());
  }
  if (!user) throw Error(ErrorCode::kUnauthenticated, kNotAuthenticated);
  return std::move(*user);
}

std::string PageAdmission::client_address(const httplib::Request& req) const {
  return proxies_.client_address(req.remote_addr, req.get_header_value("X-Forwarded-For"),
                                 req.get_header_value("Forwarded"));
}

void PageAdmission::require_admitted(const auth::PageRequest& request, OriginPolicy::Access access) const {
  const FetchMetadata fetch{request.header("Origin"), request.header("Sec-Fetch-Site"),
                            request.header("Sec-Fetch-Mode"), request.header("Sec-Fetch-Dest")};
  if (origins_.admits(fetch, access)) return;
  throw Error(ErrorCode::kPermissionDenied,
              "pages of this origin may not send this request; the server's --cors-origin lists the origins that may");
}

}  // namespace sse::pages
