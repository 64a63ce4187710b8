// Validates the server's options, each alone and in combination.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "auth/channel_rules.h"
#include "auth/trusted_proxies.h"
#include "base/error.h"
#include "base/text.h"
#include "presence/peer_messages.h"
#include "server/admin_address.h"
#include "server/application_bridge.h"
#include "server/canary_options.h"
#include "server/canary_streams.h"
#include "server/cluster_options.h"
#include "server/server.h"

namespace sse::server {

namespace {

// Requires an origin as browsers send it in the Origin header (RFC 6454 §6.2): scheme and host in lower case and ASCII,
// no default port, no path, not even '/'. Any other form would never match.
void check_origin(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument, "--cors-origin '" + printable(text, 80) + "' " + why);
  };
  if (text == "*") return;
  const std::size_t end = text.find("://");
  if (end == std::string::npos || end == 0 || end + 3 >= text.size())
    bad("is not an origin; write https://example.org or *");
  const std::string scheme = text.substr(0, end);
  const std::string host = text.substr(end + 3);
  if (text.find('*') != std::string::npos)
    bad("has a wildcard, which would match no page; name each origin, or * for all of them");
  if (host.find_first_of("/?#@,; \t\r\n") != std::string::npos)
    bad("is not an origin: nothing may follow host and port; write https://example.org or *");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F)
      bad("is not an origin as browsers send it: ASCII only; write a name with other letters in its xn-- form");
    if (c >= 'A' && c <= 'Z') bad("is not an origin as browsers send it: write it in lower case");
  }
  if ((scheme == "https" && host.ends_with(":443")) || (scheme == "http" && host.ends_with(":80")))
    bad("has the default port, which browsers leave out; leave it out");
}

void check_listeners(const ServerOptions& options) {
  const auto bad = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  std::set<std::string> addresses;
  const auto check_one = [&](const std::string& text) {
    const net::ListenAddress address = net::ListenAddress::parse(text);
    // Several with port 0 get a port each.
    if ((address.is_unix() || address.port != 0) && !addresses.insert(address.str()).second)
      bad("--listen " + text + " is given twice");
  };
  check_one(options.listen);
  for (const std::string& text : options.also_listen) check_one(text);
  if (addresses.contains(options.admin)) bad("--listen and --admin are the same address, " + options.admin);
  const auto check_mode = [&](unsigned mode, const char* option) {
    if (mode > 0777 || (mode & 0600U) != 0600U)
      bad(std::string(option) + " must let the server's own user read and write: 0600, 0660 or 0666");
  };
  check_mode(options.listen_socket_mode, "--listen-socket-mode");
  if (options.admin_socket_mode != 0) check_mode(options.admin_socket_mode, "--admin-socket-mode");
  const bool admin_is_unix = options.admin.empty() || parse_admin_address(options).is_unix();
  if (!admin_is_unix && (options.admin_socket_mode != 0 || !options.admin_socket_group.empty()))
    bad("--admin-socket-group and --admin-socket-mode are for a unix socket, not for --admin " + options.admin);
  if (options.proxy_protocol && options.trusted_proxies.empty())
    bad("--proxy-protocol trusts what a proxy says; give the proxy's address with --trusted-proxy");
}

}  // namespace

