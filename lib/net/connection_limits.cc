#include "net/connection_limits.h"

#include <utility>

namespace sse::net {

ConnectionLimits::ConnectionLimits(const FrontOptions& options, FrontMetrics& metrics,
                                   std::function<std::size_t()> others_open)
    : options_(options),
      metrics_(metrics),
      others_open_(std::move(others_open)),
      full_{503, "the server has reached its limit of connections (" + options.max_connections_option +
                     "); try again later"},
      too_many_of_address_{429, "too many connections from this address (--max-connections-per-ip); close some first"},
      limiter_(std::make_shared<AddressLimiter>(options.max_per_address)) {}

ConnectionPlace ConnectionLimits::admit(const std::string& peer) {
  ConnectionPlace place;
  if (options_.max_connections != 0 && open() - refused_open_ + others_open_() >= options_.max_connections) {
    metrics_.refused_full.add();
    place.refusal = &full_;
    return place;
  }
  place.from_proxy = options_.max_per_address != 0 && options_.is_proxy && options_.is_proxy(peer);
  if (!place.from_proxy && !limiter_->admit(peer, place.ticket)) {
    metrics_.refused_address.add();
    place.refusal = &too_many_of_address_;
  }
  return place;
}

bool ConnectionLimits::admit_forwarded(const std::string& client, ConnectionPlace& place) {
  place.ticket.reset();
  if (limiter_->admit(client, place.ticket)) return true;
  metrics_.refused_address.add();
  return false;
}

bool ConnectionLimits::readmit(const std::string& client, ConnectionPlace& place) {
  if (place.refusal != nullptr || options_.max_per_address == 0) return true;
  place.from_proxy = options_.is_proxy && options_.is_proxy(client);
  if (place.from_proxy || limiter_->admit(client, place.ticket)) return true;
  metrics_.refused_address.add();
  if (!can_hold_refused()) return false;
  place.refusal = &too_many_of_address_;
  ++refused_open_;
  return true;
}

void ConnectionLimits::opened(ConnectionPlace& place) {
  if (place.refusal != nullptr) ++refused_open_;
  place.counted = counted_.another();
}

void ConnectionLimits::closed(ConnectionPlace& place) {
  if (place.refusal != nullptr) --refused_open_;
  place.counted.reset();
}

}  // namespace sse::net
