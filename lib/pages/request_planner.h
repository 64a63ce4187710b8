#pragma once

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
  /// References must outlive this. `serves_files`: unknown paths may be files (--web-root).
  RequestPlanner(const net::Router& router, const OriginPolicy& origins, const PageAdmission& admission,
                 const ServicePaths& paths, bool serves_files)
      : router_(router), origins_(origins), admission_(admission), paths_(paths), serves_files_(serves_files) {}

  /// Completes the plan of a request with a body: refuses unknown hosts and paths, limits the size of the body, and
  /// sets the authentication that has to succeed before the body is read.
  void decide(const net::RequestHead& head, net::RequestPlan& plan) const;

 private:
  const net::Router& router_;
  const OriginPolicy& origins_;
  const PageAdmission& admission_;
  const ServicePaths& paths_;
  const bool serves_files_;
};

}  // namespace sse::pages
