#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "event/json.h"

/// Merges the replies of several nodes to the same query. Pure functions.
namespace sse::cluster {

/// How the rows of lists are merged and sorted.
struct ListRule {
  std::string key;   ///< rows with the same value of this field are combined; empty: rows stay separate
  std::string sort;  ///< ascending by this field, numbers as numbers; ties by `tie`
  std::string tie;
  bool descending = false;
  std::uint64_t page = 1;
  std::uint64_t size = 100;
  bool whole_rows = false;  ///< rows are the application's JSON: of rows with the same key one is used unchanged
  std::string set{};    ///< not empty: this field of a row lists the members for `count`; combined rows count each once
  std::string count{};  ///< the field for that number; `set` itself is removed
};

/// Returns one page of `{"total":n,"list":[…]}` documents. Each must contain at least the rows up to the end of that
/// page, or all its rows. Other numbers beside `total` are added up. `"approximate":true` is set if rows that the
/// documents do not contain could be duplicates, so that the total may be too high.
event::Json merge_lists(const std::vector<event::Json>& documents, const ListRule& rule);

/// Merges two descriptions of one object. Numbers: a field whose name begins with `first` takes the smaller value,
/// `last…` and `sessionDuration` the larger, others the sum. Lists are united. Of other values the first that is not
/// null is used. The application's own fields (`user`, `name`) are not merged: those of the description with the newest
/// connection are used.
event::Json combine(event::Json one, const event::Json& other);

/// Merges the receivers of an event in the whole cluster (`GET /api/v1/explain`), receivers first. A user is offline
/// only if all nodes say so.
event::Json merge_explanations(const std::vector<event::Json>& documents, std::uint64_t page, std::uint64_t size);

/// Merges what several nodes know of a message (`GET /api/v1/messages/{id}/trace`), steps ordered by time. The steps
/// `accepted` and `committed` appear once: the earliest of each.
event::Json merge_traces(const std::vector<event::Json>& documents);

/// combine() over all documents.
event::Json merge_objects(const std::vector<event::Json>& documents);

}  // namespace sse::cluster
