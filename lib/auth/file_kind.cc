#include "auth/file_kind.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <string>

#include "base/text.h"
#include "event/json.h"

namespace sse::auth {
namespace {

template <std::size_t n>
bool begins_with_any(std::string_view text, const std::array<std::string_view, n>& beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view one) { return text.starts_with(one); });
}

// Requires a name, comment, declaration or end tag after '<', because a secret may begin with '<'.
bool is_markup(std::string_view text) {
  if (!text.starts_with('<') || text.find('>') == std::string_view::npos) return false;
  const char next = text.size() > 1 ? text[1] : ' ';
  return next == '!' || next == '?' || next == '/' || (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
}

// One ASN.1 SEQUENCE exactly as long as the bytes (X.690 §8.1.3): keys, certificates, PKCS #8.
bool is_der(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  if (bytes.size() < 8 || byte(0) != 0x30) return false;
  std::size_t head = 2;
  std::size_t length = byte(1);
  if (length >= 0x80) {
    const std::size_t more = length - 0x80;
    if (more == 0 || more > 3 || bytes.size() < 2 + more) return false;
    length = 0;
    for (std::size_t i = 0; i < more; ++i) length = length << 8U | byte(2 + i);
    head += more;
  }
  return head + length == bytes.size();
}

// Also accepts the beginning of an object: half a document is not a secret, either.
bool is_object(std::string_view text) {
  if (!text.starts_with('{')) return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", 1);
  return next == std::string_view::npos || text[next] == '"' || text[next] == '}';
}

bool is_json(std::string_view text) {
  try {
    event::parse_json(std::string(text), "");
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

FileKind recognize(std::string_view bytes) {
  constexpr std::array<std::string_view, 3> kMarks{"\xEF\xBB\xBF", "\xFE\xFF", "\xFF\xFE"};
  constexpr std::array<std::string_view, 8> kSsh{
      "ssh-rsa ", "ssh-dss ",       "ssh-ed25519 ",    "ecdsa-sha2-",
      "sk-ssh-",  "sk-ecdsa-sha2-", "---- BEGIN SSH2", "PuTTY-User-Key-File"};
  constexpr std::array<std::string_view, 4> kBinary{"\x1F\x8B", "PK\x03\x04",
                                                    "\x7F"
                                                    "ELF",
                                                    "%PDF-"};
  if (begins_with_any(bytes, kMarks)) return FileKind::kByteOrderMark;
  if (begins_with_any(bytes, kBinary)) return FileKind::kBinary;
  if (is_der(bytes)) return FileKind::kDer;
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return FileKind::kEmpty;
  const std::string_view text = bytes.substr(first);
  if (is_markup(text)) return FileKind::kMarkup;
  if (begins_with_any(text, kSsh)) return FileKind::kSsh;
  if (is_object(text)) return FileKind::kJsonObject;
  if (text.find("-----BEGIN ") != std::string_view::npos) return FileKind::kPem;
  // A secret may begin with a bracket or quote; JSON must parse completely.
  if ((text.starts_with('[') || text.starts_with('"')) && is_json(text)) return FileKind::kJsonOther;
  return FileKind::kOther;
}

std::string_view describe(FileKind kind) {
  switch (kind) {
    case FileKind::kEmpty:
      return "empty";
    case FileKind::kByteOrderMark:
      return "text with a byte order mark; save it as UTF-8 without one";
    case FileKind::kMarkup:
      return "a web page or other markup";
    case FileKind::kJsonObject:
      return "a JSON object";
    case FileKind::kJsonOther:
      return "JSON, but not an object";
    case FileKind::kPem:
      return "a key or certificate in PEM form";
    case FileKind::kSsh:
      return "an SSH key";
    case FileKind::kDer:
      return "in DER form; convert it to PEM (openssl x509 or openssl pkey with -inform DER)";
    case FileKind::kBinary:
      return "an archive, document or program";
    case FileKind::kOther:
      break;
  }
  return "something else";
}

}  // namespace sse::auth
