#include "ssectl/doctor/options.h"

#include "base/error.h"
#include "ssectl/input/headers.h"
#include "ssectl/input/values.h"

namespace sse::ctl {

api::ProbeRequest PublicAddress::request(std::string_view method, std::string_view query) const {
  Url target = url;
  if (!query.empty()) target.query += (target.query.empty() ? "" : "&") + std::string(query);
  api::ProbeRequest request;
  request.origin = target.origin;
  request.target = target.target();
  request.method = method;
  request.headers = headers;
  request.headers.emplace_back("Accept", "text/event-stream");
  request.local_address = local_address;
  request.verify_certificate = verify_certificate;
  request.connect_timeout = timeout;
  return request;
}

void ProbeOptions::declare(cli::App& app, const std::string& url_help, const std::string& watch_help) {
  app.add_option("URL", url, url_help).type_name("").required();
  declare_headers(app, headers);
  app.add_option("--for", watch, watch_help).type_name("TIME").show_default();
  app.add_flag("--insecure", insecure, "Go on with a certificate that is not trusted");
}

PublicAddress ProbeOptions::address(std::chrono::milliseconds timeout) const {
  PublicAddress address;
  address.url = parse_url("URL", url);
  address.headers = read_headers(headers);
  address.verify_certificate = !insecure;
  address.timeout = timeout;
  return address;
}

std::chrono::milliseconds ProbeOptions::watch_time() const {
  const std::chrono::milliseconds time = duration_option("--for", watch);
  if (time < std::chrono::seconds(1) || time > std::chrono::hours(24))
    throw Error(ErrorCode::kInvalidArgument, "--for must be from 1s to 1d, not '" + watch + "'");
  return time;
}

}  // namespace sse::ctl
