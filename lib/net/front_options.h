#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/units.h"
#include "net/byte_budget.h"
#include "net/peer.h"
#include "net/reply.h"
#include "net/request_head.h"
#include "net/tls_context.h"
#include "net/worker_pool.h"

namespace sse::net {

/// Why a request is refused after its head was read.
struct HeadRefusal {
  int status = 0;
  std::string sentence;
  std::string headers{};  ///< lines with their CRLF, such as `Allow`
};

/// Result of an Admit call: the sender of the request, or a refusal.
struct AdmitResult {
  std::optional<HeadRefusal> refusal{};
  std::shared_ptr<const Admission> admission{};
};

/// Decides on a request whose body has not been received yet; must not throw.
using Admit = std::function<AdmitResult(const RequestHead& head, const Peer& peer)>;

/// How to receive and handle a request, decided from its head.
struct RequestPlan {
  WorkerPool* workers = nullptr;          ///< null: the workers of HttpFront
  std::chrono::milliseconds max_wait{0};  ///< longest wait for a worker, then 503; 0: no limit
  ByteCount max_body;
  ByteCount max_in_memory = kibibytes(64);  ///< larger bodies go to disk while they arrive (FrontOptions::spoolers)
  bool in_file = false;                     ///< the handler reads a body on disk from the file
  bool takes_multipart = false;             ///< otherwise such a body is refused with 415
  std::optional<HeadRefusal> refusal{};     ///< the response, sent without reading the body
  /// Null: every sender is admitted. Runs on a worker, may block, and is called only when the body did not arrive with
  /// the head; the connection is not read meanwhile.
  Admit admit{};
};

/// The response text of a refusal by HttpFront itself.
struct RefusalText {
  std::string headers;  ///< lines with their CRLF, such as those of CORS
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct FrontOptions {
  std::string name;                               ///< of this listener in logs and metrics: "public", "admin"
  std::chrono::milliseconds head_timeout{5000};   ///< from a head's first byte to its last
  std::chrono::milliseconds body_timeout{30000};  ///< from the head's last byte to the body's
  std::chrono::milliseconds idle_timeout{75000};  ///< between requests
  ByteCount max_body = mebibytes(8);
  std::size_t max_connections = 0;  ///< 0: no limit; `others_open` counts towards it
  std::size_t max_per_address = 0;  ///< 0: no limit
  /// Null: no peer is a proxy. Returns true when this peer forwards requests of other clients. Each of those requests
  /// counts for the address that `client_address` returns, and the proxy itself does not count. Called on the loop
  /// thread; must not block.
  std::function<bool(const std::string& peer)> is_proxy;
  std::function<std::string(const std::string& peer, const RequestHead&)> client_address;
  std::string max_connections_option = "--max-connections";  ///< named in the refusal
  /// Null: every request uses HttpFront's workers and max_body. Called on the loop thread; must not block.
  std::function<RequestPlan(const RequestHead&, const Peer&)> plan;
  /// Null: refusals are plain text. Not called for a request without a readable head. Any thread; must not block.
  std::function<RefusalText(const RequestHead&, int status, const std::string& sentence)> refusal;
  /// Null: every request is handled by the app. Called on a worker thread, may read the disk. Answers a request that
  /// needs only its head, or returns nullopt. Must not throw.
  std::function<std::optional<Reply>(const RequestHead& head, bool keep_alive)> content;
  /// The workers that write large bodies to disk, for which the loop must not wait, and the folder. Null: bodies stay
  /// in memory.
  WorkerPool* spoolers = nullptr;
  std::string spool_folder = "/tmp";
  std::size_t max_spooled = 256;  ///< bodies on disk at a time; each costs a descriptor
  /// Limits of the bytes of request bodies in memory and on disk. Null: no limit. Must outlive the front.
  ByteBudget* memory = nullptr;
  ByteBudget* disk = nullptr;
  /// Connections from peers for which `is_proxy` returns true begin with a PROXY protocol header (ProxyHeader), which
  /// names their peer; `is_proxy` is then asked about that peer.
  bool proxy_protocol = false;
  /// Not null: connections must use TLS, except on unix sockets, which only this machine reaches. Must outlive the
  /// front.
  const TlsContext* tls = nullptr;
  std::chrono::milliseconds handshake_timeout{10'000};  ///< from accept to the end of the handshake
  /// The response to a request in clear where `tls` is required.
  std::string clear_text_refusal = "this port requires TLS; use https:// instead of http://";
  /// Null: a failed handshake is only counted. Receives the peer and the session that failed. Called on the loop
  /// thread; must not block.
  std::function<void(const Peer&, const TlsSession&)> on_failed_handshake{};
};

}  // namespace sse::net
