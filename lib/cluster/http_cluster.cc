#include "cluster/http_cluster.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/typed_json.h"
#include "cluster/mesh/node_probe.h"
#include "cluster/mesh/program_discovery.h"
#include "cluster/mesh/static_discovery.h"
#include "cluster/nacos/nacos_discovery.h"
#include "net/listener.h"
#include "observe/log.h"

namespace sse::cluster {
namespace {

constexpr std::chrono::milliseconds kProbe{1000};
// Longer than any heartbeat, so that discovery notices first that a node is gone.
constexpr std::chrono::milliseconds kGiveUp{8000};

constexpr std::chrono::milliseconds kLongest = std::chrono::hours(1);

[[noreturn]] void bad(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what);
}

bool is_static(const HttpClusterOptions& options) {
  return options.discovery.starts_with("static:");
}

// 160 random bits, as text.
std::string random_secret() {
  static constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::random_device random;
  std::string secret;
  for (int i = 0; i < 32; ++i) secret += kLetters[random() % 32];
  return secret;
}

// Null: in clear.
std::shared_ptr<MeshTls> open_tls(const MeshTls::Options& tls) {
  return tls.certificate_file.empty() ? nullptr : std::make_shared<MeshTls>(tls);
}

HttpBus::Options bus_options(const HttpClusterOptions& options, const std::string& name) {
  HttpBus::Options bus;
  bus.node = name;
  bus.clock = options.cluster.clock;
  bus.secret = !options.secret.empty() ? options.secret : random_secret();
  if (is_static(options)) bus.give_up = kGiveUp;
  bus.link.tls = open_tls(options.tls);
  bus.link.allow_clear = options.allow_clear;
  bus.max_connections = options.max_connections;
  bus.max_body_memory = options.max_body_memory;
  bus.spool_folder = options.spool_folder;
  return bus;
}

NacosDiscovery::Liveness check_liveness(const HttpBus& bus, const std::string& address, const std::string& id,
                                        const std::string& run) {
  const NodeProbe probe = probe_node(address, kProbe, bus.tls());
  if (probe.not_a_node) return NacosDiscovery::Liveness::kDead;
  if (probe.node_info.is_null()) return NacosDiscovery::Liveness::kUnknown;
  return text_in(probe.node_info, "id") == id && text_in(probe.node_info, "run") == run
             ? NacosDiscovery::Liveness::kAlive
             : NacosDiscovery::Liveness::kDead;
}

std::unique_ptr<Discovery> make_discovery(const HttpClusterOptions& options, HttpBus& bus) {
  if (is_static(options)) {
    StaticDiscovery::Options known;
    known.addresses = parse_static_addresses(options.discovery);
    known.secret = options.secret;
    return std::make_unique<StaticDiscovery>(bus, known);
  }
  if (options.own_discovery != nullptr) return std::make_unique<ProgramDiscovery>(*options.own_discovery, bus);
  NacosDiscovery::Options nacos;
  nacos.nacos = nacos_options(options);
  nacos.nacos.clock = &bus.clock();
  nacos.address = bus.address();
  nacos.secret = bus.secret();
  nacos.shared_secret = !options.secret.empty();
  nacos.start_timeout = options.start_timeout;
  nacos.run = bus.name();
  // Not the function itself: GCC would export the type information of its type from the shared library.
  nacos.probe_liveness = [&bus](const std::string& address, const std::string& id, const std::string& run) {
    return check_liveness(bus, address, id, run);
  };
  nacos.on_peers = [&bus](const std::vector<HttpBus::Peer>& peers) { bus.set_peers(peers); };
  nacos.on_hello = [&bus](const event::Json& hello) { bus.set_hello(hello); };
  nacos.heard = [&bus] { return bus.seen(); };
  return std::make_unique<NacosDiscovery>(std::move(nacos));
}

bool is_elsewhere(const std::string& host) {
  return !net::ListenAddress{host, 0, ""}.is_loopback();
}

// The server of Nacos to which `options` send in clear over a network; empty: none.
std::string clear_nacos(const HttpClusterOptions& options) {
  if (!is_nacos_address(options.discovery)) return "";
  const NacosAddress nacos = parse_nacos_address(options.discovery);
  const auto found = std::ranges::find_if(nacos.servers, [](const auto& one) { return is_elsewhere(one.first); });
  return nacos.tls || found == nacos.servers.end() ? "" : found->first;
}

// Why the secret would travel over a network in clear, as a sentence; empty: it does not. The addresses that discovery
// finds later are checked by the bus.
std::string why_secret_in_clear(const HttpClusterOptions& options) {
  if (options.secret.empty() && !options.listen.empty()) {
    if (const std::string nacos = clear_nacos(options); !nacos.empty()) {
      return "this node would register its secret in Nacos at " + printable(nacos, 80) +
             " in clear; use nacos+https://, or give all nodes one --cluster-secret-file, which is not registered";
    }
  }
  if (!options.tls.certificate_file.empty()) return "";
  std::vector<std::pair<std::string, std::string>> addresses{{"--cluster-listen", options.listen},
                                                             {"--cluster-advertise", options.advertise}};
  if (is_static(options)) {
    for (const std::string& address : parse_static_addresses(options.discovery))
      addresses.emplace_back("the node of --discovery", address);
  }
  for (const auto& [option, address] : addresses) {
    if (address.empty() || net::ListenAddress::parse(address).is_loopback()) continue;
    return "the secret of the cluster would travel over a network in clear: " + option + " is " +
           printable(address, 80) + "; give --cluster-cert, --cluster-key and --cluster-ca for TLS between the nodes";
  }
  return "";
}

void check_secrecy(const HttpClusterOptions& options) {
  const std::string why = options.allow_clear ? "" : why_secret_in_clear(options);
  if (!why.empty()) bad(why + "; or give --insecure on a network that you trust");
}

void check_listener(const HttpClusterOptions& options) {
  if (options.listen.empty()) return;
  const net::ListenAddress at = net::ListenAddress::parse(options.listen);
  if (at.is_unix()) bad("--cluster-listen is for other machines: write ADDRESS:PORT");
  if (options.advertise.empty() && (at.host == "0.0.0.0" || at.host == "::"))
    bad("--cluster-listen on every address needs --cluster-advertise HOST:PORT, where other nodes reach this one");
  if (!options.advertise.empty()) {
    const net::ListenAddress advertised = net::ListenAddress::parse(options.advertise);
    if (advertised.is_unix() || advertised.port == 0) bad("--cluster-advertise must be HOST:PORT");
  }
}

void check_tls(const MeshTls::Options& tls) {
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    bad("--cluster-cert and --cluster-key go together: TLS between nodes needs a certificate and its private key; " +
        std::string(tls.key_file.empty() ? "--cluster-key" : "--cluster-cert") + " is missing");
  }
  if (tls.certificate_file.empty() && !(tls.ca_file.empty() && tls.server_name.empty())) {
    bad(std::string(tls.ca_file.empty() ? "--cluster-tls-name" : "--cluster-ca") +
        " is for TLS between the nodes, where each shows a certificate: give --cluster-cert and --cluster-key, too");
  }
  if (!tls.certificate_file.empty()) MeshTls::check(tls);
}

