#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/peer.h"

namespace sse::net {

/// The header that a proxy writes in front of a connection which it passes on: the PROXY protocol of HAProxy, versions
/// 1 and 2 (proxy-protocol.txt). It tells who opened the connection; what follows it is the client's own.
struct ProxyHeader {
  /// Longest header that is accepted. Version 2 allows 64 KiB of extensions, of which proxies use a few hundred bytes.
  static constexpr std::size_t kMaxSize = 4096;

  enum class Status : unsigned char { kIncomplete, kComplete, kMalformed };
  Status status = Status::kIncomplete;
  std::size_t size = 0;          ///< kComplete: how many bytes it takes
  std::optional<Peer> client{};  ///< kComplete: nothing when the proxy speaks for itself (LOCAL) or does not know it
  std::string reason{};          ///< kMalformed: for the operator of the proxy
};

/// Reads the header at the beginning of `bytes`. While it is incomplete, all of `bytes` belong to it.
ProxyHeader read_proxy_header(std::string_view bytes);
/// Whether `bytes` begin like a header, whatever follows.
bool begins_like_proxy_header(std::string_view bytes);

}  // namespace sse::net
