#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "net/tls_client_context.h"
#include "net/tls_context.h"

namespace sse::cluster {

/// TLS between the nodes of a mesh: a node shows its one certificate to those that connect to it and to those that it
/// connects to, and both check that of the other. Thread safe.
class MeshTls {
 public:
  struct Options {
    std::string certificate_file{};  ///< PEM: of this node, followed by those of its issuers
    std::string key_file{};          ///< PEM, without a passphrase
    std::string ca_file{};           ///< PEM: trusts only what these certificates issued; empty: those of the system
    std::string server_name{};       ///< in the certificate of every node; empty: the host of the node's address
  };
  /// The configuration of connections to other nodes. `generation` grows with each reload().
  struct ClientSide {
    net::TlsClientContext context;
    std::uint64_t generation;
  };

  /// Reads the files. Throws Error(kInvalidArgument) that names file and option when one cannot be used.
  explicit MeshTls(Options options);

  /// Only checks the files. Throws likewise.
  static void check(const Options& options);

  /// Reads the files again, for connections from now on. Throws as the constructor; the old files then stay in use.
  void reload() EXCLUDES(mutex_);

  const net::TlsContext& server_side() const { return server_; }
  std::shared_ptr<const ClientSide> client_side() const EXCLUDES(mutex_);
  /// The name that the certificate of the node at that host must have.
  const std::string& name_of(const std::string& host) const {
    return options_.server_name.empty() ? host : options_.server_name;
  }
  /// Throws Error(kInvalidArgument) if the certificate does not name `host`, at which the other nodes reach this one.
  void require_own_name(const std::string& host) const;

 private:
  const Options options_;
  mutable Mutex mutex_;
  net::TlsContext server_;
  std::shared_ptr<const ClientSide> client_ GUARDED_BY(mutex_);
};

/// Why a connection to the node at `host` failed, and what to do: "its certificate has expired; …".
std::string why_tls_failed(const net::TlsSession& session, const std::string& name);
/// Likewise for a connection of another node to this one.
std::string why_peer_refused(const net::TlsSession& session);

}  // namespace sse::cluster
