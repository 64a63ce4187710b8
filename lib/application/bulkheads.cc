#include "application/bulkheads.h"

#include <string_view>
#include <utility>

namespace sse::application {
namespace {

constexpr std::size_t kSpoolers = 2;
constexpr std::chrono::seconds kThreadIdle{10};

}  // namespace

Bulkheads::Bulkheads(BulkheadOptions options)
    : options_(std::move(options)),
      connects_("sse-connects", 0, options_.threads, 20'000, kThreadIdle, *options_.clock),
      requests_("sse-requests", 0, options_.threads, 20'000, kThreadIdle, *options_.clock),
      spoolers_("sse-spool", 0, kSpoolers, 20'000, kThreadIdle, *options_.clock) {}

net::RequestPlan Bulkheads::plan(const net::RequestHead& head) {
  net::RequestPlan plan;
  plan.max_body = options_.max_body;
  const std::string_view path = head.target.substr(0, head.target.find('?'));
  for (const std::string& service : options_.services) {
    if (!path.starts_with(service)) continue;
    const std::string_view rest = path.substr(service.size());
    if (!rest.starts_with("/connect")) continue;
    plan.max_wait = options_.max_wait;
    if (rest == "/connect") {
      if (options_.connects_may_block) plan.workers = &connects_;
    } else if (rest.starts_with("/connect/message/")) {
      plan.workers = &requests_;
    } else if (rest.starts_with("/connect/upload/")) {
      plan.workers = &requests_;
      plan.max_body = options_.max_upload;
      plan.in_file = true;
    } else if (options_.connects_may_block) {
      plan.workers = &requests_;
    }
    break;
  }
  return plan;
}

void Bulkheads::stop() {
  spoolers_.stop();
  connects_.stop();
  requests_.stop();
}

}  // namespace sse::application
