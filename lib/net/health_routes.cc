#include "net/health_routes.h"

#include <utility>

namespace sse::net {

void add_health_routes(Router& router, std::function<bool()> ready) {
  router.get("/healthz",
             [](const httplib::Request&, httplib::Response& res) { res.set_content("ok\n", "text/plain"); });
  router.get("/readyz", [ready = std::move(ready)](const httplib::Request&, httplib::Response& res) {
    const bool is_ready = ready();
    res.status = is_ready ? 200 : 503;
    res.set_content(is_ready ? "ready\n" : "draining\n", "text/plain");
  });
}

}  // namespace sse::net
