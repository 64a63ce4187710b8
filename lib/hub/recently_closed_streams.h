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
#include "hub/message_recipients.h"

namespace sse::hub {

/// A confirmed message, and the recipient and connection it was sent to.
struct Confirmed {
  MessageId message;
  event::TargetKind recipient = event::TargetKind::kAll;
  std::string name;
  ConnectionId connection;  ///< the stream on which it was sent
};

/// Messages in flight on streams that have ended recently: the clients may still confirm them, by a beacon after the
/// end or when they reconnect. Bounded in bytes, and in streams per client, because each confirmation of a client is
/// looked up in all of these. The oldest streams are dropped first; the worst effect is a message sent twice (and
/// unconfirmed messages were sent again on the client's latest stream). Loop thread only.
class RecentlyClosedStreams {
 public:
  struct Stream {
    ConnectionId connection;
    std::string client;                         ///< its clientId
    std::array<std::string, kIndexes> names{};  ///< one per index
    MessageRecipients message_recipients{};     ///< of these messages
    InFlight in_flight;

    /// Approximate memory it takes here.
    std::size_t bytes() const;
  };
  /// Limit for all streams together.
  static constexpr std::size_t kMaxBytes = std::size_t{16} * 1024 * 1024;
  /// Limit of streams per client; streams without a clientId are not counted.
  static constexpr std::size_t kMaxStreamsPerClient = 64;

  void add(Stream stream, SteadyTime now);
  /// The owner of streams: the same user id in another tenant is a different user.
  struct Owner {
    std::string user;
    std::string tenant{};
  };
  /// The client acknowledges messages it got on this or another of its streams. nullopt: `owner` had no such stream.
  std::optional<std::vector<Confirmed>> confirm(const Owner& owner, ConnectionId connection,
                                                const std::vector<MessageId>& messages);
  /// Like confirm(), for all remembered streams of the client.
  std::vector<Confirmed> confirm_client(const Owner& owner, const std::string& client,
                                        const std::vector<MessageId>& messages);
  /// The client has received everything up to `event` on one of its streams.
  std::vector<Confirmed> confirm_through(const Owner& owner, const std::string& client, std::uint64_t event);

  /// Whether streams of the user, or of this client of the user, are remembered.
  bool knows(const std::string& user) const;
  bool knows(const Owner& owner, const std::string& client) const;

  /// Drops expired streams.
  void expire(SteadyTime now);
  bool empty() const { return streams_.empty(); }
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

  std::list<Kept> streams_;  // oldest first
  // Ordered, not hashed: the client chooses the names. Each deque: oldest first.
  std::map<Key, std::deque<Place>, TextTupleLess> by_client_;
  std::unordered_map<std::uint64_t, Place> by_connection_;
  std::size_t bytes_ = 0;
};

}  // namespace sse::hub
