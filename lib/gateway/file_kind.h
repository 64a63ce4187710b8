#pragma once

#include <string_view>

namespace sse::gateway {

/// What a file that is to hold keys or a secret looks like. Such files come from downloads, templates and other tools:
/// an error page in the place of a token would make a token of what everybody can see.
enum class FileKind : unsigned char {
  kEmpty,   ///< nothing but blanks and line breaks
  kMarked,  ///< begins with a byte order mark, whatever follows
  kMarkup,  ///< HTML or XML
  kJsonObject,
  kJsonOther,
  kPem,
  kSsh,
  kDer,
  kBinary,  ///< of a well-known format: gzip, zip, PKCS #12, an executable
  kOther,
};

/// By how the bytes begin, and where that is not enough, by whether they parse.
FileKind recognize(std::string_view bytes);

/// `a web page or other markup`: to be put behind "is".
std::string_view describe(FileKind kind);

}  // namespace sse::gateway
