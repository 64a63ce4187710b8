#pragma once

#include <string>
#include <vector>

#include "net/listener.h"

namespace sse::net {

/// A listening socket that the service manager opened and passed to this process, which does not own it: when the
/// process has ended, connections wait there for the next one.
struct PassedSocket {
  int fd = -1;
  std::string name;  ///< FileDescriptorName= of systemd; empty when it has none
  ListenAddress address;
};

/// The sockets of socket activation, from $LISTEN_FDS, $LISTEN_PID and $LISTEN_FDNAMES (sd_listen_fds(3)): none when
/// they are for another process than `self`. `first`: the descriptor of the first one. Throws Error(kInvalidArgument)
/// when one is not a listening stream socket of IPv4, IPv6 or the file system.
std::vector<PassedSocket> passed_sockets(const std::string& count, const std::string& pid, const std::string& names,
                                         int self, int first = 3);

}  // namespace sse::net
