#pragma once

#include <string_view>

namespace sse::auth {

/// The apparent type of a file that should hold keys or a secret. Such files come from downloads, templates and other
/// tools: if a download stored an error page instead of a token, the public text of that page would become the token.
enum class FileKind : unsigned char {
  kEmpty,          ///< only white space
  kByteOrderMark,  ///< begins with a byte order mark
  kMarkup,         ///< HTML or XML
  kJsonObject,
  kJsonOther,
  kPem,
  kSsh,
  kDer,
  kBinary,  ///< a well-known binary format: gzip, zip, PKCS #12, an executable
  kOther,
};

/// Recognizes the type by the first bytes and, where they do not suffice, by parsing.
FileKind recognize(std::string_view bytes);

/// A description to follow "is", e.g. `a web page or other markup`.
std::string_view describe(FileKind kind);

}  // namespace sse::auth
