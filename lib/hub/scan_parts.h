#pragma once

// Helpers that iterate over the connections of a service in parts. Only for the sources of connection scans.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "base/step_count.h"
#include "hub/connection_directory.h"
#include "hub/shard.h"

namespace sse::hub {

// Connections visited per turn of the loop, so that its other work is not delayed.
inline constexpr std::size_t kAtOnce = 2048;

inline std::string name_of(const Connection& connection, event::TargetKind kind) {
  return std::string(Indexes::name_of(connection, kind));
}

// `gather` collects the ids of a shard's connections; then `look` visits each that is still open, kAtOnce per turn of
// the loop.
template <class Gather, class Visit>
void in_parts(const ConnectionDirectory& connections, const UserId& user, Gather gather, Visit look) {
  std::vector<std::vector<ConnectionId>> ids(connections.shards());
  connections.visit(user, [&](Shard& shard, std::size_t number) { gather(shard, ids[number]); });
  std::size_t longest = 0;
  for (const auto& mine : ids) longest = std::max(longest, mine.size());
  for (std::size_t begin = 0; begin < longest; begin += kAtOnce) {
    connections.visit(user, [&](Shard& shard, std::size_t number) {
      const std::size_t end = std::min(begin + kAtOnce, ids[number].size());
      for (std::size_t i = begin; i < end; ++i) {
        count_steps();
        if (const Connection* connection = shard.find(ids[number][i])) look(shard, number, *connection);
      }
    });
  }
}

inline void add_ids(const Group* group, std::vector<ConnectionId>& ids) {
  if (group == nullptr) return;
  for (const Connection* connection : group->members()) ids.push_back(connection->id);
}

template <class T>
std::vector<T> joined(std::vector<std::vector<T>> parts) {
  std::vector<T> all;
  for (auto& part : parts) {
    all.insert(all.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  }
  return all;
}

}  // namespace sse::hub
