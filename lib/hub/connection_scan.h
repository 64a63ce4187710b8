#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "event/target.h"
#include "hub/connection_directory.h"
#include "sse-server/connection.h"

/// Queries over all connections of a service: listing, counting, explaining a send. A query has two steps: each loop
/// copies only the needed fields of its connections, a bounded number per turn, so that tens of thousands delay no
/// stream; the calling thread then sorts, counts and formats. Every function waits for the loops, like those of
/// ConnectionDirectory. Connections that open or close meanwhile may or may not be included.
namespace sse::hub {

using sse::ConnectionFilter;

/// The fields copied from a connection; fields that the query does not need stay empty.
struct ScanRow {
  ConnectionId id;
  std::string name;          ///< of the user, tenant, …: rows are grouped or sorted by it
  std::string user;          ///< set where users are counted
  std::string attributes;    ///< packed
  std::uint64_t number = 0;  ///< sort key
};

/// Sort order of a listing. Rows with equal keys are sorted by id.
enum class ConnectionOrder : unsigned char {
  kCreated,
  kUser,
  kTenant,
  kChannel,
  kMessages,
  kBytes,
  kBacklog,
  kLastWrite,
  kLastRequest,
  kRate,  ///< events per second since it opened
};

/// Ids of matching connections in that order, ascending; with `reverse` descending.
std::vector<ConnectionId> find(const ConnectionDirectory& connections, const ConnectionFilter& filter,
                               ConnectionOrder order = ConnectionOrder::kCreated, bool reverse = false);

/// Iterates over all connections of a service, oldest first, in batches. It copies all ids from the loops once, and
/// again when these have been returned. Not thread safe.
class ConnectionIterator {
 public:
  /// `connections` outlives this.
  explicit ConnectionIterator(const ConnectionDirectory& connections) : connections_(&connections) {}

  /// The next ids, at most `limit`; some may have closed meanwhile. After the last one it starts again with the
  /// connections open then. Empty when there are none.
  std::vector<ConnectionId> next(std::size_t limit);

 private:
  const ConnectionDirectory* connections_;
  std::vector<ConnectionId> ids_;
  std::size_t at_ = 0;
};

/// The matching connections of one user, token, tenant or channel.
struct NameCount {
  std::string name;
  std::size_t connections = 0;
  std::size_t users = 0;                  ///< distinct users among them
  WallTime first;                         ///< when the oldest of them opened
  WallTime last;                          ///< when the newest of them opened
  std::vector<ConnectionId> ids{};        ///< of users only, ascending
  std::vector<std::string> user_names{};  ///< of other kinds, with `with_users`: the distinct users, sorted
};

enum class CountOrder : unsigned char { kName, kConnections, kUsers, kFirst, kLast };

/// The distinct names of a kind among matching connections, in that order; equal ones by name. Connections without such
/// a name are left out. NameCount::user_names is set only with `with_users`.
std::vector<NameCount> count_names(const ConnectionDirectory& connections, event::TargetKind kind,
                                   const ConnectionFilter& filter, CountOrder order = CountOrder::kName,
                                   bool reverse = false, bool with_users = false);

/// Display name of the user: the profile's `name`; empty when there is none.
std::string profile_name(std::string_view profile);

/// A hypothetical send to the names of `target`, restricted by further conditions: explain() tells which connections
/// would get it.
struct MatchQuery {
  event::Target target;
  TenantId tenant{};  ///< not empty: only connections of this tenant match; likewise token and channel
  AccessToken token{};
  ChannelName channel{};
  std::string event;
  std::size_t bytes = 0;  ///< size of the encoded event
};

/// A connection under the names of the target, and whether it would get the event.
struct MatchResult {
  ConnectionId id;
  std::string user, tenant, token;
  std::vector<std::string> channels;  ///< that it is in
  bool other_tenant = false;
  bool other_token = false;
  bool other_channel = false;
  bool not_listening = false;
  std::vector<std::string> listeners;  ///< with not_listening: the events it listens to
  bool overflows = false;              ///< its backlog is too large: the event would close it, or be dropped
  std::uint64_t backlog = 0;           ///< bytes, with overflows
  bool waits = false;                  ///< the event would be queued behind pending messages being replayed

  bool gets() const { return !other_tenant && !other_token && !other_channel && !not_listening && !overflows; }
};

/// The outcome Hub::deliver() would have, decided by the same conditions. Ascending by id.
std::vector<MatchResult> explain(const ConnectionDirectory& connections, const MatchQuery& query);

}  // namespace sse::hub
