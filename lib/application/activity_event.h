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
#include "sse-server/delivery_report.h"

namespace sse::application {

/// An event in the life of a service, as `ssectl events` shows it and the application is notified of it.
struct ActivityEvent {
  enum class Type : unsigned char {
    kConnect,
    kDisconnect,
    kListening,
    kMessage,
    kUpload,
    kSend,
    kRefused,
    kOccupied,
    kVacated,
    // Of a DeliveryReport, in the order of its outcomes.
    kConfirmed,
    kExpired,
    kDead,
    kDeleted,
    kReplaced
  };

  /// Names stored per send; a send may have ten thousand.
  static constexpr std::size_t kMaxNames = 100;

  Type type = Type::kConnect;
  std::uint64_t sequence = 0;  ///< assigned by ActivityLog, in the order of the activity events
  std::size_t bytes = 0;       ///< approximate memory use; set by ActivityLog, so that queues can limit bytes
  WallTime time;
  ServiceName service;
  /// For all types except kSend, kOccupied, kVacated and those of a report; of kRefused without an id.
  std::optional<hub::ConnectionInfo> connection;

  std::string reason{};  ///< kDisconnect: `client-closed`, …; kRefused: `invalid-token`, …
  std::string note{};    ///< kDisconnect: the reason given by the page; kRefused: the sentence of the answer
  std::vector<std::string> names{};       ///< kListening: the event names subscribed to or unsubscribed from
  bool added = false;                     ///< kListening: subscribed; false: unsubscribed
  std::string channel{};                  ///< kOccupied, kVacated
  std::string path{};                     ///< kMessage, kUpload: `hello` of `message/hello.do`
  int status = 0;                         ///< kMessage, kUpload, kRefused: status of the answer to the page
  std::string event{};                    ///< kSend
  std::optional<event::Target> target{};  ///< kSend: with at most kMaxNames of its names
  std::vector<event::Target> also{};      ///< kSend: further targets, with as many names together
  std::size_t recipients = 0;             ///< kSend: number of names in all targets
  bool qos = false;
  std::uint64_t message = 0;  ///< kSend: its id
  std::uint64_t delivered = 0;
  std::uint64_t pending = 0;
  std::shared_ptr<const DeliveryReport> report{};  ///< kConfirmed to kReplaced

  /// How long the connection has been or was open.
  std::chrono::milliseconds age() const;
  /// The value for `bytes`.
  std::size_t count_bytes() const;
};

/// Shared, because several listeners use one event, each at its own pace.
using ActivityEventRef = std::shared_ptr<const ActivityEvent>;

/// `connect`, `disconnect`, `listening`, `message`, `upload`, `send`, `refused`, `occupied`, `vacated`, `confirmed`,
/// `expired`, `dead`, `deleted`, `replaced`.
std::string_view type_name(ActivityEvent::Type type);
/// Inverse of type_name. Throws Error(kInvalidArgument) that lists the names.
ActivityEvent::Type type_from_name(std::string_view name);

/// The type of the activity event that shows a report with this outcome.
ActivityEvent::Type type_of(DeliveryReport::Outcome outcome);

/// The form of a report in the admin API and in calls of the hook: of the message its id, event, recipient, key and
/// times; tokens masked.
event::Json to_json(const DeliveryReport& report);

/// The form in the admin API: one line, without contents, tokens masked.
event::Json to_json(const ActivityEvent& activity);

/// True when the event concerns `user`: a connection of that user, a send to the user's id (among the first
/// ActivityEvent::kMaxNames names), or a report of a message for it.
bool concerns(const ActivityEvent& activity, const UserId& user);

}  // namespace sse::application
