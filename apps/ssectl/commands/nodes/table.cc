#include "ssectl/commands/nodes/table.h"

#include "base/clock.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {

std::string state_cell(const api::Json& node) {
  const std::string unlisted = text_cell(node, "unlisted");
  return text_cell(node, "state") + (unlisted.empty() ? "" : ", " + unlisted);
}

std::string nodes_table(const api::Json& answer, const TableStyle& style) {
  Table table({shrinking("NODE"),
               {"STATE"},
               shrinking("URL"),
               {"VERSION"},
               {"UP"},
               right_aligned("CONNECTIONS"),
               right_aligned("USERS"),
               right_aligned("MEMORY")});
  const WallTime now = wall_now();
  std::uint64_t connections = 0;
  for (const api::Json& one : answer.at("list")) {
    table.add({text_cell(one, "id"), state_cell(one), text_cell(one, "url"), text_cell(one, "version"),
               age_cell(one, "startTime", now), text_cell(one, "connections"), text_cell(one, "users"),
               size_cell(one, "memoryBytes")});
    connections += count_in(one, "connections");
  }
  return table.render(style) + '\n' + plural(answer.at("list").size(), "node") + ", " +
         plural(connections, "connection") + '\n';
}

void write_nodes(const api::Json& answer, Output& out) {
  if (out.human_readable()) {
    out.write(nodes_table(answer, out.style()));
  } else {
    out.listing(answer);
  }
}

bool note_degraded(const api::Json& answer, Output& out) {
  if (const auto nodes = answer.find("unreachable"); nodes != answer.end()) {
    for (const api::Json& one : *nodes) {
      const std::string id = text_cell(one, "id");
      out.note("the answering node cannot reach " + (id.empty() ? "the node" : id) + " at " +
               text_cell(one, "address") + ": " + text_cell(one, "error"));
    }
  }
  const std::string why = text_cell(answer, "degraded");
  if (why.empty()) return false;
  out.note("degraded: the answering node cannot reach the others, and their data may be outdated: " + why);
  return true;
}

}  // namespace sse::ctl
