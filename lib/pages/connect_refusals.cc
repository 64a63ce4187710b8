#include "pages/connect_refusals.h"

#include <utility>

#include "base/text.h"
#include "observe/log.h"

namespace sse::pages {
namespace {

constexpr std::size_t kMaxSentence = 500;

}  // namespace

void ConnectRefusals::note(ConnectRefusal refusal) {
  metrics_
      .counter("sse_connects_refused_total", "Requests for a stream that were refused, by status and reason",
               {{"service", refusal.service.str()},
                {"status", std::to_string(refusal.status)},
                {"reason", std::string(refusal.reason)}})
      .add();
  std::string sentence = printable(refusal.sentence, kMaxSentence);
  if (const auto left_out = throttle_.line(clock_.steady_now())) {
    observe::log_info("a stream was refused", {{"service", refusal.service.str()},
                                               {"status", std::to_string(refusal.status)},
                                               {"reason", std::string(refusal.reason)},
                                               {"user", refusal.identity.user.str()},
                                               {"address", refusal.address},
                                               {"error", sentence},
                                               {"leftOut", std::to_string(*left_out)}});
  }
  hub::ConnectionInfo info;
  info.identity = std::move(refusal.identity);
  info.attributes.address = std::move(refusal.address);
  info.attributes.query = std::move(refusal.query);
  info.created = info.as_of = clock_.wall_now();
  activity_log_.refused(refusal.service, std::move(info), refusal.status, refusal.reason, std::move(sentence));
}

}  // namespace sse::pages
