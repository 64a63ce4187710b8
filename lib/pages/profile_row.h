#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "cluster/core/node_list.h"
#include "event/json.h"

namespace sse::pages {

/// What the application says about a user, as a row of cluster/core/node_list.h. A user with connections to several
/// nodes has one row: that of one node, unchanged, because only the application knows what its fields mean.
struct ProfileRow {
  event::Json document;

  static ProfileRow read(const event::Json& row) {
    if (!row.is_object()) cluster::refuse_reply();
    return {row};
  }
  const event::Json& json() const { return document; }
  const event::Json& key() const { return std::as_const(document)["id"]; }
  // The result is the same regardless of which node merges.
  void merge(ProfileRow&& other) { document = std::max(document, other.document); }
  cluster::SortKey sort_key(std::string_view /*column*/) const {
    if (key().is_number_unsigned()) return key().get<std::uint64_t>();
    return key().is_string() ? key().text() : event::dump_json(key());
  }
};

}  // namespace sse::pages
