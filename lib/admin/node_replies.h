#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "admin/node_rows.h"
#include "base/ids.h"
#include "event/json.h"

/// The replies of nodes to the requests that each of them answers for its part: each type reads the JSON of one node,
/// ignoring unknown fields, merges that of another one into it, and writes the response. `read` throws
/// Error(kInvalidArgument) for JSON that no node sends.
namespace sse::admin {

/// POST connections/close
struct CloseReply {
  std::uint64_t closed = 0;

  static CloseReply read(const event::Json& document);
  void merge(CloseReply&& other);
  event::Json json() const { return {{"closed", closed}}; }
};

/// DELETE messages, DELETE messages/{id}, DELETE dead
struct DeleteReply {
  std::uint64_t deleted = 0;

  static DeleteReply read(const event::Json& document);
  void merge(DeleteReply&& other);
  event::Json json() const { return {{"deleted", deleted}}; }
};

/// POST messages/{id}/retry
struct RetryReply {
  std::uint64_t delivered = 0;

  static RetryReply read(const event::Json& document);
  void merge(RetryReply&& other);
  event::Json json() const { return {{"delivered", delivered}}; }
};

/// POST dead/requeue
struct RequeueReply {
  std::vector<std::string> ids;

  static RequeueReply read(const event::Json& document);
  void merge(RequeueReply&& other);
  event::Json json() const { return {{"ids", ids}}; }
};

/// POST durations
struct SetDurationReply {
  std::int64_t duration = 0;
  std::uint64_t connections = 0;
  std::uint64_t pending = 0;

  static SetDurationReply read(const event::Json& document);
  void merge(SetDurationReply&& other);
  event::Json json() const { return {{"duration", duration}, {"connections", connections}, {"pending", pending}}; }
};

/// POST durations/clear
struct ClearDurationReply {
  std::uint64_t connections = 0;
  std::uint64_t pending = 0;

  static ClearDurationReply read(const event::Json& document);
  void merge(ClearDurationReply&& other);
  event::Json json() const { return {{"connections", connections}, {"pending", pending}}; }
};

/// GET durations
struct DurationsReply {
  std::vector<event::Json> connections;
  std::optional<event::Json> pending;  ///< a setting that waits for its user: the newest one applies
  MessageId pending_id;

  static DurationsReply read(const event::Json& document);
  void merge(DurationsReply&& other);
  event::Json json() const;
};

/// GET user
struct UserReply {
  UserRow user;
  std::string service;
  std::vector<std::string> tokens;  ///< masked
  std::vector<event::Json> connections;

  static UserReply read(const event::Json& document);
  void merge(UserReply&& other);
  event::Json json() const;
};

/// GET channel
struct ChannelReply {
  /// The most members that are listed.
  static constexpr std::size_t kMaxListed = 1000;

  struct Member {
    std::string tenant;
    std::string user;
    std::uint64_t connections = 0;
    event::Json profile{};
  };
  struct Retained {
    std::uint64_t events = 0;
    std::uint64_t bytes = 0;
  };

  std::string name;
  std::string service;
  std::uint64_t connections = 0;
  std::uint64_t members = 0;  ///< one that is on several nodes counts for each where not all are listed
  std::uint64_t rate = 0;     ///< events of the last minute
  std::int64_t first_connect = 0, last_connect = 0;
  std::optional<Retained> history{};
  std::vector<Member> list{};  ///< by tenant and user

  static ChannelReply read(const event::Json& document);
  void merge(ChannelReply&& other);
  event::Json json() const;
};

/// GET messages/{id}, where each node has its own store
struct MessageReply {
  std::vector<event::Json> rows;  ///< of the recipients for whom it is pending
  std::set<std::string> missing;  ///< nodes that did not report their delivery states

  static MessageReply read(const event::Json& document);
  void merge(MessageReply&& other);
  event::Json json() const;
};

/// GET messages/{id}/trace: each node records the steps that happened there.
struct TraceReply {
  struct Step {
    std::int64_t time = 0;
    std::string what;
    event::Json document;
  };

  std::string id;
  std::vector<Step> steps;  ///< those of one node are in their order, also within a millisecond
  std::vector<event::Json> pending;
  std::set<std::string> missing;
  std::string traceparent;  ///< empty: unknown

  static TraceReply read(const event::Json& document);
  void merge(TraceReply&& other);
  /// Steps are ordered by time. `accepted` and `committed` appear once, the earliest of each, and `expired` once
  /// for each recipient: both the node with the dead letter and the node that saw it expire report it.
  event::Json json() const;
};

/// GET explain: the receivers of an event, receivers first. A name is absent only if all nodes say so.
struct ExplainReply {
  struct Row {
    std::optional<ConnectionId> connection;  ///< none: the name has no connection on the node
    bool gets = false;
    std::size_t reasons = 0;
    event::Json document;

    event::Json json() const { return document; }
  };

  std::uint64_t total = 0;
  std::uint64_t receivers = 0;
  std::vector<Row> rows;

  static ExplainReply read(const event::Json& document);
  static ExplainReply merged(std::vector<ExplainReply> replies);
  event::Json json(std::uint64_t page, std::uint64_t size) const;
};

}  // namespace sse::admin
