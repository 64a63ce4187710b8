#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/ids.h"
#include "observe/metrics.h"
#include "sse-server/ticket.h"
#include "store/ticket_store.h"

namespace sse::auth {

/// Tickets, which open one stream each for clients that have nothing but a URL, and request keys, which such a client
/// sends with requests about its stream in the place of credentials.
///
/// A ticket is 256 random bits behind the number of its node. Of a ticket only the SHA-256 digest is stored, by which
/// it is found. A request key contains its connection and user, authenticated by HMAC-SHA-256 with a key that this
/// object makes and that never leaves it: nothing is stored for it.
///
/// Thread safe; blocks as the store does. All throw Error(kUnavailable) or Error(kTimeout) when tickets or the node of
/// a connection cannot be reached.
class Tickets {
 public:
  /// Whom a ticket is for.
  struct Holder {
    ServiceName service;
    User user;
  };
  /// Whom a request key is for: it is good for requests about this connection alone.
  struct KeyHolder {
    ConnectionId connection;
    UserId user;
    TenantId tenant;
  };
  /// Whether the node of the connection has made a request key; false if no other node has that connection.
  using CheckElsewhere = std::function<bool(ConnectionId, const std::string& key)>;

  /// References must outlive this. `node`: the number of this node, 0 for a single server.
  Tickets(store::TicketStore& store, unsigned node, const Clock& clock, observe::Registry& metrics);

  /// Set it before the first request. Without it this server knows its own keys only.
  void set_check_elsewhere(CheckElsewhere check) { check_elsewhere_ = std::move(check); }

  /// Whether the value of the parameter is meant to be a ticket; other values belong to the application.
  static bool is_ticket(std::string_view text);
  static bool is_request_key(std::string_view text);

  /// Throws Error: kInvalidArgument for a user that cannot open a stream and for a lifetime out of range,
  /// kLimitExceeded when too many tickets wait.
  Ticket create(const ServiceName& service, const User& user, std::chrono::milliseconds lifetime);
  /// Of a ticket that can be redeemed, and still can afterwards.
  std::optional<Holder> find(std::string_view ticket);
  /// As find(), and uses the ticket up: true for one caller in the whole cluster.
  bool redeem(std::string_view ticket, const ServiceName& service);
  /// Counts a request that was refused because of its ticket: `invalid`, or `service` if the ticket is for another one.
  void count_refused(std::string_view reason);

  std::string make_request_key(ConnectionId connection, const Identity& user) const;
  /// nullopt unless this server has made the key, or the node of its connection has.
  std::optional<KeyHolder> holder_of(std::string_view request_key) const;
  /// As holder_of(), for keys of this server only. For requests of other nodes.
  bool made(std::string_view request_key) const;

 private:
  store::TicketStore& store_;
  const unsigned node_;
  const Clock& clock_;
  observe::Registry& metrics_;
  const std::string secret_;  // of request keys
  CheckElsewhere check_elsewhere_;
};

}  // namespace sse::auth
