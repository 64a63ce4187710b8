#pragma once

#include <functional>
#include <utility>

#include "base/units.h"
#include "net/http_front.h"
#include "net/router.h"
#include "pages/origin_policy.h"
#include "pages/page_admission.h"
#include "pages/service_paths.h"

namespace sse::pages {

/// Maximum body of disconnect.do, which is read before authentication.
inline constexpr ByteCount kMaxDisconnectBody = kibibytes(4);
/// Maximum of a url-encoded body; cpp-httplib refuses larger ones.
inline constexpr ByteCount kMaxForm = kibibytes(8);

/// Decides from the head of a page's request whether and how its body is read. Immutable, thread safe, does not block.
class RequestPlanner {
 public:
  /// Called for a request for a stream that is refused before its body is read. Any thread.
  using ConnectRefused =
      std::function<void(const net::RequestHead& head, const net::Peer& peer, const net::HeadRefusal& refusal)>;

  /// References must outlive this. `serves_files`: unknown paths may be files (--web-root). `connect_refused` may be
  /// null.
  RequestPlanner(const net::Router& router, const OriginPolicy& origins, const PageAdmission& admission,
                 const ServicePaths& paths, bool serves_files, ConnectRefused connect_refused = nullptr)
      : router_(router),
        origins_(origins),
        admission_(admission),
        paths_(paths),
        serves_files_(serves_files),
        connect_refused_(std::move(connect_refused)) {}

  /// Completes the plan of a request with a body: refuses unknown hosts and paths, limits the size of the body, and
  /// sets the authentication that has to succeed before the body is read.
  void decide(const net::RequestHead& head, net::RequestPlan& plan) const;

 private:
  const net::Router& router_;
  const OriginPolicy& origins_;
  const PageAdmission& admission_;
  const ServicePaths& paths_;
  const bool serves_files_;
  const ConnectRefused connect_refused_;
};

}  // namespace sse::pages
