#include "pages/request_planner.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "application/upload_reader.h"
#include "net/multipart.h"

namespace sse::pages {
namespace {

constexpr ByteCount kMaxConnectBody = kibibytes(64);

}  // namespace

void RequestPlanner::decide(const net::RequestHead& head, net::RequestPlan& plan) const {
  if (head.framing != net::BodyFraming::kChunked && head.content_length == 0) return;
  if (const std::string_view host = net::header_value(head, "Host"); !origins_.allows_host(host)) {
    plan.refusal = net::HeadRefusal{403, net::unknown_host(host)};
    return;
  }
  plan.refusal = router_.refuse(head.method, head.target);
  if (plan.refusal) {
    if (const auto location = paths_.without_slash(head.target))
      plan.refusal = net::HeadRefusal{308, kWithoutSlash, "Location: " + *location + "\r\n"};
  }
  const auto rest = paths_.path_in_service(head.target);
  if (plan.refusal && plan.refusal->status == 404 && !rest && serves_files_) {
    // The path may be a file, which needs no body. A loop may not access the disk to check.
    plan.refusal.reset();
    plan.max_body = std::min(plan.max_body, net::kMaxIgnoredBody);
    return;
  }
  if (plan.refusal) return;
  if (head.method != "POST" || !rest) {
    plan.max_body = std::min(plan.max_body, net::kMaxIgnoredBody);
  } else if (*rest == "/connect/disconnect.do") {
    // Beacons carry no credentials, so this is the only body that is read before authentication.
    plan.max_body = std::min(plan.max_body, kMaxDisconnectBody);
    plan.takes_multipart = true;
  } else {
    if (*rest == "/connect") plan.max_body = std::min(plan.max_body, kMaxConnectBody);
    const bool upload = rest->starts_with("/connect/upload/");
    plan.takes_multipart = upload;
    const bool connect = *rest == "/connect";
    const auto access = connect ? OriginPolicy::Access::kRead : OriginPolicy::Access::kWrite;
    plan.admit = [this, upload, connect, access](const net::RequestHead& of, const net::Peer& peer) {
      net::AdmitResult result = admission_.admit(of, peer, access);
      if (upload && !result.refusal && !net::multipart_boundary(net::header_value(of, "Content-Type")))
        result.refusal = net::HeadRefusal{415, application::kNoUpload};
      if (connect && result.refusal && connect_refused_) connect_refused_(of, peer, *result.refusal);
      return result;
    };
  }
}

}  // namespace sse::pages
