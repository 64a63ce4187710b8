#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

namespace sse::net {

/// Addresses in the one form in which they are compared, counted, logged and shown: IPv4 as dotted decimals, also where
/// the kernel or a proxy writes it into IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2: what a listener on `[::]` sees of
/// an IPv4 peer); IPv6 as RFC 5952 has it.

/// Four bytes or sixteen; none for what is no numeric address.
std::vector<unsigned char> address_bytes(std::string_view text);
/// The text in that form; empty for what is no numeric address.
std::string normalized_address(std::string_view text);
/// Without the port; empty for what is neither IPv4 nor IPv6.
std::string address_of(const sockaddr_storage& address);
/// What counts as one client: an IPv4 address, or the /64 network of an IPv6 one, all of which one host may use
/// (RFC 4291 §2.5.4). What is no address stands for itself.
std::string counted_address(const std::string& address);

/// A node as a proxy names it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, in quotes or not.
/// Empty for what is none, such as `unknown` or the `_hidden` of RFC 7239 §6.
std::string node_address(std::string_view node);
/// The `for` of each element of a Forwarded header (RFC 7239 §4), in order, as written; empty where an element has none
/// or makes no sense.
std::vector<std::string> forwarded_nodes(std::string_view forwarded);

}  // namespace sse::net
