#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "event/target.h"
#include "hub/hub.h"

/// Questions about all connections of a service. Why two steps: a loop only copies what is needed of its connections, a
/// bounded number a turn, so that tens of thousands delay no stream; sorting, counting and formatting happen on the
/// thread that asks. Every function waits for the loops and must not be called from one. What comes and goes meanwhile
/// may or may not be seen.
namespace sse::hub {

/// What is noted of a connection; what nobody asked for stays empty.
struct SurveyRow {
  ConnectionId id;
  std::string name;          ///< of the user, tenant, … that rows are grouped or sorted by
  std::string user;          ///< where users are counted
  std::string attributes;    ///< packed
  std::uint64_t number = 0;  ///< sorted by
};

/// What the rows of a listing are sorted by. Equal ones are sorted by id.
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
  kRate,  ///< events a second since it opened
};

/// Ids of matching connections in that order, ascending; with `reverse` descending.
std::vector<ConnectionId> find(Hub& hub, const ConnectionFilter& filter,
                               ConnectionOrder order = ConnectionOrder::kCreated, bool reverse = false);

/// All connections of a hub, the oldest first, some at a time: what is asked of the loops is asked once for all of
/// them, and again when those have been given out. Not thread safe.
class ConnectionsInTurn {
 public:
  /// `hub` outlives this.
  explicit ConnectionsInTurn(Hub& hub) : hub_(&hub) {}

  /// The next, at most `most`; some may be gone meanwhile. Empty when there were none just now: those that have come
  /// since are seen by the next call.
  std::vector<ConnectionId> next(std::size_t most);

 private:
  Hub* hub_;
  std::vector<ConnectionId> ids_;
  std::size_t at_ = 0;
};

/// The matching connections of one user, token, tenant or channel.
struct NameCount {
  std::string name;
  std::size_t connections = 0;
  std::size_t users = 0;                  ///< different ones among them
  WallTime first;                         ///< when the oldest of them was opened
  WallTime last;                          ///< and the newest
  std::vector<ConnectionId> ids{};        ///< of users only, ascending
  std::vector<std::string> user_names{};  ///< of others, where they were asked for: the different users, sorted
};

enum class CountOrder : unsigned char { kName, kConnections, kUsers, kFirst, kLast };

/// The different names of a kind among matching connections, in that order; equal ones by name. Connections without
/// such a name are left out. NameCount::user_names only `with_users`.
std::vector<NameCount> count_names(Hub& hub, event::TargetKind kind, const ConnectionFilter& filter,
                                   CountOrder order = CountOrder::kName, bool reverse = false, bool with_users = false);

/// What a person calls the user: the profile's `name`; empty when there is none.
std::string profile_name(std::string_view profile);

/// A send somebody asks about: to the names of `target`, looked at through further conditions.
struct Question {
  event::Target target;
  TenantId tenant{};  ///< not empty: only connections of this tenant count; so with the next two
  AccessToken token{};
  ChannelName channel{};
  std::string event;
  std::size_t bytes = 0;  ///< of the event in the stream
};

/// A connection under the names of the target, and what would come of the event there.
struct Verdict {
  ConnectionId id;
  std::string user, tenant, token, channel;
  bool other_tenant = false;
  bool other_token = false;
  bool other_channel = false;
  bool not_listening = false;
  std::vector<std::string> listeners;  ///< where not_listening: what it listens to instead
  bool overflows = false;              ///< it owes too much: the event would close it, or be dropped
  std::uint64_t owed = 0;              ///< bytes, where overflows
  bool waits = false;                  ///< it goes out behind pending messages that are being replayed

  bool gets() const { return !other_tenant && !other_token && !other_channel && !not_listening && !overflows; }
};

/// What deliver() would do, decided by the same conditions. Ascending by id.
std::vector<Verdict> explain(Hub& hub, const Question& question);

}  // namespace sse::hub
