#include "hub/connection_scan.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "event/json.h"
#include "hub/names.h"
#include "hub/scan_parts.h"

namespace sse::hub {
namespace {

using event::TargetKind;

// The group to search: in the narrowest index that applies.
const Group* candidates(const ConnectionRegistry& registry, const ConnectionFilter& filter) {
  if (!filter.user.empty()) return registry.group(TargetKind::kUser, filter.user.str());
  if (!filter.token.empty()) return registry.group(TargetKind::kToken, filter.token.str());
  if (!filter.channel.empty()) return registry.group(TargetKind::kChannel, filter.channel.str());
  if (!filter.tenant.empty()) return registry.group(TargetKind::kTenant, filter.tenant.str());
  return registry.group(TargetKind::kAll, "");
}

bool matches(const Connection& connection, const ConnectionFilter& filter) {
  const auto differs = [&](const std::string& wanted, TargetKind kind) {
    return !wanted.empty() && Indexes::name_of(connection, kind) != wanted;
  };
  if (differs(filter.user.str(), TargetKind::kUser) || differs(filter.token.str(), TargetKind::kToken) ||
      differs(filter.tenant.str(), TargetKind::kTenant)) {
    return false;
  }
  if (!filter.channel.empty() && !in_channel(connection, filter.channel.str())) return false;
  return filter.listening.empty() || connection.listens(filter.listening);
}

// Filters that need the packed attributes are applied on the calling thread, not on the loop.
bool matches(const ScanRow& row, const ConnectionFilter& filter, const std::string& lower_name) {
  const Attributes attributes = unpack_attributes(row.attributes);
  if (!filter.client.empty() && form_value(attributes.query, "clientId") != filter.client) return false;
  for (const auto& [name, value] : filter.attributes) {
    if (form_value(attributes.query, name) != value) return false;
  }
  if (lower_name.empty()) return true;
  const std::string name = profile_name(attributes.profile);
  return to_lower(name.empty() ? row.user : name).find(lower_name) != std::string::npos;
}

// Returns the rows that `note` makes of one for every matching connection.
template <class Note>
std::vector<ScanRow> scan(const ConnectionDirectory& connections, const ConnectionFilter& filter, Note note) {
  const bool look_closer = !filter.name.empty() || !filter.client.empty() || !filter.attributes.empty();
  std::vector<std::vector<ScanRow>> rows(connections.shards());
  in_parts(
      connections, filter.user,
      [&](Shard& shard, std::vector<ConnectionId>& ids) { add_ids(candidates(shard.registry(), filter), ids); },
      [&](Shard&, std::size_t number, const Connection& connection) {
        if (!matches(connection, filter)) return;
        ScanRow row;
        row.id = connection.id;
        if (look_closer) {
          row.user = name_of(connection, TargetKind::kUser);
          row.attributes.assign(connection.attributes.get(), connection.attributes_size);
        }
        note(connection, std::move(row), rows[number]);
      });
  std::vector<ScanRow> all = joined(std::move(rows));
  if (look_closer) {
    const std::string name = to_lower(filter.name);
    std::erase_if(all, [&](const ScanRow& row) { return !matches(row, filter, name); });
  }
  return all;
}

void note_order(const Connection& connection, ConnectionOrder order, WallTime now, ScanRow& row) {
  switch (order) {
    case ConnectionOrder::kCreated:
      break;  // ids grow with time
    case ConnectionOrder::kUser:
      row.name = name_of(connection, TargetKind::kUser);
      break;
    case ConnectionOrder::kTenant:
      row.name = name_of(connection, TargetKind::kTenant);
      break;
    case ConnectionOrder::kChannel:
      row.name = name_of(connection, TargetKind::kChannel);
      break;
    case ConnectionOrder::kMessages:
      row.number = connection.messages;
      break;
    case ConnectionOrder::kBytes:
      row.number = connection.bytes_sent();
      break;
    case ConnectionOrder::kBacklog:
      row.number = connection.backlog_bytes();
      break;
    case ConnectionOrder::kLastWrite:
      row.number = static_cast<std::uint64_t>(connection.last_write().time_since_epoch().count());
      break;
    case ConnectionOrder::kLastRequest:
      if (const Connection::Rare* rare = connection.rare_or_null())
        row.number = static_cast<std::uint64_t>(rare->last_request_millis);
      break;
    case ConnectionOrder::kRate: {
      // The first events of a young connection are not a rate yet.
      const auto age = std::max(now - connection.created(), std::chrono::milliseconds(1000));
      row.number = std::uint64_t{1'000'000} * connection.messages / static_cast<std::uint64_t>(age.count());
      break;
    }
  }
}

std::uint64_t order_number(const NameCount& count, CountOrder order) {
  switch (order) {
    case CountOrder::kName:
      return 0;
    case CountOrder::kConnections:
      return count.connections;
    case CountOrder::kUsers:
      return count.users;
    case CountOrder::kFirst:
      return static_cast<std::uint64_t>(to_millis(count.first));
    case CountOrder::kLast:
      return static_cast<std::uint64_t>(to_millis(count.last));
  }
  return 0;
}

}  // namespace

std::vector<ConnectionId> find(const ConnectionDirectory& connections, const ConnectionFilter& filter,
                               ConnectionOrder order, bool reverse) {
  std::vector<ScanRow> rows = scan(
      connections, filter,
      [&, now = connections.clock().wall_now()](const Connection& connection, ScanRow row, std::vector<ScanRow>& out) {
        note_order(connection, order, now, row);
        out.push_back(std::move(row));
      });
  std::ranges::sort(rows, [&](const ScanRow& a, const ScanRow& b) {
    const auto left = std::tie(a.name, a.number, a.id);
    const auto right = std::tie(b.name, b.number, b.id);
    return reverse ? right < left : left < right;
  });
  std::vector<ConnectionId> ids;
  ids.reserve(rows.size());
  for (const ScanRow& row : rows) ids.push_back(row.id);
  return ids;
}

std::vector<ConnectionId> ConnectionIterator::next(std::size_t limit) {
  if (at_ == ids_.size()) {
    ids_ = find(*connections_, {});
    at_ = 0;
  }
  const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(at_);
  const std::size_t count = std::min(limit, ids_.size() - at_);
  at_ += count;
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

std::vector<NameCount> count_names(const ConnectionDirectory& connections, TargetKind kind,
                                   const ConnectionFilter& filter, CountOrder order, bool reverse, bool with_users) {
  const bool users = kind == TargetKind::kUser;
  std::vector<ScanRow> rows =
      scan(connections, filter, [&](const Connection& connection, ScanRow row, std::vector<ScanRow>& out) {
        if (!users) row.user = name_of(connection, TargetKind::kUser);
        if (kind == TargetKind::kChannel) {
          connection.membership.for_each_channel([&](const Group& group, ChannelSource) {
            row.name = group.name();
            out.push_back(row);
          });
          return;
        }
        row.name = name_of(connection, kind);
        out.push_back(std::move(row));
      });
  if (users) {
    for (ScanRow& row : rows) row.user.clear();
  }
  std::ranges::sort(rows, [](const ScanRow& a, const ScanRow& b) {
    return std::tie(a.name, a.user, a.id) < std::tie(b.name, b.user, b.id);
  });
  std::vector<NameCount> counts;
  const ScanRow* before = nullptr;
  for (const ScanRow& row : rows) {
    if (row.name.empty()) continue;
    const WallTime created = IdGenerator::time_of(row.id.value());
    const bool fresh = before == nullptr || before->name != row.name;
    if (fresh) counts.push_back({row.name, 0, 0, created, created});
    NameCount& count = counts.back();
    ++count.connections;
    if (users ? fresh : !row.user.empty() && (fresh || before->user != row.user)) {
      ++count.users;
      if (!users && with_users) count.user_names.push_back(row.user);
    }
    count.first = std::min(count.first, created);
    count.last = std::max(count.last, created);
    if (users) count.ids.push_back(row.id);
    before = &row;
  }
  if (order != CountOrder::kName || reverse) {
    std::ranges::stable_sort(counts, [&](const NameCount& a, const NameCount& b) {
      const std::uint64_t left = order_number(a, order);
      const std::uint64_t right = order_number(b, order);
      if (left != right) return reverse ? right < left : left < right;
      return reverse ? b.name < a.name : a.name < b.name;
    });
  }
  return counts;
}

std::string profile_name(std::string_view profile) {
  if (profile.empty()) return "";
  const event::Json json = event::parse_json_or_null(profile);
  if (!json.is_object()) return "";
  const auto name = json.find("name");
  return name != json.end() && name->is_string() ? name->get<std::string>() : "";
}

}  // namespace sse::hub
