#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "api/address.h"

namespace sse::ctl {

/// A connection that sends any bytes, also what no HTTP library would. One thread.
class RawConnection {
 public:
  /// Connects; with TLS, certificates are checked unless `verify` is false. Throws Error(kUnavailable).
  RawConnection(const api::Address& address, bool verify, std::chrono::milliseconds timeout);
  ~RawConnection();
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  /// False when the peer has closed the connection, or takes nothing for the time limit.
  bool send(std::string_view bytes);
  /// Adds what arrives to received(), until `text` is in it (true), the peer closes, or the time is over.
  bool read_until(std::string_view text, std::chrono::milliseconds timeout);
  const std::string& received() const { return received_; }
  /// The peer has closed the connection.
  bool ended() const { return ended_; }
  /// The status of the response that begins received(); 0 without one.
  int status() const;
  /// Closes with a reset, as a client that has crashed.
  void reset();

 private:
  class Channel;
  std::unique_ptr<Channel> channel_;
  std::string received_;
  bool ended_ = false;
};

}  // namespace sse::ctl
