#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/client.h"
#include "auth/base64url.h"
#include "auth/jwt_authenticator.h"
#include "auth/jwt_signer.h"
#include "auth/secret_file.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "net/http_caller.h"
#include "ssectl/commands/command.h"
#include "ssectl/context/service_path.h"
#include "ssectl/input/files.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string token;
  std::string key;
  std::string url;
  auth::JwtOptions jwt;
};

// A part of the token as JSON; null if it is none. The signature is not checked here.
api::Json part(const std::string& token, std::size_t index) {
  const std::vector<std::string> parts = split_list(token, '.');
  if (index >= parts.size()) return nullptr;
  const auto text = auth::base64url_decode(parts[index]);
  return text ? event::parse_json_or_null(*text) : api::Json();
}

auth::JwtKeys keys_in(const std::string& file) {
  const std::string what = "--key '" + printable(file) + "'";
  const std::string text = read_file(file);
  // The private key has the public one in it.
  if (text.find("PRIVATE KEY-----") != std::string::npos)
    return auth::JwtKeys::parse(auth::JwtSigner::parse(text, what).public_set(), what);
  if (text.find("-----BEGIN ") != std::string::npos || text.find('{') != std::string::npos)
    return auth::JwtKeys::parse(text, what);
  return auth::JwtKeys::parse_secret(text, what);
}

// Asks the public listener with a request that changes nothing: listeners of a connection that does not exist.
net::HttpCaller::Answer ask(const std::string& service_url, const std::string& token,
                            std::chrono::milliseconds timeout) {
  net::HttpCaller http(service_url + "/connect/addListener.do", "--url", timeout);
  net::HttpCaller::Request request;
  request.headers = {{"Authorization", "Bearer " + token}};
  request.body = R"({"connectionId":"0","listener":[]})";
  return http.post(request);
}

std::string url_of(const Options& options, Context& context) {
  if (!options.url.empty()) return options.url.substr(0, options.url.find_last_not_of('/') + 1);
  const api::Json status = context.client().status();
  const auto path = service_path(status, context.service());
  if (!path)
    throw Error(ErrorCode::kNotFound, "the server does not host the service '" + context.service().str() + "'");
  return text_cell(status, "listen") + *path;
}

// Why the server refuses the token; empty if it accepts it.
std::string ask_server(const Options& options, Context& context) {
  const std::string url = url_of(options, context);
  const net::HttpCaller::Answer answer = ask(url, options.token, context.timeout());
  if (answer.status == 200) {
    // With an authentication that ignores tokens every token seems to be good.
    if (ask(url, "not.a.token", context.timeout()).status != 200) return "";
    throw Error(ErrorCode::kInvalidArgument,
                url + " checks no tokens; start sse-serve with --auth jwt, or give the key with --key");
  }
  const api::Json body = event::parse_json_or_null(answer.body);
  std::string why = body.is_object() ? text_cell(body, "errorMessage") : "";
  if (why.empty() && body.is_object()) why = text_cell(body, "message");
  if (answer.status == 401) {
    constexpr std::string_view kPrefix = "the token of this request is refused: ";
    return why.starts_with(kPrefix) ? why.substr(kPrefix.size()) : why.empty() ? "it is not accepted" : why;
  }
  throw Error(answer.status == 503 ? ErrorCode::kUnavailable : ErrorCode::kIo,
              "cannot check the token at " + url + ": it answered with status " + std::to_string(answer.status) +
                  (why.empty() ? "; is this the address of a service of sse-serve?" : ": " + why));
}

std::string check_with_key(const Options& options) {
  try {
    auth::user_of_token(options.token, keys_in(options.key), options.jwt, wall_now());
    return "";
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kUnauthenticated) throw;
    return e.what();
  }
}

std::string describe(const api::Json& result, const TableStyle& style) {
  const bool accepted = result.at("accepted").get<bool>();
  const api::Json& claims = result.at("claims");
  std::string expires;
  if (const auto exp = claims.find("exp"); exp != claims.end() && exp->is_number()) {
    const api::Json millis{{"exp", static_cast<std::int64_t>(exp->get<double>() * 1000)}};
    expires = time_cell(millis, "exp") + " (" + expiry_cell(millis, "exp", wall_now()) + ")";
  }
  return render_fields({{"token", accepted ? "accepted" : "refused", accepted ? CellStyle::kGood : CellStyle::kBad},
                        {"why", text_cell(result, "reason")},
                        {"user", text_cell(claims, "sub")},
                        {"tenant", text_cell(claims, "tenant")},
                        {"channels", text_cell(claims, "channels")},
                        {"publish", text_cell(claims, "publish")},
                        {"session", text_cell(claims, "jti")},
                        {"issuer", text_cell(claims, "iss")},
                        {"audience", text_cell(claims, "aud")},
                        {"expires", expires},
                        {"algorithm", text_cell(result.at("header"), "alg")},
                        {"key id", text_cell(result.at("header"), "kid")}},
                       style);
}

int run(Options& options, Context& context) {
  if (options.token.empty() || options.token == "-") options.token = read_file("-");
  options.token = std::string(trim_blanks(options.token.substr(0, options.token.find_first_of("\r\n"))));
  if (options.token.empty()) throw Error(ErrorCode::kInvalidArgument, "the token is empty");
  const std::string reason = options.key.empty() ? ask_server(options, context) : check_with_key(options);
  api::Json result{
      {"accepted", reason.empty()}, {"header", part(options.token, 0)}, {"claims", part(options.token, 1)}};
  for (const char* name : {"header", "claims"}) {
    if (!result[name].is_object()) result[name] = api::Json::object();
  }
  if (!reason.empty()) result["reason"] = reason;
  context.out().result(result, describe);
  return reason.empty() ? kDone : exit_code(ErrorCode::kUnauthenticated);
}

}  // namespace

Run declare_token_check(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("TOKEN", options->token, "The token; - or nothing: the first line of standard input")
      .type_name("")
      .not_configurable();
  app.add_option("-k,--key", options->key,
                 "Check it with this key or secret, without a server: JWKS, PEM, or what 'ssectl key create' writes")
      .type_name("FILE");
  app.add_option("--url", options->url, "Ask the service at this address (default: that of --server)").type_name("URL");
  app.add_option("--issuer", options->jwt.issuer, "With --key: required issuer (iss)").type_name("TEXT");
  app.add_option("--audience", options->jwt.audience, "With --key: accepted audience (aud); repeatable")
      .type_name("TEXT")
      .one_value_each();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
