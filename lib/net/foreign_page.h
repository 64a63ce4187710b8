#pragma once

#include <optional>

#include "net/front_options.h"
#include "net/request_head.h"

namespace sse::net {

/// Whether links on pages of other origins may lead to what a request names.
enum class Links : unsigned char { kRefused, kAllowed };

/// The refusal of a request that a page of another origin made a browser send, by `Sec-Fetch-Site` (Fetch Metadata,
/// https://www.w3.org/TR/fetch-metadata/) or, from a browser without it, by `Origin` (RFC 6454 §7), which must name the
/// Host of the request. nullopt for a page of the same origin, an address that was typed in, and programs, which send
/// neither. The same site is not enough: all ports of a machine are one site.
std::optional<HeadRefusal> refuse_foreign_page(const RequestHead& head, Links links);

}  // namespace sse::net
