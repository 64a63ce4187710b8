#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "api/client.h"
#include "base/units.h"
#include "ssectl/console/keys.h"

namespace sse::ctl {

/// A port of this machine at which a browser reaches the admin API of a server, and its console.
///
/// Requests need the key of a session (ConsoleKeys), except those for the files of the console, which contain no data,
/// and `POST /console/session`, which exchanges a one-time token for such a key. Pages of other origins and other Hosts
/// are refused in the same way as by the admin listener. A response is passed on as it arrives, so that only pieces of
/// it are in memory; a response has its connection for itself.
class ConsoleRelay {
 public:
  /// Connections, and streams of events, at a time.
  static constexpr std::size_t kMaxConnections = 64;
  static constexpr std::size_t kMaxStreams = 16;
  /// Of a request.
  static constexpr ByteCount kMaxBody = mebibytes(1);

  /// Listens on `port` of 127.0.0.1; 0: the system chooses one. `server`: where the requests go, with the admin token.
  /// `keys` must outlive this. Throws Error.
  ConsoleRelay(api::ClientOptions server, std::uint16_t port, ConsoleKeys& keys);
  /// Ends the requests in progress.
  ~ConsoleRelay();
  ConsoleRelay(const ConsoleRelay&) = delete;
  ConsoleRelay& operator=(const ConsoleRelay&) = delete;

  /// `http://127.0.0.1:PORT`
  std::string origin() const;
  /// Serves from now on, on threads of its own.
  void start();

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace sse::ctl
