#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "cluster/mesh/mesh_tls.h"
#include "net/host_resolver.h"
#include "net/listener.h"
#include "net/socket.h"

namespace sse::cluster {

/// An HTTP/1.1 connection to the bus of one node, in clear or over TLS, which is kept alive between requests and made
/// anew when the node has closed it or the certificates were read again. Blocks. One thread at a time, except
/// interrupt().
class NodeConnection {
 public:
  struct Options {
    std::chrono::milliseconds connect_timeout{1000};    ///< for the look-up of the name, and again to connect
    std::chrono::milliseconds handshake_timeout{3000};  ///< of TLS
    std::chrono::milliseconds answer_timeout{2000};     ///< without a byte sent or received
    std::size_t max_response = 0;                       ///< bytes of a response's body
    std::shared_ptr<const MeshTls> tls{};               ///< null: in clear
  };
  struct Request {
    const char* method;
    const char* path;
    std::string headers{};  ///< lines with their CRLF
    std::string_view body{};
  };
  enum class Outcome : unsigned char {
    kResponse,
    kSilent,     ///< no connection or response in time: the node may be alive
    kUntrusted,  ///< a TLS server is there, and one side does not accept the certificate of the other
    kFailed      ///< no server is there, or it closed the connection, or it does not speak HTTP
  };
  struct Response {
    Outcome outcome = Outcome::kFailed;
    int status = 0;
    std::string body;
    std::string problem;  ///< unless kResponse: a phrase about the node, such as "it cannot be reached (…)"
  };

  /// Throws Error(kInternal) if the system has no descriptor for it.
  NodeConnection(net::ListenAddress address, Options options);
  NodeConnection(const NodeConnection&) = delete;
  NodeConnection& operator=(const NodeConnection&) = delete;

  Response exchange(const Request& request);
  /// Aborts an exchange in progress, and all later ones. Any thread.
  void interrupt();

 private:
  // Failures within an exchange, caught by it.
  struct Failure {
    Outcome outcome;
    std::string problem;
  };

  void connect();
  void dial();
  void do_handshake();
  /// Whether the kept connection can be used again.
  bool is_usable();
  void send(std::string_view bytes);
  void receive(Response& response);
  /// Appends to `in_`; false at the end.
  bool receive_some();
  void read_body(std::string_view head, Response& response);
  void close();
  [[noreturn]] void fail_connection(int error);
  /// Waits for the socket. Throws Failure after `timeout` with `problem`.
  void wait_for(short events, std::chrono::milliseconds timeout, const std::string& problem);

  const net::ListenAddress address_;
  const Options options_;
  net::HostResolver resolver_;
  const UniqueFd wakeup_;
  std::atomic<bool> interrupted_{false};
  std::shared_ptr<const MeshTls::ClientSide> client_side_;  // of socket_ and ticket_
  net::TlsTicket ticket_;
  net::Socket socket_;
  std::string in_;  // received, not read yet
};

}  // namespace sse::cluster