void warn_of_clear_text(const HttpClusterOptions& options) {
  if (const std::string why = why_secret_in_clear(options); !why.empty())
    observe::log_warn("--insecure lets a secret be read on the network", {{"reason", why}});
  const std::string nacos = clear_nacos(options);
  if (nacos.empty() || (nacos_options(options).address.password.empty() && options.access_key.empty())) return;
  observe::log_warn("the credentials for Nacos travel over a network in clear; use nacos+https://", {{"host", nacos}});
}

}  // namespace

NacosClient::Options nacos_options(const HttpClusterOptions& options) {
  NacosClient::Options nacos;
  nacos.address = parse_nacos_address(options.discovery);
  if (!options.password.empty()) {
    if (nacos.address.user.empty()) nacos.address.user = "nacos";
    nacos.address.password = options.password;
  }
  if (!options.access_key.empty()) {
    const std::size_t colon = options.access_key.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == options.access_key.size())
      bad("the first line of --discovery-access-key-file is not ACCESSKEY:SECRETKEY");
    nacos.access_key = options.access_key.substr(0, colon);
    nacos.secret_key = options.access_key.substr(colon + 1);
    if (!nacos.address.user.empty())
      bad("Nacos takes a log-in or an access key; leave out either the password or --discovery-access-key-file");
  }
  nacos.ca_file = options.ca_file;
  if (!nacos.ca_file.empty() && !nacos.address.tls) bad("--discovery-ca is for nacos+https://");
  return nacos;
}

