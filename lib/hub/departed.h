#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "event/target.h"
#include "hub/client_key.h"
#include "hub/in_flight.h"
#include "hub/index.h"

namespace sse::hub {

/// A message a client confirmed, and who that client was.
struct Confirmed {
  MessageId message;
  event::TargetKind recipient = event::TargetKind::kAll;
  std::string name;
  ConnectionId connection;  ///< on which it had been sent
};

/// What was in flight on streams that have ended, for a while: their clients may still confirm it, by a beacon that
/// comes after the end, or when they reconnect. Bounded in bytes, and in streams of one client, since each of its
/// confirmations is looked up in all of them: the oldest are forgotten, which costs no more than a message sent twice
/// (and what a client has not confirmed was sent on its latest stream again). Loop thread only.
class Departed {
 public:
  struct Stream {
    ConnectionId connection;
    std::string client;                         ///< its clientId
    std::array<std::string, kIndexes> names{};  ///< of every index
    InFlight in_flight;

    /// What remembering it takes, about.
    std::size_t bytes() const;
  };
  /// Of all streams together.
  static constexpr std::size_t kMaxBytes = std::size_t{16} * 1024 * 1024;
  /// Streams of one client; those without a clientId are not counted.
  static constexpr std::size_t kMaxStreamsPerClient = 64;

  void add(Stream stream, SteadyTime now);
  /// Whose streams they were: the same user id in another tenant is somebody else.
  struct Owner {
    std::string user;
    std::string tenant{};
  };
  /// The client says what it has handled, on this or on another stream of its. Nothing: `owner` had no such stream.
  std::optional<std::vector<Confirmed>> confirm(const Owner& owner, ConnectionId connection,
                                                const std::vector<MessageId>& messages);
  /// As confirm(), for all streams the client has had.
  std::vector<Confirmed> confirm_client(const Owner& owner, const std::string& client,
                                        const std::vector<MessageId>& messages);
  /// The client has received everything up to `event` on one of its streams.
  std::vector<Confirmed> confirm_through(const Owner& owner, const std::string& client, std::uint64_t event);

  /// Whether streams of the user, of this client of the user's, are remembered.
  bool knows(const std::string& user) const;
  bool knows(const Owner& owner, const std::string& client) const;

  /// Drops what is too old.
  void expire(SteadyTime now);
  bool empty() const { return kept_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Kept {
    Stream stream;
    SteadyTime until;
    std::size_t bytes = 0;
  };
  using Place = std::list<Kept>::iterator;
  using Key = std::tuple<std::string, std::string, std::string>;                  // user, tenant, clientId
  using View = std::tuple<std::string_view, std::string_view, std::string_view>;  // of a Key

  static View key_of(const Stream& stream);
  std::deque<Place>* streams_of(const Owner& owner, const std::string& client);
  void drop(Place place);
  static void confirm(Stream& stream, const std::vector<MessageId>& messages, std::vector<Confirmed>& confirmed);

  std::list<Kept> kept_;  // oldest first
  // Ordered, not hashed: the names are the client's choice. Oldest first.
  std::map<Key, std::deque<Place>, TextsLess> by_client_;
  std::unordered_map<std::uint64_t, Place> by_connection_;
  std::size_t bytes_ = 0;
};

}  // namespace sse::hub
