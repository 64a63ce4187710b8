#include "auth/authenticator.h"

#include "auth/channel_pattern.h"
#include "base/error.h"
#include "base/text.h"
#include "event/json.h"

namespace sse::auth {
namespace {

class DemoAuthenticator final : public Authenticator {
 public:
  std::optional<User> authenticate(const PageRequest& request) override {
    User user;
    std::string id = request.parameter("userId");
    if (id.empty()) id = "1";
    // Without a name, a profile would add nothing to the id.
    if (const std::string name = request.parameter("name"); !name.empty())
      user.profile = event::dump_json({{"id", id}, {"name", name}});
    user.identity.user = UserId(id);
    user.identity.tenant = TenantId(request.parameter("tenantId"));
    user.identity.token = AccessToken(request.parameter("access-token"));
    return user;
  }
};

class HeaderAuthenticator final : public Authenticator {
 public:
  std::optional<User> authenticate(const PageRequest& request) override {
    if (!request.from_trusted_proxy()) return std::nullopt;
    User user;
    user.identity.user = UserId(request.header("X-Sse-User"));
    user.identity.tenant = TenantId(request.header("X-Sse-Tenant"));
    user.identity.token = AccessToken(request.header("X-Sse-Token"));
    if (user.identity.user.empty()) return std::nullopt;
    user.channels = channels_in(request, "X-Sse-Channels");
    user.publish = channels_in(request, "X-Sse-Publish");
    return user;
  }

 private:
  static std::vector<std::string> channels_in(const PageRequest& request, const std::string& header) {
    std::vector<std::string> channels = split_list(request.header(header));
    try {
      check_user_channels(channels);
    } catch (const Error& e) {
      throw Error(ErrorCode::kUnauthenticated, "the header " + header + " of the proxy " + e.what());
    }
    return channels;
  }
};

}  // namespace

std::unique_ptr<Authenticator> make_demo_authenticator() {
  return std::make_unique<DemoAuthenticator>();
}

std::unique_ptr<Authenticator> make_header_authenticator() {
  return std::make_unique<HeaderAuthenticator>();
}

}  // namespace sse::auth