void check(const HttpClusterOptions& options) {
  if (!is_nacos_address(options.discovery)) {
    if (!options.access_key.empty()) bad("--discovery-access-key-file is for Nacos");
    if (!options.ca_file.empty()) bad("--discovery-ca is for nacos+https://");
  }
  if (is_static(options)) {
    parse_static_addresses(options.discovery);
    if (!options.password.empty()) bad("--discovery-password-file is the password of Nacos; static nodes have none");
    if (options.secret.empty()) bad("with --discovery static:… all nodes need the same --cluster-secret-file");
  } else if (options.own_discovery != nullptr) {
    if (!options.password.empty()) bad("--discovery-password-file is the password of Nacos; the program has none");
    if (options.secret.empty())
      bad("with a discovery of the program's own all nodes need the same secret: ServerOptions::cluster_secret_file");
  } else if (is_nacos_address(options.discovery)) {
    nacos_options(options);
  } else {
    bad("--discovery '" + printable(options.discovery.substr(0, options.discovery.find(':')), 20) +
        ":…' is not known; write nacos://HOST:8848/NAMESPACE/GROUP/SERVICE or static:HOST:PORT,HOST:PORT");
  }
  check_tls(options.tls);
  check_listener(options);
  check_secrecy(options);
}

std::string shown_discovery(const std::string& discovery) {
  return is_nacos_address(discovery) ? parse_nacos_address(discovery).str() : discovery;
}

HttpCluster open_http_cluster(const HttpClusterOptions& options, observe::Registry& metrics) {
  check(options);
  if (options.listen.empty()) bad("--discovery requires an address for other nodes: --cluster-listen ADDRESS:PORT");
  const std::string& id = options.cluster.node;
  require_node_id(id);
  warn_of_clear_text(options);
  HttpBus::Options bus_of_node = bus_options(options, bus_name(id));
  bus_of_node.listen = options.listen;
  bus_of_node.advertise = options.advertise;
  auto bus = std::make_unique<HttpBus>(bus_of_node, metrics);
  HttpCluster opened;
  opened.bus = bus.get();
  // Lets another node with this id detect the conflict.
  bus->set_hello({{"id", id}, {"run", bus->name()}});
  Cluster::Options node = options.cluster;
  node.registry_apart = true;
  auto discovery = make_discovery(options, *bus);
  opened.cluster = std::make_unique<Cluster>(node, std::move(bus), std::move(discovery), metrics);
  opened.bus->start(opened.cluster->receiver());
  return opened;
}

HttpClientParts open_http_client(const HttpClusterOptions& options, const std::string& name, Bus::Receiver& receiver,
                                 observe::Registry& metrics) {
  check(options);
  HttpClientParts parts;
  HttpBus::Options bus = bus_options(options, name);
  // The caller of handle() sets the timeout of each request.
  bus.link.answer_timeout = kLongest;
  parts.bus = std::make_unique<HttpBus>(bus, metrics);
  parts.discovery = make_discovery(options, *parts.bus);
  parts.bus->start(receiver);
  return parts;
}

}  // namespace sse::cluster
