#pragma once

#include <string>

namespace sse::gateway {

/// 128 bits of an HMAC-SHA-256, in hex: tells who does not know `value` only whether two of them are the same, and who
/// does not know `key` not even that.
std::string keyed_hash(const std::string& key, const std::string& value);

}  // namespace sse::gateway
