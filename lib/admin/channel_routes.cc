#include "admin/channel_routes.h"

#include <optional>
#include <string>
#include <utility>

#include "admin/admin_http.h"
#include "api/types.h"
#include "base/error.h"
#include "base/text.h"
#include "event/json.h"

namespace sse::admin {
namespace {

using auth::ChannelAnswer;
using auth::ChannelBasis;
using auth::PublishAnswer;
using auth::PublishRight;
using event::Json;

// The request of a page that has this token and nothing else.
class TokenRequest final : public auth::PageRequest {
 public:
  explicit TokenRequest(std::string token) : token_(std::move(token)) {}

  std::string header(const std::string& name) const override {
    return to_lower(name) == "authorization" ? "Bearer " + token_ : std::string();
  }
  std::string parameter(const std::string& name) const override {
    return name == "access-token" ? token_ : std::string();
  }
  std::string address() const override { return ""; }
  bool from_trusted_proxy() const override { return false; }

 private:
  const std::string token_;
};

auth::User user_with_token(auth::Authenticator& authenticator, const api::ChannelQuery& query) {
  std::optional<auth::User> user;
  try {
    user = authenticator.authenticate(TokenRequest(query.token));
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnauthenticated) throw;
    throw Error(ErrorCode::kInvalidArgument, std::string("the token is refused: ") + e.what());
  }
  if (!user) throw Error(ErrorCode::kInvalidArgument, "the token is refused: the authentication accepts no such token");
  const Identity& identity = user->identity;
  const bool other_user = !query.user.empty() && query.user != identity.user.str();
  const bool other_tenant = !query.tenant.empty() && query.tenant != identity.tenant.str();
  if (other_user || other_tenant) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "the token is that of user '" + printable(identity.user.str(), 60) + "'" +
            (identity.tenant.empty() ? std::string() : " of tenant '" + printable(identity.tenant.str(), 60) + "'"));
  }
  return std::move(*user);
}

const char* basis_name(ChannelBasis basis) {
  switch (basis) {
    case ChannelBasis::kOpen:
      return "open";
    case ChannelBasis::kCredentials:
      return "credentials";
    case ChannelBasis::kRule:
      return "rule";
    case ChannelBasis::kNothing:
      break;
  }
  return "nothing";
}

std::string detail_of(const ChannelAnswer& answer, bool with_token) {
  switch (answer.basis) {
    case ChannelBasis::kOpen:
      return "every channel is open with --auth demo and without --channel-rule";
    case ChannelBasis::kCredentials:
      return "the credentials of the user list '" + printable(answer.rule, 120) + "'";
    case ChannelBasis::kRule:
      return "--channel-rule '" + printable(answer.rule, 120) + "'" +
             (answer.right == ChannelRight::kApplication ? ": the application decides at the connect" : "");
    case ChannelBasis::kNothing:
      break;
  }
  return with_token ? "neither a --channel-rule nor the token names it"
                    : "no --channel-rule names it; the user's credentials may, which were not given";
}

std::string detail_of(const PublishAnswer& answer, bool with_token) {
  switch (answer.basis) {
    case ChannelBasis::kOpen:
      return "every channel is open with --auth demo and without --publish-rule";
    case ChannelBasis::kCredentials:
      return "the credentials of the user list '" + printable(answer.rule, 120) + "' to publish";
    case ChannelBasis::kRule:
      return "--publish-rule '" + printable(answer.rule, 120) + "'" +
             (answer.right == PublishRight::kApplication  ? ": the application decides about each event"
              : answer.right == PublishRight::kSubscriber ? ": on a stream that is in the channel"
                                                          : "");
    case ChannelBasis::kNothing:
      break;
  }
  return with_token ? "neither a --publish-rule nor the token names it"
                    : "no --publish-rule names it; the user's credentials may, which were not given";
}

Json publish_json(const PublishAnswer& answer, bool with_token) {
  return {{"right", auth::right_name(answer.right)},
          {"basis", basis_name(answer.basis)},
          {"rule", answer.rule},
          {"detail", detail_of(answer, with_token)}};
}

}  // namespace

ChannelRoutes::ChannelRoutes(net::Router& router, const Dependencies& dependencies) : deps_(dependencies) {
  if (deps_.access == nullptr) return;
  router.post("/api/v1/channels/explain",
              [this](const httplib::Request& req, httplib::Response& res) { explain(req, res); });
}

void ChannelRoutes::explain(const httplib::Request& req, httplib::Response& res) const {
  const api::ChannelQuery query = api::channel_query_from_json(event::parse_json(req.body, "the request body"));
  auth::User user;
  if (!query.token.empty()) {
    user = user_with_token(*deps_.authenticator, query);
  } else {
    user.identity.user = UserId(query.user);
    user.identity.tenant = TenantId(query.tenant);
  }
  std::vector<ChannelName> names;
  for (const std::string& name : query.channels) names.emplace_back(name);
  Json list = Json::array();
  for (const ChannelAnswer& answer : deps_.access->ask(user, names).list) {
    list.push_back({{"channel", answer.channel.str()},
                    {"right", auth::right_name(answer.right)},
                    {"basis", basis_name(answer.basis)},
                    {"rule", answer.rule},
                    {"detail", detail_of(answer, !query.token.empty())}});
    if (deps_.publishing != nullptr)
      list.back()["publish"] = publish_json(deps_.publishing->ask(user, answer.channel), !query.token.empty());
  }
  write_json(res,
             {{"user", user.identity.user.str()}, {"tenant", user.identity.tenant.str()}, {"list", std::move(list)}});
}

}  // namespace sse::admin
