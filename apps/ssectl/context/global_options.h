#pragma once

#include <string>

#include "cli/app.h"

namespace sse::ctl {

/// The options that every ssectl command takes.
struct GlobalOptions {
  std::string server;
  std::string cluster;
  std::string cluster_password_file;
  std::string cluster_ca;
  std::string cluster_cert;
  std::string cluster_key;
  std::string cluster_tls_name;
  std::string cluster_prefix = "sse:";
  std::string discovery;
  std::string discovery_password_file;
  std::string discovery_access_key_file;
  std::string discovery_ca;
  std::string cluster_secret_file;
  bool insecure = false;
  bool local = false;
  std::string token_file;
  std::string service;
  std::string output = "table";
  std::string timeout = "10s";
  bool no_color = false;

  void declare(cli::App& app);
};

}  // namespace sse::ctl
