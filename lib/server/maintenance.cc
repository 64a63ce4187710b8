#include "server/maintenance.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "base/error.h"
#include "observe/log.h"

namespace sse::server {
namespace {

constexpr std::chrono::milliseconds kDemoPeriod{3000};
constexpr std::chrono::milliseconds kExpirePeriod{60'000};
constexpr std::chrono::milliseconds kTrimPeriod{1000};
constexpr std::chrono::milliseconds kUnreachedPeriod{1000};
constexpr std::chrono::seconds kMaintenanceIdle{10};
constexpr const char* kDemoData = "{\"name\":\"sendByUserId 服务端推送的\"}";

}  // namespace

Maintenance::Maintenance(const std::vector<application::Service>& services, store::MessageRepository& repository,
                         observe::Registry& metrics, const Clock& clock, Options options)
    : services_(services),
      repository_(repository),
      expired_(metrics.counter("sse_expired_total", "Pending messages that reached their time to live unconfirmed")),
      clock_(clock),
      options_(std::move(options)),
      worker_("sse-maintenance", 0, 1, 16, kMaintenanceIdle, clock) {}

void Maintenance::start(net::EventLoop& loop) {
  loop.post([this, &loop] {
    worker_.submit([this] { expire(); });
    loop.run_every(kExpirePeriod, [this] { worker_.submit([this] { expire(); }); });
    loop.run_every(kTrimPeriod, [this] {
      if (memory_trimmer_.burst_ended(activity())) worker_.submit([] { malloc_trim(0); });
    });
    loop.run_every(kUnreachedPeriod, [this] {
      if (!any_unreached() || sending_unreached_.exchange(true)) return;
      if (!worker_.submit([this] { send_unreached(); })) sending_unreached_ = false;
    });
    if (options_.demo) loop.run_every(kDemoPeriod, [this] { worker_.submit([this] { push_demo(); }); });
  });
}

void Maintenance::expire() {
  if (options_.sweep) options_.sweep();
  try {
    for (const application::Service& service : services_) service.sender->expire_history();
    const std::uint64_t expired = repository_.expire(clock_.wall_now());
    if (expired == 0) return;
    expired_.add(expired);
    observe::log_warn(
        "pending messages expired unconfirmed (--qos-ttl, or their own ttl); see 'ssectl messages dead list'",
        {{"count", std::to_string(expired)}});
  } catch (const Error& e) {
    observe::log_error("cannot remove expired messages", {{"error", e.what()}});
  }
}

bool Maintenance::any_unreached() const {
  return std::ranges::any_of(services_,
                             [](const application::Service& service) { return service.sender->any_unreached(); });
}

void Maintenance::send_unreached() {
  for (const application::Service& service : services_) {
    try {
      service.sender->send_unreached();
    } catch (const Error&) {
      // The store cannot be read, which it reports itself, or the server stops. The next call tries again.
    }
  }
  sending_unreached_ = false;
}

void Maintenance::push_demo() {
  for (const application::Service& service : services_) {
    std::vector<std::string> users = service.sender->hub().directory().names(event::TargetKind::kUser);
    for (std::size_t i = 0; i < users.size(); i += event::kMaxNames) {
      const auto begin = users.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = users.begin() + static_cast<std::ptrdiff_t>(std::min(i + event::kMaxNames, users.size()));
      service.sender->send({{event::TargetKind::kUser, {begin, end}, false}, "server-push", kDemoData});
    }
  }
}

// Counts what makes the allocator grow: opened and closed streams, and sends.
std::uint64_t Maintenance::activity() const {
  std::uint64_t n = 0;
  for (const application::Service& service : services_) n += service.sender->hub().turnover() + service.sender->sends();
  return n;
}

}  // namespace sse::server
