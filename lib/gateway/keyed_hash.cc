#include "gateway/keyed_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>

#include "base/error.h"
#include "base/text.h"

namespace sse::gateway {

std::string keyed_hash(const std::string& key, const std::string& value) {
  constexpr std::size_t kBytes = 16;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(value.data()),
           value.size(), digest.data(), nullptr) == nullptr)
    throw Error(ErrorCode::kInternal, "cannot compute a checksum of a name");
  return to_hex(std::span(digest).first<kBytes>());
}

}  // namespace sse::gateway
