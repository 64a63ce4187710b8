#include "cluster/core/merge.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "cluster/core/typed_json.h"

namespace sse::cluster {
namespace {

using event::Json;

const Json* field(const Json& row, const std::string& name) {
  if (!row.is_object()) return name.empty() ? &row : nullptr;
  const auto found = row.find(name);
  return found == row.end() ? nullptr : &*found;
}

// Ids are decimal strings.
std::optional<std::uint64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.text();
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

int compare(const Json* a, const Json* b) {
  if (a == nullptr || b == nullptr) return (a != nullptr ? 1 : 0) - (b != nullptr ? 1 : 0);
  const auto left = whole_number(*a);
  const auto right = whole_number(*b);
  // Compare as numbers only if both are: one user may be named 10, another ten.
  if (a->same_kind(*b) && left && right && (a->is_number() || std::to_string(*left).size() > 15))
    return *left < *right ? -1 : (*left > *right ? 1 : 0);
  return *a < *b ? -1 : (*b < *a ? 1 : 0);
}

// Saturates: a number that a node made up must not overflow.
std::int64_t sum(const Json& a, const Json& b) {
  std::int64_t total = 0;
  const auto value = [](const Json& number) {
    const bool huge =
        number.is_number_unsigned() && number.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
    return huge ? INT64_MAX : number.get<std::int64_t>();
  };
  if (!__builtin_add_overflow(value(a), value(b), &total)) return total;
  return value(a) < 0 ? INT64_MIN : INT64_MAX;
}

// Adds totals that nodes reported.
std::uint64_t bounded_sum(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kMax = std::uint64_t{1} << 53;  // the largest safe integer of JavaScript
  return std::min(std::min(a, kMax) + std::min(b, kMax), kMax);
}

bool has_connection(const Json& row) {
  const auto found = row.find("connection");
  return found != row.end() && !found->is_null();
}

std::size_t reasons_of(const Json& row) {
  const auto found = row.is_object() ? row.find("reasons") : row.end();
  return row.is_object() && found != row.end() && found->is_array() ? found->size() : 0;
}

void add_all(Json& into, const Json& from) {
  for (const Json& one : from) {
    if (std::ranges::find(into, one) == into.end()) into.push_back(one);
  }
}

// The application's data about a user: shown unchanged and never added up, whatever its type.
bool of_application(const std::string& name) {
  return name == "user" || name == "name" || name == "accessUser";
}

std::uint64_t last_connect(const Json& row) {
  const auto found = row.find("lastConnectTime");
  return found == row.end() ? 0 : whole_number(*found).value_or(0);
}

Json combined(const std::string& name, const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (name == "duration") return a;
    if (name.starts_with("first")) return std::min(a, b);
    if (name.starts_with("last") || name == "sessionDuration") return std::max(a, b);
    if (a.is_number_integer() && b.is_number_integer()) return sum(a, b);
    return a.get<double>() + b.get<double>();
  }
  // A setting that is pending on several nodes: the newest one applies.
  if (name == "pending" && a.is_object() && b.is_object()) return compare(field(a, "id"), field(b, "id")) < 0 ? b : a;
  if (a.is_array() && b.is_array()) {
    Json both = a;
    add_all(both, b);
    return both;
  }
  return a.is_null() ? b : a;
}

const Json* list_of(const Json& document) {
  const auto found = document.is_object() ? document.find("list") : document.end();
  return document.is_object() && found != document.end() && found->is_array() ? &*found : nullptr;
}

std::uint64_t total_of(const Json& document) {
  return count_in(document, "total");
}

std::set<std::string> take_set(Json& row, const std::string& name) {
  std::set<std::string> members;
  if (name.empty() || !row.is_object()) return members;
  const auto found = row.find(name);
  if (found == row.end()) return members;
  if (found->is_array()) {
    for (const Json& one : *found) {
      if (one.is_string()) members.insert(one.text());
    }
  }
  row.erase(name);
  return members;
}

Json cut(std::vector<Json>& rows, std::uint64_t page, std::uint64_t size) {
  const std::uint64_t begin = page - 1 > rows.size() / size ? rows.size() : (page - 1) * size;
  const std::uint64_t end = std::min<std::uint64_t>(begin + size, rows.size());
  Json list = Json::array();
  for (std::uint64_t i = begin; i < end; ++i) list.push_back(std::move(rows[i]));
  return list;
}

}  // namespace

Json combine(Json one, const Json& other) {
  if (!one.is_object() || !other.is_object()) return one.is_null() ? other : one;
  const bool newer = last_connect(other) > last_connect(one);
  for (const auto& [name, value] : other.items()) {
    const auto mine = one.find(name);
    if (mine == one.end()) {
      one[name] = value;
    } else if (of_application(name)) {
      if (mine->is_null() || (newer && !value.is_null())) *mine = value;
    } else {
      *mine = combined(name, *mine, value);
    }
  }
  return one;
}

Json merge_objects(const std::vector<Json>& documents) {
  Json merged;
  for (const Json& document : documents) merged = combine(std::move(merged), document);
  return merged;
}

