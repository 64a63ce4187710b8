#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "auth/jwt_signer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "event/target.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/files.h"
#include "ssectl/input/values.h"

namespace sse::ctl {
namespace {

constexpr std::chrono::milliseconds kMaxTtl = std::chrono::hours(24 * 3650);

struct Options {
  std::string key;
  std::string user;
  std::string tenant;
  std::string session;
  std::string name;
  std::string issuer;
  std::vector<std::string> audience;
  std::vector<std::string> channels;
  std::vector<std::string> publish;
  std::string ttl = "1h";
};

// The server refuses longer names, so a token with one would be useless.
void check_name(const char* option, const std::string& name) {
  if (name.size() > event::kMaxNameBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string(option) + " is longer than " + std::to_string(event::kMaxNameBytes) + " bytes");
  }
  if (!is_valid_utf8(name)) throw Error(ErrorCode::kInvalidArgument, std::string(option) + " is not UTF-8 text");
}

api::Json claims_of(const Options& options, WallTime now) {
  check_name("--user", options.user);
  check_name("--tenant", options.tenant);
  check_name("--session", options.session);
  const std::chrono::milliseconds ttl = duration_option("--ttl", options.ttl);
  if (ttl < std::chrono::seconds(1) || ttl > kMaxTtl)
    throw Error(ErrorCode::kInvalidArgument, "--ttl must be from 1s to 3650d");
  const std::int64_t seconds = to_millis(now) / 1000;
  api::Json claims{{"sub", options.user}, {"iat", seconds}, {"exp", seconds + ttl.count() / 1000}};
  const auto set = [&](const char* claim, const std::string& value) {
    if (!value.empty()) claims[claim] = value;
  };
  set("tenant", options.tenant);
  set("jti", options.session);
  set("name", options.name);
  set("iss", options.issuer);
  if (options.audience.size() == 1) claims["aud"] = options.audience.front();
  if (options.audience.size() > 1) claims["aud"] = options.audience;
  if (!options.channels.empty()) claims["channels"] = options.channels;
  if (!options.publish.empty()) claims["publish"] = options.publish;
  return claims;
}

int run(const Options& options, Context& context) {
  const std::string what = "--key '" + printable(options.key) + "'";
  const auth::JwtSigner key = auth::JwtSigner::parse(read_file(options.key), what);
  const api::Json claims = claims_of(options, wall_now());
  const std::string token = key.sign(event::dump_json(claims));
  context.out().result({{"token", token}, {"algorithm", key.algorithm()}, {"keyId", key.key_id()}, {"claims", claims}},
                       token);
  return kDone;
}

}  // namespace

Run declare_token_create(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("-k,--key", options->key, "Private key or secret that signs it, as 'ssectl key create' writes it")
      .type_name("FILE")
      .required();
  app.add_option("-u,--user", options->user, "User it identifies (sub)").type_name("USER").required().not_empty();
  app.add_option("-t,--tenant", options->tenant, "Tenant of the user (tenant)").type_name("TENANT");
  app.add_option("--channels", options->channels, "Name or pattern of channels (channels); repeatable")
      .type_name("NAME")
      .one_value_each()
      .list_separator(',');
  app.add_option("--publish", options->publish, "The same for those that pages may publish to (publish); repeatable")
      .type_name("NAME")
      .one_value_each()
      .list_separator(',');
  app.add_option("--ttl", options->ttl, "How long it is valid (exp)").type_name("DURATION").show_default();
  app.add_option("--name", options->name, "Display name of the user (name)").type_name("TEXT");
  app.add_option("--session", options->session, "Access token that sends can be addressed to (jti)").type_name("TEXT");
  app.add_option("--issuer", options->issuer, "Issuer that the server requires (iss)").type_name("TEXT");
  app.add_option("--audience", options->audience, "Audience that the server accepts (aud); repeatable")
      .type_name("TEXT")
      .one_value_each();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
