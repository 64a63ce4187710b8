#include <optional>
#include <vector>

#include "cluster/core/merge.h"
#include "cluster/core/typed_json.h"
#include "fuzz/fuzz.h"

// Responses of nodes, one JSON document per line: any input merges to a result with plausible counts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::cluster;
  using sse::event::Json;
  using sse::fuzz::expect;
  sse::fuzz::Input input(data, size);
  std::vector<Json> documents;
  while (!input.rest().empty() && documents.size() < 8) {
    const std::string_view line = input.line();
    read_facts(line);
    if (std::optional<Json> json = read_json(line, size)) documents.push_back(std::move(*json));
  }
  for (const char* key : {"", "id"}) {
    for (const char* sort : {"id", "connections"}) {
      const Json list = merge_lists(documents, {key, sort, "id", key[0] == '\0', 1, 3});
      expect(list.at("list").size() <= 3);
      expect(list.at("total").get<std::uint64_t>() <= std::uint64_t{1} << 53);
    }
  }
  const Json explained = merge_explanations(documents, 1, 3);
  expect(explained.at("total").get<std::uint64_t>() <= (std::uint64_t{1} << 53) + size);
  sse::event::dump_json(merge_objects(documents));
  return 0;
}
