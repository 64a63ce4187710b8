#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/fd.h"
#include "net/socket.h"

namespace sse::net {

/// A part of an open file as the body of a response. It is read while it is sent, so that a client costs the same
/// memory however large the file is. Replies may share the descriptor, whose own offset is not used.
struct FileBody {
  std::shared_ptr<const UniqueFd> file;
  std::uint64_t offset = 0;
  std::uint64_t left = 0;  ///< bytes still to be sent

  /// Sends up to so many bytes without waiting for the socket, and advances by those sent. Returns as send(2): -1 with
  /// EAGAIN when the socket is full, with EIO when the file has become shorter. Reads the disk: not for event loops.
  /// REQUIRES: left > 0, and SIGPIPE blocked in this thread (sendfile(2) has no MSG_NOSIGNAL).
  ssize_t send_some(Socket& socket, std::size_t max_bytes);
};

/// Blocks SIGPIPE in the calling thread; every thread that sends files calls it.
void block_broken_pipe_signal();

}  // namespace sse::net
