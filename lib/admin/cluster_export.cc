#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/cluster_admin.h"
#include "admin/node_operations.h"
#include "base/text.h"

// The part of ClusterAdmin that exports the messages of all nodes.
namespace sse::admin {

using cluster::RawRequest;
using cluster::RawResponse;

namespace {

// The replies of all nodes to one export request. Each line of them begins with the id of its message.
struct ExportParts {
  // The merged page ends at the lowest last id of the nodes that have more messages.
  std::uint64_t through = UINT64_MAX;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
  std::vector<std::pair<std::uint64_t, std::string_view>> lines;  // views into `bodies`
  std::deque<std::string> bodies;

  // False if the reply is not a page of an export.
  bool add(cluster::AdminReply reply) {
    if (reply.status != 200 || !reply.export_end) return false;
    const cluster::AdminReply::ExportEnd& end = *reply.export_end;
    if (!end.complete) through = std::min(through, end.last);
    last = std::max(last, end.last);
    total += end.total;
    bodies.push_back(std::move(reply.document));
    std::string_view rest = bodies.back();
    while (!rest.empty()) {
      const std::size_t stop = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, stop);
      rest.remove_prefix(std::min(stop + 1, rest.size()));
      const std::size_t blank = std::min(line.find(' '), line.size());
      if (const auto id = parse_id(line.substr(0, blank)); id && blank < line.size())
        lines.emplace_back(*id, line.substr(blank + 1));
    }
    return true;
  }
};

}  // namespace

ClusterAdmin::Response ClusterAdmin::export_page(const RawRequest& request, const net::Peer& peer) {
  RawRequest part = request;
  part.set_parameter("ids", "true");
  NodeReplies nodes = query_nodes(part, peer);
  ExportParts parts;
  RawResponse page{200, nodes.own.type, "", {}};
  if (!parts.add(reply_of(nodes.own))) return std::move(nodes.own);
  std::set<std::string> missing(nodes.missing.begin(), nodes.missing.end());
  for (auto& [node, reply] : nodes.others) {
    // 404: the node does not host this service and has no messages of it.
    if (reply.status != 404 && !parts.add(std::move(reply))) missing.insert(node);
  }
  std::ranges::stable_sort(parts.lines, {}, &std::pair<std::uint64_t, std::string_view>::first);
  std::uint64_t expired = 0;
  std::uint64_t damaged = 0;
  for (const auto& [id, line] : parts.lines) {
    if (id > parts.through) break;
    if (line == "expired") {
      ++expired;
    } else if (line == "damaged") {
      ++damaged;
    } else {
      page.body.append(line).append(1, '\n');
    }
  }
  const bool complete = parts.through == UINT64_MAX;
  const std::uint64_t last = complete ? parts.last : parts.through;
  if (last != 0) page.headers.emplace_back("X-Sse-Last-Id", std::to_string(last));
  page.headers.emplace_back("X-Sse-Complete", complete ? "true" : "false");
  if (request.parameter("after").empty()) page.headers.emplace_back("X-Sse-Total", std::to_string(parts.total));
  page.headers.emplace_back("X-Sse-Expired", std::to_string(expired));
  page.headers.emplace_back("X-Sse-Damaged", std::to_string(damaged));
  for (const std::string& node : missing) page.headers.emplace_back("X-Sse-Missing", node);
  return page;
}

}  // namespace sse::admin
