#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "hub/connection.h"
#include "hub/index.h"

namespace sse::hub {

/// Makes connections that only stand in indexes: their sockets lead nowhere.
class Connections final : private net::StreamOwner {
 public:
  explicit Connections(net::EventLoop& loop) : host_{loop, *this, limits_} {}

  /// Ids ascend from 1.
  std::unique_ptr<Connection> make() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) ADD_FAILURE() << "no socketpair";
    peers_.emplace_back(ends[1]);
    return std::make_unique<Connection>(ConnectionId(++last_id_), host_, UniqueFd(ends[0]));
  }
  /// Closes the far end of a connection that is gone.
  void forget(std::uint64_t id) { peers_.at(id - 1).reset(); }

 private:
  void stream_dirty(net::Stream&) override {}
  void stream_closed(net::Stream&, net::CloseReason) override {}
  void stream_acknowledged(net::Stream&, MessageId, event::TargetKind) override {}
  void stream_unacknowledged(net::Stream&) override {}
  void stream_drained(net::Stream&) override {}

  net::Stream::Limits limits_;
  const net::Stream::Host host_;
  std::vector<UniqueFd> peers_;
  std::uint64_t last_id_ = 0;
};

/// Joins the indexes and takes attributes, as a shard does it for a new connection.
inline void join(Indexes& indexes, Connection& connection, const std::string& user, const std::string& client,
                 const std::string& tenant = "", const std::string& origin = "") {
  Attributes attributes;
  attributes.query = client.empty() ? "" : "clientId=" + client;
  attributes.origin = origin;
  connection.keep_attributes(attributes);
  indexes.join(connection, event::TargetKind::kUser, user);
  indexes.join(connection, event::TargetKind::kTenant, tenant);
  indexes.join(connection, event::TargetKind::kAll, "");
}

}  // namespace sse::hub
