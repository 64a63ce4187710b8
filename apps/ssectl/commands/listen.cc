#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/event_source.h"
#include "api/stream_parser.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "base/url.h"
#include "event/event.h"
#include "ssectl/commands/command.h"
#include "ssectl/commands/confirmer.h"
#include "ssectl/commands/recent_ids.h"
#include "ssectl/context/service_path.h"
#include "ssectl/input/urls.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/stopping.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestDelay{30'000};
// Sent to clients that request marks (ackMarks=1): the next event is a message that must be confirmed.
constexpr std::string_view kMark = "sse-qos";

struct Options {
  std::string url;
  std::string user;
  std::string tenant;
  std::string token;
  std::vector<std::string> channels;
  std::vector<std::string> events;
  std::uint64_t count = 0;
};

class Listener {
 public:
  Listener(const Options& options, Context& context)
      : options_(options),
        out_(context.out()),
        service_url_(find_service_url(options, context)),
        source_(service_url_.first, context.timeout()),
        confirmer_([this](const std::string& connection, const std::vector<std::string>& ids) {
          return source_.post(service_url_.second + "/connect/ack.do?" + query_,
                              event::dump_json({{"connectionId", connection}, {"ids", ids}}));
        }) {
    const auto add = [this](const char* name, const std::string& value) {
      if (!value.empty()) append_parameter(query_, name, value);
    };
    add("userId", options.user);
    add("tenantId", options.tenant);
    add("access-token", options.token);
    for (const std::string& channel : options.channels) add("channel", channel);
    std::string listeners;
    for (const std::string& name : options.events) listeners += (listeners.empty() ? "" : ",") + name;
    add("listeners", listeners);
    add("clientId", "ssectl-" + std::to_string(std::random_device{}()));
  }

  void stop() {
    source_.stop();
    stopped_ = true;
  }

  // Runs until stop() is called, --count events were printed, or the server closes or refuses the stream.
  void run() {
    // stop() would keep the confirmations from the server, so wait for them first.
    try {
      follow();
    } catch (...) {
      confirmer_.finish();
      throw;
    }
    confirmer_.finish();
  }

 private:
  void follow() {
    const std::string path = service_url_.second + "/connect?" + query_ + "&ack=1&ackMarks=1&keepaliveTime=0";
    while (!stopped_) {
      parser_.restart();
      const auto end =
          source_.read(path, parser_.last_event_id(), [this](std::string_view bytes) { return take(bytes); });
      if (failure_) std::rethrow_exception(failure_);
      if (stopped_ || finished_) return;
      if (closed_) {
        out_.note("the server closed the stream");
        return;
      }
      const std::string where = service_url_.first + service_url_.second;
      if (end.status == 401 || end.status == 403)
        throw Error(ErrorCode::kPermissionDenied, "access denied at " + where + ": " + end.reason);
      if (end.status == 404)
        throw Error(ErrorCode::kNotFound,
                    "there is no service at " + where + "; give its URL with --url http://HOST:PORT/PATH");
      if (!opened_) throw Error(ErrorCode::kUnavailable, "cannot listen at " + where + ": " + end.reason);
      wait_before_reconnect(end.reason);
    }
  }

  static std::pair<std::string, std::string> find_service_url(const Options& options, Context& context) {
    std::pair<std::string, std::string> place;
    if (!options.url.empty()) {
      Url url = parse_url("--url", options.url);
      while (url.path.ends_with('/')) url.path.pop_back();
      place = {std::move(url.origin), std::move(url.path)};
    }
    if (!place.second.empty()) return place;
    if (!options.url.empty() && context.service().empty()) return {place.first, "/my-sse"};
    const api::Json status = context.client().status();
    if (place.first.empty()) place.first = text_cell(status, "listen");
    if (const auto path = service_path(status, context.service())) return {place.first, *path};
    throw Error(ErrorCode::kNotFound, "no service '" + printable(context.service().str(), 60) + "' is hosted there");
  }

  bool take(std::string_view bytes) {
    try {
      parser_.feed(bytes, [&](api::StreamEvent&& event) {
        if (!finished_ && !closed_) handle(event);
      });
      return !finished_ && !closed_;
    } catch (...) {
      // An exception must not pass through the HTTP library.
      failure_ = std::current_exception();
      return false;
    }
  }

  void handle(const api::StreamEvent& event) {
    // Only the event after a mark is a message that must be confirmed. A marked event has its own id even if that
    // equals the stream's previous id, as for a message that is redelivered.
    const bool marked = std::exchange(marked_, event.name == kMark);
    if (marked_) return;
    const bool own_id = !event.id.empty() && (marked || event.id != previous_id_);
    previous_id_ = event.id;
    if (event.name == event::kConnectFinish) {
      begin(event);
      return;
    }
    if (event.name == event::kConnectClose) {
      closed_ = true;
      return;
    }
    const bool seen_before = own_id && !recent_ids_.add(event.id);
    if (!seen_before) show(event);
    // Confirm only after the event was printed.
    if (own_id && marked == sends_marks_) confirmer_.confirm(event.id);
  }