Json merge_traces(const std::vector<Json>& documents) {
  Json merged = merge_objects(documents);
  if (list_of(merged) == nullptr) return merged;
  std::vector<Json> steps(merged["list"].begin(), merged["list"].end());
  // Steps of one node are already in order, also within a millisecond.
  std::ranges::stable_sort(steps, {}, [](const Json& step) { return number_in(step, "time", 0); });
  Json list = Json::array();
  std::set<std::string> begun;
  std::set<Json> expired;
  for (Json& step : steps) {
    const std::string what = text_in(step, "what");
    if ((what == "accepted" || what == "committed") && !begun.insert(what).second) continue;
    // Once per recipient: both the node with the dead letter and the node that saw it expire report it.
    if (what == "expired") {
      Json who = step;
      who.erase("time");
      if (!expired.insert(std::move(who)).second) continue;
    }
    list.push_back(std::move(step));
  }
  merged["list"] = std::move(list);
  return merged;
}

Json merge_lists(const std::vector<Json>& documents, const ListRule& rule) {
  std::vector<Json> rows;
  std::map<Json, std::size_t> by_key;
  std::map<std::size_t, std::set<std::string>> sets;  // by row
  std::uint64_t total = 0;
  std::uint64_t same = 0;
  bool approximate = false;
  Json merged = Json::object();
  for (const Json& document : documents) {
    const Json* list = list_of(document);
    if (list == nullptr) continue;
    total = bounded_sum(total, total_of(document));
    approximate = approximate || (!rule.key.empty() && documents.size() > 1 && list->size() < total_of(document));
    for (const auto& [name, value] : document.items()) {
      if (name == "list" || name == "total" || name == "pageNum" || name == "pageSize") continue;
      merged[name] = merged.contains(name) ? combined(name, merged[name], value) : value;
    }
    for (const Json& listed : *list) {
      Json row = listed;
      std::set<std::string> members = take_set(row, rule.set);
      const Json* key = rule.key.empty() ? nullptr : field(row, row.is_object() ? rule.key : "");
      if (key != nullptr) {
        const auto [entry, fresh] = by_key.try_emplace(*key, rows.size());
        if (!fresh) {
          Json& kept = rows[entry->second];
          sets[entry->second].merge(members);
          // The result is the same regardless of which node merges.
          kept = rule.whole_rows ? std::max(kept, row) : combine(std::move(kept), row);
          ++same;
          continue;
        }
      }
      if (!members.empty()) sets[rows.size()] = std::move(members);
      rows.push_back(std::move(row));
    }
  }
  for (const auto& [row, members] : sets) {
    if (!members.empty() && rows[row].is_object()) rows[row][rule.count] = members.size();
  }
  std::ranges::stable_sort(rows, [&](const Json& a, const Json& b) {
    const bool plain = !a.is_object();
    int order = compare(field(a, plain ? "" : rule.sort), field(b, plain ? "" : rule.sort));
    if (order == 0) order = compare(field(a, plain ? "" : rule.tie), field(b, plain ? "" : rule.tie));
    return rule.descending ? order > 0 : order < 0;
  });
  merged["total"] = total - std::min(total, same);
  merged["pageNum"] = rule.page;
  merged["pageSize"] = rule.size;
  merged["list"] = cut(rows, rule.page, rule.size);
  if (approximate) merged["approximate"] = true;
  return merged;
}

Json merge_explanations(const std::vector<Json>& documents, std::uint64_t page, std::uint64_t size) {
  std::vector<Json> present;
  std::map<Json, std::pair<Json, std::size_t>> absent;  // by identity: the row, and the number of nodes that report it
  std::uint64_t total = 0;
  std::uint64_t receivers = 0;
  for (const Json& document : documents) {
    const Json* list = list_of(document);
    if (list == nullptr) continue;
    total = bounded_sum(total, total_of(document));
    receivers = bounded_sum(receivers, count_in(document, "receivers"));
    for (const Json& row : *list) {
      // A node of another version may list rows of unknown form.
      if (!row.is_object()) continue;
      if (has_connection(row)) {
        present.push_back(row);
        continue;
      }
      total -= std::min<std::uint64_t>(total, 1);
      Json who = row;
      who.erase("reasons");
      auto& [kept, nodes] = absent[who];
      // Another service on one node may have what all others lack.
      if (nodes == 0 || reasons_of(row) > reasons_of(kept)) kept = row;
      ++nodes;
    }
  }
  std::stable_sort(present.begin(), present.end(), [](const Json& a, const Json& b) {
    const bool gets = flag_in(a, "gets");
    if (gets != flag_in(b, "gets")) return gets;
    return compare(field(a, "connection"), field(b, "connection")) < 0;
  });
  for (auto& [who, row] : absent) {
    if (row.second < documents.size()) continue;
    present.push_back(std::move(row.first));
    ++total;
  }
  return {{"total", total},
          {"pageNum", page},
          {"pageSize", size},
          {"receivers", receivers},
          {"list", cut(present, page, size)}};
}

}  // namespace sse::cluster
