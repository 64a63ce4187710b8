#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "event/json.h"

/// Lists that each node has a part of: read from the replies of nodes, merged by the type of their rows, sorted, and
/// cut into pages. Pure functions.
///
/// A row type has `static Row read(const Json&)`, which throws Error(kInvalidArgument) for JSON that no node sends, and
/// `Json json()`. If rows of different nodes may be of one thing, it also has `key()` and `merge(Row&&)`. To be sorted
/// it has `SortKey sort_key(std::string_view column)`; an empty column is the default one.
namespace sse::cluster {

/// What a row is sorted by: an absent value comes before all numbers, and numbers before text.
using SortKey = std::variant<std::monostate, std::uint64_t, std::string>;

/// The largest total: a node may report any, and JavaScript is exact up to this.
inline constexpr std::uint64_t kMaxTotal = std::uint64_t{1} << 53;

/// Adds numbers that nodes reported.
inline std::uint64_t bounded_sum(std::uint64_t a, std::uint64_t b) {
  return std::min(std::min(a, kMaxTotal) + std::min(b, kMaxTotal), kMaxTotal);
}

/// Whether rows of several nodes may be of one thing, and are merged then.
template <class Row>
concept MergeableRow = requires(Row row, Row other) {
  row.key();
  row.merge(std::move(other));
};

/// One node's part of a list, or all parts merged.
template <class Row>
struct NodeList {
  std::uint64_t total = 0;  ///< rows in all, of which `rows` may be the first
  std::vector<Row> rows;
  bool approximate = false;       ///< rows that are not here may be of one thing, so that the total may be too high
  std::set<std::string> missing;  ///< nodes that did not reply to the node that replies

  static NodeList read(const event::Json& document);
};

/// Throws Error(kInvalidArgument) for the reply of a node that no correct node sends.
[[noreturn]] inline void refuse_reply() {
  throw Error(ErrorCode::kInvalidArgument, "the reply of another node is invalid; do all nodes run the same version?");
}

/// The list in that field. Throws as refuse_reply() if it is not one.
const event::Json& list_in(const event::Json& document, const char* name);
/// The strings of the list in that field; empty without one.
std::set<std::string> texts_in(const event::Json& document, const char* name);

template <class Row>
NodeList<Row> NodeList<Row>::read(const event::Json& document) {
  NodeList list;
  list.total = count_in(document, "total");
  list.missing = texts_in(document, "missing");
  for (const event::Json& row : list_in(document, "list")) list.rows.push_back(Row::read(row));
  return list;
}

template <class Row>
NodeList<Row> merge_lists(std::vector<NodeList<Row>> lists) {
  NodeList<Row> all;
  for (NodeList<Row>& list : lists) {
    all.total = bounded_sum(all.total, list.total);
    all.missing.merge(list.missing);
    if constexpr (!MergeableRow<Row>) std::move(list.rows.begin(), list.rows.end(), std::back_inserter(all.rows));
  }
  if constexpr (MergeableRow<Row>) {
    std::map<std::decay_t<decltype(std::declval<const Row&>().key())>, std::size_t> known;
    std::uint64_t repeated = 0;
    for (NodeList<Row>& list : lists) {
      all.approximate = all.approximate || (lists.size() > 1 && list.rows.size() < list.total);
      for (Row& row : list.rows) {
        const auto entry = known.try_emplace(row.key(), all.rows.size());
        if (entry.second) {
          all.rows.push_back(std::move(row));
        } else {
          all.rows[entry.first->second].merge(std::move(row));
          ++repeated;
        }
      }
    }
    all.total -= std::min(all.total, repeated);
  }
  return all;
}

/// Sorts by that column; rows that are equal in it by the default column.
template <class Row>
void sort_rows(std::vector<Row>& rows, std::string_view column, bool descending) {
  std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
    const Row& first = descending ? b : a;
    const Row& second = descending ? a : b;
    const SortKey left = first.sort_key(column);
    const SortKey right = second.sort_key(column);
    return left == right ? first.sort_key("") < second.sort_key("") : left < right;
  });
}

/// One page of the rows as JSON.
template <class Row>
event::Json page_of(const std::vector<Row>& rows, std::uint64_t page, std::uint64_t size) {
  const std::uint64_t begin = page - 1 > rows.size() / size ? rows.size() : (page - 1) * size;
  const std::uint64_t end = std::min<std::uint64_t>(begin + size, rows.size());
  event::Json list = event::Json::array();
  for (std::uint64_t i = begin; i < end; ++i) list.push_back(rows[i].json());
  return list;
}

/// The document of one page. REQUIRES: page and size of at least 1.
template <class Row>
event::Json page_json(const NodeList<Row>& list, std::uint64_t page, std::uint64_t size) {
  event::Json json{
      {"total", list.total}, {"pageNum", page}, {"pageSize", size}, {"list", page_of(list.rows, page, size)}};
  if (list.approximate) json["approximate"] = true;
  if (!list.missing.empty()) json["missing"] = list.missing;
  return json;
}

}  // namespace sse::cluster
