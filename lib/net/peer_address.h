#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

namespace sse::net {

/// IP addresses in the canonical form in which they are compared, counted, logged and shown. IPv4 is dotted decimal,
/// also where the kernel or a proxy writes it as IPv4-mapped IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2: the form in
/// which a listener on `[::]` sees an IPv4 peer). IPv6 follows RFC 5952.

/// Four or sixteen bytes; empty when `text` is not a numeric address.
std::vector<unsigned char> address_bytes(std::string_view text);
/// `text` in canonical form; empty when it is not a numeric address.
std::string normalized_address(std::string_view text);
/// The canonical form of an address of four or sixteen bytes, in network order; empty for another number of bytes.
std::string address_text(std::string_view bytes);
/// Without the port; empty for an address family other than IPv4 and IPv6.
std::string address_of(const sockaddr_storage& address);
/// The unit that is counted as one client: an IPv4 address, or the /64 network of an IPv6 address, because one host may
/// use all of it (RFC 4291 §2.5.4). Text that is not an address is returned unchanged.
std::string counted_address(const std::string& address);

/// The address of a node as a proxy writes it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, with
/// or without quotes. Empty when there is none, as for `unknown` or the `_hidden` of RFC 7239 §6.
std::string node_address(std::string_view node);
/// The `for` of each element of a Forwarded header (RFC 7239 §4), in order, as written; empty where it is missing or
/// given twice.
std::vector<std::string> forwarded_nodes(std::string_view forwarded);

}  // namespace sse::net
