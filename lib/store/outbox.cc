#include "store/outbox.h"

#include <array>

#include "observe/barrier.h"
#include "store/imported.h"

namespace sse {

std::string_view outcome_name(DeliveryReport::Outcome outcome) {
  constexpr std::array<std::string_view, 5> kNames{"confirmed", "expired", "dead", "deleted", "replaced"};
  return kNames.at(static_cast<std::size_t>(outcome));
}

}  // namespace sse

namespace sse::store {

std::uint64_t bytes_of(const DeliveryReport& report) {
  return sizeof report + report.service.str().size() + report.recipient.name.size() + report.event.size() +
         report.key.size();
}

std::string name_of(const DeliveryReport& report) {
  return import_key(report.id, report.recipient).substr(kImportPrefix.size());
}

void ReportListener::set(Outbox::Reported listener) {
  const MutexLock lock(mutex_);
  listener_ = std::move(listener);
}

void ReportListener::report(const MadeReports& made) {
  if (made.empty()) return;
  const MutexLock lock(mutex_);
  const Outbox::Reported* const listener = &listener_;
  if (*listener) observe::guarded("the listener to delivery reports", [&] { (*listener)(made.reports, made.dropped); });
}

}  // namespace sse::store
