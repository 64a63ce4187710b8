#include "store/imported.h"

#include <openssl/evp.h>

#include <array>
#include <span>

#include "base/error.h"
#include "base/hex.h"

namespace sse::store {

std::string import_key(MessageId original, const Recipient& recipient) {
  constexpr std::size_t kBytes = 16;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (EVP_Digest(recipient.name.data(), recipient.name.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw Error(ErrorCode::kInternal, "cannot compute a checksum of a recipient");
  return std::string(kImportPrefix) + original.str() + "/" + std::string(event::kind_name(recipient.kind)) + "/" +
         to_hex(std::span(digest).first<kBytes>());
}

std::string sender_key(const std::string& key) {
  return key.starts_with(kImportPrefix) ? "" : key;
}

MessageId original_in(std::string_view key) {
  if (!key.starts_with(kImportPrefix)) return {};
  key.remove_prefix(kImportPrefix.size());
  const std::size_t end = key.find('/');
  if (end == std::string_view::npos) return {};
  return MessageId(parse_id(key.substr(0, end)).value_or(0));
}

}  // namespace sse::store
