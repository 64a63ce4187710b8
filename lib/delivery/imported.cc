#include "delivery/imported.h"

namespace sse::delivery {

MessageId original_in(std::string_view key) {
  if (!key.starts_with(kImportPrefix)) return {};
  key.remove_prefix(kImportPrefix.size());
  const std::size_t end = key.find('/');
  if (end == std::string_view::npos) return {};
  return MessageId(parse_id(key.substr(0, end)).value_or(0));
}

}  // namespace sse::delivery
