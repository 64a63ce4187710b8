#include "gateway/keyed_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string_view>

#include "base/error.h"

namespace sse::gateway {

std::string keyed_hash(const std::string& key, const std::string& value) {
  constexpr std::size_t kBytes = 16;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(value.data()),
           value.size(), digest.data(), nullptr) == nullptr)
    throw Error(ErrorCode::kInternal, "cannot compute a checksum of a name");
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hash;
  for (std::size_t i = 0; i < kBytes; ++i) {
    hash += kHex[digest.at(i) >> 4];
    hash += kHex[digest.at(i) & 0xF];
  }
  return hash;
}

}  // namespace sse::gateway
