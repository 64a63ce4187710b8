#include "server/canary.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "event/event.h"
#include "observe/barrier.h"
#include "server/canary_options.h"

namespace sse::server {
namespace {

constexpr std::chrono::milliseconds kExpirePeriod{500};

}  // namespace

Canary::Canary(const ServerOptions& options, const std::string& server_id, bool in_cluster, CanaryStreams& streams,
               const std::atomic<bool>& draining, observe::Registry& metrics)
    : interval_(options.canary_interval),
      url_(options.canary_url),
      in_cluster_(in_cluster),
      streams_(streams),
      draining_(draining),
      clock_(*options.clock),
      meter_(server_id, url_, in_cluster, metrics, clock_),
      resolver_(canary_request(options, "").host, clock_),
      loop_("sse-canary", clock_),
      client_(loop_, canary_request(options, streams.secret()), *this) {}

Canary::~Canary() {
  stop();
}

void Canary::start() {
  started_ = true;
  loop_.run_every(interval_, [this] { send(); });
  loop_.run_every(kExpirePeriod, [this] { meter_.expire([this] { return streams_.other_nodes(); }); });
  loop_.start();
  loop_.post([this] { observe::guarded("the canary", [this] { connect(); }); });
}

void Canary::stop() {
  if (!std::exchange(started_, false)) return;
  resolver_.stop();
  loop_.post([this] { client_.close(); });
  loop_.stop();
}

void Canary::connect() {
  // Until the end of the drain, or of the server, it would be refused.
  if (draining_.load()) return retry_later();
  std::vector<std::string> addresses;
  const SteadyTime deadline = clock_.steady_now() + kOpenTimeout;
  try {
    addresses = resolver_.addresses(deadline);
  } catch (const Error& e) {
    return stream_ended(std::string("cannot connect: ") + e.what());
  }
  parser_ = std::make_unique<api::StreamParser>();
  node_.clear();
  foreign_bytes_ = 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_.steady_now());
  deadline_ = loop_.run_after(std::max(left, std::chrono::milliseconds(1)), [this] {
    if (!open_) reject("it opened no stream within " + format_duration(kOpenTimeout));
  });
  client_.open(std::move(addresses));
}

void Canary::stream_begun(const std::string& server_id) {
  node_ = server_id;
}

void Canary::stream_bytes(std::string_view bytes) {
  foreign_bytes_ += bytes.size();
  rejected_.clear();
  parser_->feed(bytes, [this](const api::StreamEvent& event) { take(event); });
  if (rejected_.empty() && foreign_bytes_ > kMaxForeignBytes)
    rejected_ = "it sends more than " + format_bytes(ByteCount(kMaxForeignBytes)) + " that are not for the canary";
  if (!rejected_.empty()) reject(std::string(rejected_));
}

void Canary::take(const api::StreamEvent& event) {
  if (!rejected_.empty()) return;
  if (!open_) return confirm_open(event);
  if (event.name != kCanaryEvent) return;
  const event::Json data = event::parse_json_or_null(event.data);
  if (!data.is_object()) return;
  try {
    const auto id = whole_number(event::string_field(data, "id"));
    if (id && meter_.arrived(*id, event::string_field(data, "from"))) foreign_bytes_ = 0;
  } catch (const Error&) {
    // A field of another type: not an event of this server.
  }
}

// Another server, and a node that does not know canaries, opens a stream of a service, or none.
void Canary::confirm_open(const api::StreamEvent& first) {
  const event::Json data = event::parse_json_or_null(first.data);
  const auto name = data.is_object() ? data.find("name") : data.end();
  if (first.name != event::kConnectFinish || name == data.end() || !name->is_string() ||
      name->get<std::string>() != kCanaryService) {
    rejected_ = "it opened a stream, but not as the canary" + (node_.empty() ? "" : " (server " + node_ + ")") +
                ": another server answers there, or a proxy removes the header X-Sse-Canary";
    return;
  }
  loop_.cancel(deadline_);
  open_ = true;
  foreign_bytes_ = 0;
  retry_ = kMinRetry;
  show(true, "");
}

void Canary::reject(const std::string& why) {
  client_.close();
  stream_ended(why);
}

void Canary::stream_ended(const std::string& why) {
  loop_.cancel(deadline_);
  last_failure_ = why;
  if (std::exchange(open_, false)) meter_.stream_ended(why);
  parser_.reset();
  retry_later();
  show(false, why);
}

void Canary::retry_later() {
  loop_.run_after(retry_, [this] { observe::guarded("the canary", [this] { connect(); }); });
  retry_ = std::min(2 * retry_, kMaxRetry);
}

void Canary::send() {
  if (draining_.load()) return meter_.pause();
  if (!open_) return meter_.begin_without_stream(last_failure_);
  const std::vector<std::string> others = streams_.other_nodes();
  const std::string id = std::to_string(meter_.begin(others));
  if (!others.empty()) streams_.request_others(id);
  streams_.send(streams_.number(), id);
}

void Canary::show(bool open, const std::string& error) {
  const MutexLock lock(mutex_);
  shown_open_ = open;
  shown_node_ = open ? node_ : "";
  shown_error_ = error;
}

event::Json Canary::side_status(CanaryMeter::Origin origin) const {
  const CanaryMeter::State state = meter_.state(origin);
  event::Json json{{"state", !state.measured ? "waiting"
                             : state.failing ? "failing"
                                             : "ok"},
                   {"error", state.error.empty() ? event::Json(nullptr) : event::Json(state.error)},
                   {"lastSuccess", nullptr},
                   {"lastMicros", nullptr}};
  if (state.last_success) {
    json["lastSuccess"] = to_millis(*state.last_success);
    json["lastMicros"] = state.last_duration.count();
  }
  return json;
}

event::Json Canary::status() const {
  event::Json json{{"url", url_},
                   {"intervalMillis", interval_.count()},
                   {"paused", draining_.load()},
                   {"own", side_status(CanaryMeter::Origin::kOwn)}};
  if (in_cluster_) json["other"] = side_status(CanaryMeter::Origin::kOther);
  const MutexLock lock(mutex_);
  json["connected"] = shown_open_;
  json["node"] = shown_node_.empty() ? event::Json(nullptr) : event::Json(shown_node_);
  json["error"] = shown_error_.empty() ? event::Json(nullptr) : event::Json(shown_error_);
  return json;
}

}  // namespace sse::server
