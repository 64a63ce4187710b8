#include "auth/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>

#include "base/error.h"
#include "base/hex.h"

namespace sse::auth {

std::string hmac_sha256_hex(const std::string& key, const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
           text.size(), digest.data(), &size) == nullptr)
    throw Error(ErrorCode::kInternal, "cannot compute an HMAC");
  return to_hex(std::span(digest).first(size));
}

}  // namespace sse::auth
