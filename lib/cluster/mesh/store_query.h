#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/units.h"
#include "store/message_repository.h"

/// The queries of one node's MeshRepository to those of others, and their replies, as bytes of a StoreCommand. Each
/// query goes to the nodes with messages for its recipient, unless stated otherwise. Readers ignore unknown fields.
namespace sse::cluster {

/// The recipient has confirmed the message. No reply.
struct ConfirmQuery {
  ServiceName service;
  store::Recipient recipient;
  MessageId id;
};

/// Asks for the pending messages of a recipient; the reply is a PendingReply.
struct PendingQuery {
  ServiceName service;
  store::Recipient recipient;
  MessageId after;
  std::uint64_t limit = 0;
  ByteCount max_bytes{};  ///< bytes of data
};
struct PendingReply {
  std::vector<store::PendingMessage> messages;  ///< ascending by id
};

/// Replaces older messages with that collapse key; the reply is a ReplaceReply.
struct ReplaceQuery {
  ServiceName service;
  store::Recipient recipient;
  std::string collapse;
  MessageId id;  ///< of the message that replaces them
};
struct ReplaceReply {
  MessageId newer;  ///< an even newer message with that key; invalid if there is none
};

/// Deliveries of a message were counted. No reply is awaited.
struct AttemptsQuery {
  ServiceName service;
  store::Recipient recipient;
  MessageId id;
  std::uint32_t count = 0;
};

/// Asks whether imported messages are stored already; the reply is a KnownImportsReply.
struct KnownImportsQuery {
  struct Import {
    std::string key;
    MessageId original;
    std::string collapse;
    WallTime created;
  };
  ServiceName service;
  store::Recipient recipient;
  std::vector<Import> imports;
};
struct KnownImportsReply {
  std::vector<MessageId> ids;  ///< by import: the id under which it is stored; invalid if it is not
};

/// Lets all nodes look for messages of their streams again. No reply.
struct RefreshQuery {};

/// Lets all nodes report their counted deliveries. The reply, which is empty, follows when that is done.
struct SettleQuery {};

using StoreQuery =
    std::variant<ConfirmQuery, PendingQuery, ReplaceQuery, AttemptsQuery, KnownImportsQuery, RefreshQuery, SettleQuery>;

std::string encode(const ConfirmQuery& query);
std::string encode(const PendingQuery& query);
std::string encode(const ReplaceQuery& query);
std::string encode(const AttemptsQuery& query);
std::string encode(const KnownImportsQuery& query);
std::string encode(const RefreshQuery& query);
std::string encode(const SettleQuery& query);
/// Throws Error(kInvalidArgument) for a query that no node of this version sends.
StoreQuery decode_store_query(std::string_view bytes);

/// A line of JSON followed by the data, for each message.
std::string encode(const PendingReply& reply);
/// Throws Error(kInvalidArgument).
PendingReply decode_pending_reply(std::string_view bytes, const ServiceName& service,
                                  const store::Recipient& recipient);
/// The id; empty for an invalid one.
std::string encode(const ReplaceReply& reply);
ReplaceReply decode_replace_reply(std::string_view bytes);
/// The ids, comma-separated.
std::string encode(const KnownImportsReply& reply);
KnownImportsReply decode_known_imports_reply(std::string_view bytes);

}  // namespace sse::cluster
