#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "event/json.h"
#include "event/target.h"
#include "hub/connection.h"

namespace sse::gateway {

/// Something that happened to a service: what `ssectl events` shows and the application is told of.
struct Happening {
  enum class Type : unsigned char { kConnect, kDisconnect, kListening, kMessage, kUpload, kSend };

  /// A send may name ten thousand; so many are remembered.
  static constexpr std::size_t kMostNames = 100;

  Type type = Type::kConnect;
  std::uint64_t sequence = 0;  ///< given by Happenings, in the order of happening
  std::size_t bytes = 0;       ///< of memory it takes, about; given by Happenings, so that queues can be bounded by it
  WallTime time;
  ServiceName service;
  std::optional<hub::ConnectionInfo> connection;  ///< of all but kSend

  std::string reason{};                   ///< kDisconnect: `client-closed`, …
  std::string note{};                     ///< kDisconnect: why, as the page put it
  std::vector<std::string> names{};       ///< kListening: what is now listened to, or no longer
  bool added = false;                     ///< kListening
  std::string path{};                     ///< kMessage, kUpload: `hello` of `message/hello.do`
  int status = 0;                         ///< kMessage, kUpload: what the page was answered
  std::string event{};                    ///< kSend
  std::optional<event::Target> target{};  ///< kSend: with at most kMostNames of its names
  std::size_t recipients = 0;             ///< kSend: names the target had
  bool qos = false;
  std::uint64_t message = 0;  ///< kSend: its id
  std::uint64_t delivered = 0;
  std::uint64_t pending = 0;

  /// How long the connection lived, or has lived so far.
  std::chrono::milliseconds age() const;
  /// For `bytes`.
  std::size_t count_bytes() const;
};

/// Shared, because several look at one, each in its own time.
using HappeningRef = std::shared_ptr<const Happening>;

/// `connect`, `disconnect`, `listening`, `message`, `upload`, `send`.
std::string_view type_name(Happening::Type type);
/// Inverse of type_name. Throws Error(kInvalidArgument) that lists the names.
Happening::Type type_from_name(std::string_view name);

/// As the admin API shows it: a line's worth, no contents, tokens masked.
event::Json to_json(const Happening& happening);

/// True when it happened to `user`, or was sent to that user by id (among the first Happening::kMostNames).
bool concerns(const Happening& happening, const UserId& user);

}  // namespace sse::gateway
