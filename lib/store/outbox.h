#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "sse-server/delivery_report.h"
#include "store/message_repository.h"

namespace sse::store {

using sse::DeliveryReport;
using sse::outcome_name;

/// A delivery report that waits in the outbox.
struct StoredReport {
  std::uint64_t number = 0;  ///< identifies it in its outbox
  DeliveryReport report;
};

/// An ability of this project's own stores: for each message added with NewMessage::notify, and each of its recipients,
/// the store makes a DeliveryReport when it removes the pair, whatever the reason. The same commit stores it in the
/// outbox, unless StoreLimits::outbox is 0, until remove_reports(): so that a report is lost neither with the process
/// nor with the message. Above StoreLimits::outbox and outbox_bytes the oldest reports are dropped. Thread safe.
///
/// One thread of a process claims and removes. In a store that several nodes share, a claim belongs to a node for
/// kLease; then another node may claim the report. Other stores forget claims when they are closed.
class Outbox {
 public:
  /// How long a claim lasts in a shared store.
  static constexpr std::chrono::seconds kLease{60};

  virtual ~Outbox() = default;

  /// Receives the reports of a commit of this node, and how many older ones it dropped from the outbox.
  using Reported = std::function<void(const std::vector<DeliveryReport>& reports, std::uint64_t dropped)>;
  /// Makes the store call `reported` once a commit is durable, on a thread of the store or of a caller, one call at a
  /// time. It is quick, does not throw and does not call the store. Empty stops the calls; once this has returned, the
  /// previous function is no longer called.
  virtual void listen_to_reports(Reported reported) = 0;

  /// The oldest reports that no node has claimed, up to `limit` of them; claims them. Blocks on the store. Throws
  /// Error.
  virtual std::vector<StoredReport> claim_reports(std::size_t limit) = 0;
  /// Extends claims of this node; does nothing where they do not end. Blocks on the store. Throws Error.
  virtual void renew_claims(std::span<const std::uint64_t> numbers) = 0;
  /// Removes claimed reports; unknown ones are ignored. Blocks until durable. Throws Error.
  virtual void remove_reports(std::span<const std::uint64_t> numbers) = 0;
  /// How many reports the outbox holds; a shared store may lag behind. Does not block, and takes no lock
  /// under which `reported` is called.
  virtual std::uint64_t waiting_reports() const = 0;
};

/// The approximate size of a report in an outbox.
std::uint64_t bytes_of(const DeliveryReport& report);

/// A text that identifies a report, the same whenever it is repeated: a recipient loses a message once. Fit for a
/// header.
std::string name_of(const DeliveryReport& report);

/// Reports of a commit on their way to the listener. Not thread safe.
struct MadeReports {
  std::vector<DeliveryReport> reports;
  std::uint64_t dropped = 0;  ///< older ones, from the outbox

  bool empty() const { return reports.empty() && dropped == 0; }
};

/// Calls the listener of an Outbox, one call at a time. Thread safe.
class ReportListener {
 public:
  /// As Outbox::listen_to_reports().
  void set(Outbox::Reported listener) EXCLUDES(mutex_);
  void report(const MadeReports& made) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  Outbox::Reported listener_ GUARDED_BY(mutex_);
};

}  // namespace sse::store
