#include <optional>
#include <vector>

#include "admin/node_replies.h"
#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "fuzz/fuzz.h"

using sse::fuzz::expect;

namespace {

template <class Row>
void merge_lists_of(const std::vector<sse::event::Json>& documents) {
  using namespace sse::cluster;
  std::vector<NodeList<Row>> lists;
  for (const sse::event::Json& document : documents) {
    try {
      lists.push_back(NodeList<Row>::read(document));
    } catch (const sse::Error&) {
      continue;
    }
  }
  NodeList<Row> merged = merge_lists(std::move(lists));
  for (const char* column : {"", "connections", "bytes"}) sort_rows(merged.rows, column, column[0] != '\0');
  const sse::event::Json list = page_json(merged, 1, 3);
  expect(list.at("list").size() <= 3);
  expect(list.at("total").get<std::uint64_t>() <= kMaxTotal);
}

template <class Reply>
void merge_replies_of(const std::vector<sse::event::Json>& documents) {
  std::optional<Reply> merged;
  for (const sse::event::Json& document : documents) {
    try {
      Reply reply = Reply::read(document);
      if (merged) {
        merged->merge(std::move(reply));
      } else {
        merged = std::move(reply);
      }
    } catch (const sse::Error&) {
      continue;
    }
  }
  if (merged) sse::event::dump_json(merged->json());
}

}  // namespace

// Responses of nodes, one JSON document per line: any input merges to a result with plausible counts, or is refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::admin;
  using sse::event::Json;
  sse::fuzz::Input input(data, size);
  std::vector<Json> documents;
  while (!input.rest().empty() && documents.size() < 8) {
    const std::string_view line = input.line();
    sse::cluster::read_facts(line);
    if (std::optional<Json> json = sse::cluster::read_json(line, size)) documents.push_back(std::move(*json));
  }
  merge_lists_of<ConnectionRow>(documents);
  merge_lists_of<ClosedRow>(documents);
  merge_lists_of<UserRow>(documents);
  merge_lists_of<UserIdRow>(documents);
  merge_lists_of<NameRow>(documents);
  merge_replies_of<UserReply>(documents);
  merge_replies_of<DurationsReply>(documents);
  merge_replies_of<TraceReply>(documents);
  merge_replies_of<MessageReply>(documents);
  merge_replies_of<CloseReply>(documents);
  std::vector<ExplainReply> explanations;
  for (const Json& document : documents) {
    try {
      explanations.push_back(ExplainReply::read(document));
    } catch (const sse::Error&) {
      continue;
    }
  }
  const ExplainReply explained = ExplainReply::merged(std::move(explanations));
  expect(explained.total <= sse::cluster::kMaxTotal + size);
  sse::event::dump_json(explained.json(1, 3));
  return 0;
}
