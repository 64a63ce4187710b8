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
constexpr const char* kKeyRefused =
    "the request key is of a stream that this server has not opened, or has opened before it was restarted; connect "
    "again";
constexpr std::string_view kConnect = "/connect";
constexpr std::string_view kConnectionRequest = ".do";

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

class AdmittedHead final : public net::Admission {
 public:
  explicit AdmittedHead(AdmittedSender sender) : sender_(std::move(sender)) {}
  const AdmittedSender& sender() const { return sender_; }

 private:
  const AdmittedSender sender_;
};

}  // namespace

std::string without_tickets(std::string_view query) {
  std::string rest;
  EncodedParameter parameter;
  bool has_ticket = false;
  for (std::string_view form = query; take_parameter(form, parameter);) {
    if (url_decode(parameter.name) == kTicketParameter && auth::Tickets::is_ticket(url_decode(parameter.value))) {
      has_ticket = true;
      continue;
    }
    if (!rest.empty()) rest += '&';
    rest.append(parameter.name);
    if (!parameter.value.empty()) rest.append("=").append(parameter.value);
  }
  // Unchanged otherwise: of two parameters `a` and `a=` one would look like the other.
  return has_ticket ? rest : std::string(query);
}

net::AdmitResult PageAdmission::admit(const net::RequestHead& head, const net::Peer& peer,
                                      OriginPolicy::Access access) const {
  net::AdmitResult result;
  try {
    const std::string address = proxies_.client_address(peer.address, net::joined_header(head, "X-Forwarded-For"),
                                                        net::joined_header(head, "Forwarded"));
    const HeadPageRequest request(head, address, proxies_.contains(peer.address));
    require_admitted(request, access);
    auto sender = identify(request, head.target);
    if (sender) {
      result.admission = std::make_shared<AdmittedHead>(std::move(*sender));
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

std::optional<AdmittedSender> PageAdmission::authenticate(const httplib::Request& req) const {
  // Already authenticated before the body was read.
  if (const auto* known = dynamic_cast<const AdmittedHead*>(net::HttplibApp::admission(req))) return known->sender();
  return identify(*page_request(req), req.target);
}

std::optional<AdmittedSender> PageAdmission::identify(const auth::PageRequest& request, std::string_view target) const {
  const std::string_view path = target.substr(0, target.find('?'));
  if (tickets_ != nullptr && path.ends_with(kConnect)) {
    const std::string ticket = request.parameter(std::string(kTicketParameter));
    if (auth::Tickets::is_ticket(ticket)) return holder_of_ticket(ticket);
  }
  if (tickets_ != nullptr && path.ends_with(kConnectionRequest)) {
    std::string key = request.header(kRequestKeyHeader);
    if (key.empty()) key = request.parameter(std::string(kRequestKeyParameter));
    if (auth::Tickets::is_request_key(key)) return holder_of_key(key);
  }
  std::optional<auth::User> user = authenticator_.authenticate(request);
  if (user) return AdmittedSender{std::move(*user)};
  constexpr std::string_view kScheme = "bearer ";
  if (to_lower(request.header("Authorization").substr(0, kScheme.size())) == kScheme)
    throw Error(ErrorCode::kUnauthenticated, "the token is not accepted");
  return std::nullopt;
}

AdmittedSender PageAdmission::holder_of_ticket(const std::string& ticket) const {
  auto holder = tickets_->find(ticket);
  if (!holder) {
    tickets_->count_refused("invalid");
    throw Error(ErrorCode::kUnauthenticated, std::string(kTicketRefused));
  }
  return {std::move(holder->user), ticket, std::move(holder->service)};
}

AdmittedSender PageAdmission::holder_of_key(const std::string& key) const {
  auto holder = tickets_->holder_of(key);
  if (!holder) throw Error(ErrorCode::kUnauthenticated, kKeyRefused);
  AdmittedSender sender;
  sender.user.identity.user = std::move(holder->user);
  sender.user.identity.tenant = std::move(holder->tenant);
  sender.connection = holder->connection;
  return sender;
}

std::optional<AdmittedSender> PageAdmission::find_sender(const httplib::Request& req) const {
  require_origin(req, req.method == "POST" ? OriginPolicy::Access::kWrite : OriginPolicy::Access::kRead);
  try {
    return authenticate(req);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnauthenticated) throw;
    throw Error(ErrorCode::kUnauthenticated, std::string(kTokenRefused) + e.what());
  }
}

AdmittedSender PageAdmission::require_sender(const httplib::Request& req) const {
  std::optional<AdmittedSender> sender = find_sender(req);
  if (!sender) throw Error(ErrorCode::kUnauthenticated, kNotAuthenticated);
  return std::move(*sender);
}

std::unique_ptr<auth::PageRequest> PageAdmission::page_request(const httplib::Request& req) const {
  return std::make_unique<HttplibPageRequest>(req, client_address(req), proxies_.contains(req.remote_addr));
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
