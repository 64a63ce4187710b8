#include "net/upload_spooler.h"

#include <utility>

#include "net/request_body.h"

namespace sse::net {

bool UploadSpooler::take_place() {
  if (places_taken_.fetch_add(1, std::memory_order_relaxed) < options_.max_spooled) return true;
  return_place();
  return false;
}

bool UploadSpooler::write(RequestBody& body, Written then) {
  loop_.assert_in_loop_thread();
  return options_.spoolers->submit([this, &body, then = std::move(then)] {
    const std::string problem = body.write_received(options_.spool_folder);
    loop_.post([then, problem] { then(problem); });
  });
}

}  // namespace sse::net
