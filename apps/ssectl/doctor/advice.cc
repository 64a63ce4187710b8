#include "ssectl/doctor/advice.h"

#include <algorithm>

#include "base/text.h"

namespace sse::ctl {
namespace {

constexpr std::string_view kProxies[] = {"nginx", "HAProxy", "Caddy", "Apache", "Varnish", "Envoy"};

struct Entry {
  std::string_view check;
  Advice advice;
};

// The tests run each of these against the proxy itself, except those for Envoy.
constexpr Entry kEntries[] = {
    {"buffering", {"nginx", "proxy_buffering off;"}},
    {"buffering", {"HAProxy", "# it does not buffer; look for a filter or a cache in this backend"}},
    {"buffering", {"Caddy", "reverse_proxy ADDRESS { flush_interval -1 }"}},
    {"buffering", {"Apache", "ProxyPass /my-sse http://ADDRESS/my-sse flushpackets=on"}},
    {"buffering", {"Varnish", "if (req.url ~ \"^/my-sse/connect\") { return (pipe); }  # in vcl_recv"}},
    {"buffering", {"Envoy", "# untested: no envoy.filters.http.buffer on this route"}},

    {"delay", {"nginx", "tcp_nodelay on;"}},
    {"delay", {"HAProxy", "option http-no-delay"}},
    {"delay", {"Caddy", "reverse_proxy ADDRESS { flush_interval -1 }"}},
    {"delay", {"Apache", "ProxyPass /my-sse http://ADDRESS/my-sse flushpackets=on"}},

    {"compression", {"nginx", "gzip off;"}},
    {"compression", {"HAProxy", "compression type text/html text/css  # without text/event-stream"}},
    {"compression", {"Caddy", "@pages not path /my-sse/connect"}},
    {"compression", {"Caddy", "encode @pages gzip"}},
    {"compression", {"Apache", "SetEnvIf Request_URI \"^/my-sse/connect\" no-gzip=1 no-brotli=1"}},
    {"compression", {"Varnish", "set beresp.do_gzip = false;  # in vcl_backend_response"}},
    {"compression", {"Envoy", "# untested: compressor filter with content_type without text/event-stream"}},

    {"idle", {"nginx", "proxy_read_timeout 1h;"}},
    {"idle", {"HAProxy", "timeout client 1h"}},
    {"idle", {"HAProxy", "timeout server 1h"}},
    {"idle", {"Caddy", "# no read_timeout in the transport of this reverse_proxy"}},
    {"idle", {"Apache", "ProxyPass /my-sse http://ADDRESS/my-sse flushpackets=on timeout=3600"}},
    {"idle", {"Varnish", ".between_bytes_timeout = 1h;  # of the backend; with pipe: -p pipe_timeout=3600"}},
    {"idle", {"Envoy", "timeout: 0s  # untested; of the route, with idle_timeout: 3600s"}},
    {"idle", {"sse-serve", "--heartbeat 15s  # shorter than the shortest time-out in between"}},

    {"heartbeats", {"sse-serve", "--heartbeat 15s"}},

    {"version", {"nginx", "# no 'proxy_http_version 1.0' and no HTTP/1.0 proxy in front"}},
    {"version", {"Apache", "# no 'SetEnv downgrade-1.0' and no 'SetEnv force-response-1.0'"}},

    {"headers", {"nginx", "# no proxy_hide_header and no 'expires' for this location"}},
    {"headers", {"HAProxy", "# no 'http-response del-header' for this backend"}},
    {"headers", {"Caddy", "# no 'header -NAME' and no 'header_down -NAME' for this route"}},
    {"headers", {"Apache", "# no 'Header unset' for this location"}},
    {"headers", {"Varnish", "# no 'unset resp.http.NAME' and no 'unset beresp.http.NAME'"}},

    {"address", {"nginx", "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"}},
    {"address", {"HAProxy", "option forwardfor"}},
    {"address", {"Caddy", "# it adds X-Forwarded-For itself; no 'header_up -X-Forwarded-For'"}},
    {"address", {"Apache", "ProxyAddHeaders On"}},
    {"address", {"Varnish", "# it adds X-Forwarded-For itself; no 'unset req.http.X-Forwarded-For'"}},
    {"address", {"Envoy", "use_remote_address: true  # untested"}},
    {"address", {"sse-serve", "--trusted-proxy ADDRESS-OF-THE-PROXY"}},

    {"leaver", {"nginx", "proxy_ignore_client_abort off;"}},
    {"leaver", {"HAProxy", "option abortonclose"}},
    {"leaver", {"Apache", "# it notices when the server writes for the second time after that"}},
    {"leaver", {"Varnish", "if (req.url ~ \"^/my-sse/connect\") { return (pipe); }  # in vcl_recv"}},
    {"leaver", {"sse-serve", "--heartbeat 5s  # a proxy that only notices when it writes then does so sooner"}},

    {"cors", {"sse-serve", "--cors-origin ORIGIN"}},

    {"http2", {"nginx", "listen 443 ssl http2;"}},
    {"http2", {"HAProxy", "bind :443 ssl crt FILE alpn h2,http/1.1"}},
    {"http2", {"Apache", "Protocols h2 http/1.1"}},
    {"http2", {"Envoy", "alpn_protocols: [h2, http/1.1]  # untested"}},
};

}  // namespace

std::span<const std::string_view> known_proxies() {
  return kProxies;
}

std::vector<Advice> advice_for(std::string_view check, std::string_view proxy) {
  std::vector<Advice> found;
  for (const Entry& entry : kEntries) {
    const bool of_a_proxy = std::ranges::find(kProxies, entry.advice.program) != std::end(kProxies);
    if (entry.check == check && (proxy.empty() || !of_a_proxy || entry.advice.program == proxy))
      found.push_back(entry.advice);
  }
  return found;
}

std::string_view proxy_of(const api::ProbeHead& head) {
  // RFC 9110 7.6.3 and 10.2.4.
  const std::string names = to_lower(head.header("Via") + ' ' + head.header("Server"));
  if (!head.header("X-Varnish").empty()) return "Varnish";
  for (const std::string_view proxy : kProxies) {
    if (names.find(to_lower(proxy)) != std::string::npos) return proxy;
  }
  return "";
}

}  // namespace sse::ctl