  void begin(const api::StreamEvent& event) {
    const api::Json answer = event::parse_json_or_null(event.data);
    const std::string connection = text_cell(answer, "connectionId");
    const auto promised = [&](const char* what) {
      return answer.is_object() && answer.contains(what) && answer[what] == true;
    };
    sends_marks_ = promised("ackMarks");
    confirmer_.opened(connection, promised("ack"));
    failures_ = 0;
    if (!std::exchange(opened_, true) || out_.human_readable()) out_.note("listening as connection " + connection);
  }

  void show(const api::StreamEvent& event) {
    const bool wanted = options_.events.empty() || event.name == event::kResync ||
                        std::ranges::find(options_.events, event.name) != options_.events.end();
    if (!wanted) return;
    print(event);
    if (options_.count != 0 && ++printed_ >= options_.count) finished_ = true;
  }

  void print(const api::StreamEvent& event) {
    const std::string now = format_time(wall_now());
    if (!out_.human_readable()) {
      out_.document({{"id", event.id}, {"event", event.name}, {"data", event.data}, {"time", now}});
      return;
    }
    const bool colour = out_.style().colour;
    const std::string name = printable(event.name, 200);
    std::string line = now.substr(11, 12) + "  " + (colour ? "\033[1m" + name + "\033[0m" : name) + "  ";
    std::string_view rest = event.data;
    for (;;) {
      const std::size_t cut = rest.find('\n');
      line += printable(rest.substr(0, cut), std::string::npos) + '\n';
      if (cut == std::string_view::npos) break;
      rest.remove_prefix(cut + 1);
      line += "              ";
    }
    out_.write(line);
  }

  // Waits before reconnecting: exponential backoff with jitter, based on the retry time that the server sent.
  void wait_before_reconnect(const std::string& reason) {
    const milliseconds base = std::max(parser_.retry().value_or(milliseconds(2000)), milliseconds(100));
    const milliseconds max_delay = std::max(base, kLongestDelay);
    const milliseconds delay = std::min(base * (1 << std::min(failures_++, 8)), max_delay);
    std::uniform_real_distribution<double> jitter(0.5, 1.5);
    const auto wait = milliseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * jitter(random_)));
    out_.note(reason + "; trying again in " + format_age(wait));
    const SteadyTime until = steady_now() + wait;
    while (!stopped_ && steady_now() < until) std::this_thread::sleep_for(milliseconds(20));
  }

  const Options& options_;
  Output& out_;
  const std::pair<std::string, std::string> service_url_;  // origin, path of the service
  std::string query_;
  api::EventSource source_;
  api::StreamParser parser_;
  std::string previous_id_;
  RecentIds recent_ids_;
  bool opened_ = false;
  bool marked_ = false;       // the previous event was a mark
  bool sends_marks_ = false;  // the server sends marks
  bool closed_ = false;
  bool finished_ = false;
  std::uint64_t printed_ = 0;
  int failures_ = 0;
  std::mt19937 random_{std::random_device{}()};
  std::exception_ptr failure_;
  std::atomic<bool> stopped_{false};
  Confirmer confirmer_;  // last: its thread uses the members above
};

int run(const Options& options, Context& context) {
  Stopping stopping;
  Listener listener(options, context);
  std::exception_ptr failure;
  std::atomic<bool> done{false};
  std::thread reader([&] {
    try {
      listener.run();
    } catch (...) {
      failure = std::current_exception();
    }
    done = true;
  });
  while (!done && !stopping.wait(50)) {
  }
  listener.stop();
  reader.join();
  if (failure) std::rethrow_exception(failure);
  return kDone;
}

}  // namespace

Run declare_listen(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--url", options->url,
                 "Public address, such as http://HOST:PORT/my-sse (default: as the server reports)")
      .type_name("URL");
  app.add_option("-u,--user", options->user, "User id, with --auth demo").type_name("USER");
  app.add_option("--tenant", options->tenant, "Tenant id").type_name("TENANT");
  app.add_option("--token", options->token, "Access token").type_name("TOKEN");
  app.add_option("--channel", options->channels, "Channel to join; repeatable").type_name("CHANNEL");
  app.add_option("-e,--event", options->events, "Listen to this event, and show no other; repeatable")
      .type_name("NAME");
  app.add_option("-n,--count", options->count, "Exit after this number of events")
      .type_name("N")
      .range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000});
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
