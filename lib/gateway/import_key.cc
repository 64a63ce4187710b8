#include "gateway/import_key.h"

#include <openssl/evp.h>

#include <array>
#include <span>

#include "base/error.h"
#include "base/text.h"
#include "delivery/imported.h"

namespace sse::gateway {

std::string import_key(MessageId original, const delivery::Recipient& recipient) {
  constexpr std::size_t kBytes = 16;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (EVP_Digest(recipient.name.data(), recipient.name.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw Error(ErrorCode::kInternal, "cannot compute a checksum of a recipient");
  return std::string(delivery::kImportPrefix) + original.str() + "/" + std::string(event::kind_name(recipient.kind)) +
         "/" + to_hex(std::span(digest).first<kBytes>());
}

}  // namespace sse::gateway
