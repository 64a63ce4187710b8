#pragma once

#include <netdb.h>

#include <chrono>
#include <memory>
#include <string>

#include "api/address.h"
#include "base/fd.h"

namespace sse::ctl {

struct FreeAddressList {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeAddressList>;

/// The TCP addresses of a host, as getaddrinfo(3) with these flags; null when there are none. Blocks.
AddressList resolve(const std::string& host, const std::string& port, int flags = 0);

/// A blocking connection to the host, whose addresses are tried in turn; not valid when none accepts, with the reason
/// in `error`, a phrase for display. `timeout`: for connecting, and for each later read and write of the socket.
/// `local_address`: to connect from; empty: the system chooses. REQUIRES: `host` is no unix socket.
UniqueFd connect_to(const api::Address& host, const std::string& local_address, std::chrono::milliseconds timeout,
                    std::string& error);

/// The numeric address from which this machine connects to the host; empty when there is no route.
std::string own_address_towards(const api::Address& host);

/// Whether a numeric address belongs to a loopback, private, link-local or shared network (RFC 1918, RFC 4193, RFC
/// 6598, RFC 3927), so that no client on the Internet has it.
bool is_internal_address(const std::string& address);

}  // namespace sse::ctl