void check(const ServerOptions& options) {
  std::set<std::string> names;
  std::set<std::string> paths;
  const auto bad = [](const std::string& sentence) { throw Error(ErrorCode::kInvalidArgument, sentence); };
  [[maybe_unused]] const auth::TrustedProxies proxies(options.trusted_proxies);
  check_listeners(options);
  if (!options.admin.empty() && !parse_admin_address(options).is_unix() && options.admin_token_file.empty()) {
    bad("an admin listener on TCP (--admin " + options.admin + ") needs --admin-token-file");
  }
  if (options.admin.starts_with(kAdminTls) &&
      (parse_admin_address(options).is_unix() || options.tls_certificate.empty()))
    bad("--admin " + options.admin + " is an address and port with TLS, and needs --tls-cert and --tls-key");
  for (const std::string& origin : options.cors_origins) check_origin(origin);
  for (const std::string& host : options.allowed_hosts) {
    if (host.empty() || host.find_first_of("/@?# \t\r\n") != std::string::npos ||
        (host != "*" && host.find('*') != std::string::npos)) {
      bad("--allowed-host '" + printable(host, 80) +
          "' is not a host name; write push.example.org, without scheme and path");
    }
  }
  // It is sent in a header of every response.
  if (options.server_id.size() > 200 ||
      std::ranges::any_of(options.server_id, [](char c) { return c < '!' || c > '~'; }))
    bad("--server-id must be at most 200 visible ASCII characters");
  if (options.services.empty()) bad("no service to host; give --service NAME=PATH");
  for (const auto& [name, path] : options.services) {
    const std::string shown = "--service '" + printable(name + "=" + path, 80) + "'";
    if (name.empty() || name.size() > 200) bad(shown + " has no usable name; write NAME=PATH");
    if (path.size() < 2 || path.size() > 200 || path.front() != '/' || path.back() == '/' ||
        path.find_first_of("?#%,;= \t\r\n") != std::string::npos) {
      bad(shown + ": the path must begin with '/', not end with one, and hold no blanks or '?#%,;='");
    }
    if (name == kCanaryService) bad(shown + ": the server itself uses that name");
    if (!names.insert(name).second) bad(shown + ": that name is given twice");
    if (!paths.insert(path).second) bad(shown + ": that path is given twice");
  }
  if (options.database != ":memory:" && options.cluster.empty() && !options.make_database_folder) {
    std::error_code unseen;
    const std::filesystem::path folder = std::filesystem::path(options.database).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder, unseen) && unseen != std::errc::permission_denied) {
      bad("there is no folder " + folder.string() + " for --db '" + options.database +
          "'; make it, or choose another file");
    }
  }
  if (!options.web_root.empty()) {
    struct stat status {};
    if (::stat(options.web_root.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
      bad("--web-root '" + options.web_root + "' is not a directory");
  }
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    bad("--tls-cert and --tls-key go together: TLS needs a certificate and its private key; " +
        std::string(options.tls_key.empty() ? "--tls-key" : "--tls-cert") + " is missing");
  }
  if (options.max_backlog < kibibytes(4)) bad("--max-backlog must be at least 4KiB");
  if (options.reconnect_jitter > std::chrono::hours(1)) bad("--reconnect-jitter must be at most 1h");
  if (options.heartbeat.count() != 0 && options.heartbeat < std::chrono::milliseconds(100))
    bad("--heartbeat must be 0 or at least 100ms");
  if (options.keepalive_time && options.keepalive_time->count() != 0 &&
      *options.keepalive_time < std::chrono::seconds(1)) {
    bad("--keepalive-time must be 0 or at least 1s");
  }
  auth::ChannelRules::parse(options.channel_rules);
  if (options.presence_grace > std::chrono::hours(1)) bad("--presence-grace must be at most 1h");
  if (options.presence_max == 0 || options.presence_max > 10'000) bad("--presence-max must be from 1 to 10000");
  if (options.presence_channels == 0 || options.presence_channels > presence::kMaxPeerNames)
    bad("--presence-channels must be from 1 to " + std::to_string(presence::kMaxPeerNames));
  auth::ChannelRules::parse(options.publish_rules, auth::ChannelRule::Purpose::kPublish);
  if (options.max_publish.count() == 0) bad("--max-publish must be more than 0");
  check_application_options(options);
  if (options.max_body.count() == 0) bad("--max-body must be more than 0");
  if (options.max_body_memory < options.max_body) bad("--max-body-memory must be at least --max-body");
  if (options.max_body_disk < std::max(options.max_body, options.max_upload))
    bad("--max-body-disk must be at least --max-body and --max-upload");
  if (options.admin_max_connections == 0) bad("--admin-max-connections must be at least 1");
  if (options.cluster_max_connections == 0) bad("--cluster-max-connections must be at least 1");
  if (options.max_tickets == 0) bad("--max-tickets must be at least 1");
  if (options.qos_ttl.count() == 0) bad("--qos-ttl must be more than 0");
  check_canary(options);
  check_cluster(options);
  if (options.qos_ack_timeout.count() != 0 && options.qos_ack_timeout < std::chrono::milliseconds(100))
    bad("--qos-ack-timeout must be 0 or at least 100ms");
  if (options.history.events != 0 && options.history.bytes < kibibytes(64 * options.services.size()))
    bad("--history-bytes must be at least 64KiB a service");
  if (options.history.events != 0 && options.history.ttl < std::chrono::seconds(1))
    bad("--history-ttl must be at least 1s");
  if (options.qos_max_per_user == 0) bad("--qos-max-per-user must be at least 1");
}

}  // namespace sse::server
