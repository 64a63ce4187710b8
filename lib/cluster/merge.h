#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "event/json.h"

/// Brings together what several nodes answered to the same question. Pure.
namespace sse::cluster {

/// How the rows of a list are put together.
struct ListRule {
  std::string key;   ///< rows with the same value here are one, combined; empty: every row stands for itself
  std::string sort;  ///< ascending by this field, numbers as numbers; ties by `tie`
  std::string tie;
  bool descending = false;
  std::uint64_t page = 1;
  std::uint64_t size = 100;
  bool whole_rows = false;  ///< rows are the application's JSON: of those with the same key one is taken as it is
  std::string set{};    ///< not empty: this field of a row lists what `count` counts; rows that are one count each once
  std::string count{};  ///< the field that is set to that number; `set` itself is not shown
};

/// One page out of `{"total":n,"list":[…]}` documents, which must hold at least the rows up to the end of that page, or
/// all they have. Other numbers beside `total` are added up. `"approximate":true` is set where rows beyond what the
/// documents hold could be the same, so that the total may be too high.
event::Json merge_lists(const std::vector<event::Json>& documents, const ListRule& rule);

/// Two descriptions of the same thing as one: numbers whose name begins with `first` give the smaller, `last` and
/// `sessionDuration` the larger, others the sum; lists what is in either; of all else the first that is not null. What
/// is the application's (`user`, `name`) is never put together: it is that of the description with the newest
/// connection.
event::Json combine(event::Json one, const event::Json& other);

/// Whom an event would reach in the whole cluster (`GET /api/v1/explain`), receivers first. Somebody is offline only
/// where every node says so.
event::Json merge_explanations(const std::vector<event::Json>& documents, std::uint64_t page, std::uint64_t size);

/// What several nodes know of a message (`GET /api/v1/messages/{id}/trace`), its steps by their time. That it was
/// accepted, and that it was committed, is told once: by the node that knows of the earlier.
event::Json merge_traces(const std::vector<event::Json>& documents);

/// combine() over all.
event::Json merge_objects(const std::vector<event::Json>& documents);

}  // namespace sse::cluster
