#include "ssectl/context/global_options.h"

namespace sse::ctl {

void GlobalOptions::declare(cli::App& app) {
  app.add_option("-s,--server", server,
                 "Admin address: unix:PATH, http[s]://HOST:PORT (default: the socket of your own sse-serve)")
      .type_name("ADDRESS")
      .envname("SSECTL_SERVER");
  app.add_option("--cluster", cluster,
                 "Instead of a server: any node of the cluster at redis://[USER:PASSWORD@]HOST:PORT/DB")
      .type_name("ADDRESS")
      .envname("SSECTL_CLUSTER");
  app.add_option("--cluster-password-file", cluster_password_file, "File whose first line is the password of Redis")
      .type_name("FILE")
      .envname("SSECTL_CLUSTER_PASSWORD_FILE");
  app.add_option("--cluster-ca", cluster_ca,
                 "With rediss:// and --discovery: PEM file of the certificates to trust (default: the system's)")
      .type_name("FILE")
      .envname("SSECTL_CLUSTER_CA");
  app.add_option("--cluster-cert", cluster_cert, "PEM file with a certificate, if Redis or the nodes ask for one")
      .type_name("FILE")
      .envname("SSECTL_CLUSTER_CERT");
  app.add_option("--cluster-key", cluster_key, "PEM file with the private key of --cluster-cert")
      .type_name("FILE")
      .envname("SSECTL_CLUSTER_KEY");
  app.add_option("--cluster-tls-name", cluster_tls_name,
                 "Name in the certificate of Redis, or of every node (default: the host of the address)")
      .type_name("NAME")
      .envname("SSECTL_CLUSTER_TLS_NAME");
  app.add_option("--cluster-prefix", cluster_prefix, "What the keys and channels of the cluster in Redis begin with")
      .type_name("TEXT")
      .show_default()
      .envname("SSECTL_CLUSTER_PREFIX");
  app.add_option(
         "--discovery", discovery,
         "Instead of a server: any node registered at nacos://[USER:PASSWORD@]HOST:PORT/NAMESPACE/GROUP/SERVICE, or "
         "listed in static:HOST:PORT,...")
      .type_name("ADDRESS")
      .envname("SSECTL_DISCOVERY");
  app.add_option("--discovery-password-file", discovery_password_file, "File whose first line is the password of Nacos")
      .type_name("FILE")
      .envname("SSECTL_DISCOVERY_PASSWORD_FILE");
  app.add_option("--discovery-access-key-file", discovery_access_key_file,
                 "File whose first line is an access key of Nacos and its secret key, ACCESSKEY:SECRETKEY")
      .type_name("FILE")
      .envname("SSECTL_DISCOVERY_ACCESS_KEY_FILE");
  app.add_option("--discovery-ca", discovery_ca,
                 "With nacos+https://: PEM file of the certificates to trust (default: the system's)")
      .type_name("FILE")
      .envname("SSECTL_DISCOVERY_CA");
  app.add_option("--cluster-secret-file", cluster_secret_file,
                 "With --discovery: file whose first line is the shared secret of the nodes, if they have one")
      .type_name("FILE")
      .envname("SSECTL_CLUSTER_SECRET_FILE");
  app.add_flag("--insecure", insecure, "With --discovery: send the secret to nodes on other machines without TLS");
  app.add_flag("--local", local, "In a cluster: act on the server of --server alone");
  app.add_option("--token-file", token_file, "File whose first line is the admin token")
      .type_name("FILE")
      .envname("SSECTL_TOKEN_FILE");
  app.add_option("--service", service, "Service to use, if the server hosts several")
      .type_name("NAME")
      .envname("SSECTL_SERVICE");
  app.add_option("-o,--output", output, "table, json (one document) or ndjson (one object a line)")
      .type_name("table|json|ndjson")
      .show_default()
      .envname("SSECTL_OUTPUT")
      .one_of({"table", "json", "ndjson"});
  app.add_option("--timeout", timeout, "Timeout of a call, such as 500ms, 10s, 1m")
      .type_name("DURATION")
      .show_default()
      .envname("SSECTL_TIMEOUT");
  app.add_flag("--no-color", no_color, "No colour, even on a terminal (like NO_COLOR=1)");
}

}  // namespace sse::ctl
