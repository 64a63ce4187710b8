#include "gateway/import_key.h"

#include <openssl/evp.h>

#include <array>

#include "base/error.h"
#include "delivery/imported.h"

namespace sse::gateway {

std::string import_key(MessageId original, const delivery::Recipient& recipient) {
  constexpr std::size_t kBytes = 16;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (EVP_Digest(recipient.name.data(), recipient.name.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw Error(ErrorCode::kInternal, "cannot compute a checksum of a recipient");
  std::string key =
      std::string(delivery::kImportPrefix) + original.str() + "/" + std::string(event::kind_name(recipient.kind)) + "/";
  constexpr std::string_view kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < kBytes; ++i) {
    key += kHex[digest.at(i) >> 4];
    key += kHex[digest.at(i) & 0xF];
  }
  return key;
}

}  // namespace sse::gateway
