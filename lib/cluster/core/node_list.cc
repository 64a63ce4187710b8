#include "cluster/core/node_list.h"

namespace sse::cluster {

using event::Json;

const Json& list_in(const Json& document, const char* name) {
  if (!document.is_object()) refuse_reply();
  const auto found = document.find(name);
  if (found == document.end() || !found->is_array()) refuse_reply();
  return *found;
}

std::set<std::string> texts_in(const Json& document, const char* name) {
  std::set<std::string> texts;
  if (!document.is_object()) return texts;
  const auto found = document.find(name);
  if (found == document.end() || !found->is_array()) return texts;
  for (const Json& one : *found) {
    if (one.is_string()) texts.insert(one.text());
  }
  return texts;
}

}  // namespace sse::cluster
