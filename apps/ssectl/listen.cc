#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "api/event_source.h"
#include "api/stream_parser.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/text.h"
#include "base/units.h"
#include "cells.h"
#include "command.h"
#include "event/event.h"
#include "stopping.h"

namespace sse::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestDelay{30'000};
constexpr std::size_t kMostSeen = 4096;
constexpr std::size_t kMostUnconfirmed = 10'000;
constexpr std::size_t kMostInCall = 1000;
constexpr milliseconds kConfirmPause{200};
constexpr milliseconds kLongestConfirmPause{2000};
// To clients that ask for marks: the next event is a message.
constexpr std::string_view kMark = "sse-qos";

struct Options {
  std::string url;
  std::string user;
  std::string tenant;
  std::string token;
  std::string channel;
  std::vector<std::string> events;
  std::uint64_t count = 0;
};

// Ids of events that were seen, the youngest of them.
class Seen {
 public:
  /// False when it was seen before.
  bool add(const std::string& id) {
    if (!ids_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > kMostSeen) {
      ids_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }

 private:
  std::unordered_set<std::string> ids_;
  std::deque<std::string> order_;
};

// `http://host:8080/my-sse` in two parts; the path may be missing.
std::pair<std::string, std::string> split_url(const std::string& url) {
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
    throw Error(ErrorCode::kInvalidArgument, "--url '" + printable(url, 80) + "' must begin with http:// or https://");
  const std::size_t scheme = url.find("://");
  const std::size_t slash = scheme == std::string::npos ? scheme : url.find('/', scheme + 3);
  std::string path = slash == std::string::npos ? "" : url.substr(slash);
  while (path.ends_with('/')) path.pop_back();
  return {url.substr(0, slash), path};
}

class Listener {
 public:
  Listener(const Options& options, Context& context)
      : options_(options),
        out_(context.out()),
        place_(find_place(options, context)),
        source_(place_.first, context.timeout()) {
    const auto add = [this](const char* name, const std::string& value) {
      if (!value.empty()) who_ += (who_.empty() ? "" : "&") + std::string(name) + "=" + url_encode(value);
    };
    add("userId", options.user);
    add("tenantId", options.tenant);
    add("access-token", options.token);
    add("channel", options.channel);
    std::string listeners;
    for (const std::string& name : options.events) listeners += (listeners.empty() ? "" : ",") + name;
    add("listeners", listeners);
    add("clientId", "ssectl-" + std::to_string(std::random_device{}()));
  }

  void stop() {
    source_.stop();
    stopped_ = true;
  }
  bool stopped() const { return stopped_; }

  // Until it is stopped, has seen enough, or the server does not want it.
  void run() {
    std::thread confirmer([this] { confirm_all(); });
    try {
      follow();
    } catch (...) {
      end_confirming();
      confirmer.join();
      throw;
    }
    end_confirming();
    confirmer.join();
  }

 private:
  void follow() {
    const std::string path = place_.second + "/connect?" + who_ + "&ack=1&ackMarks=1&keepaliveTime=0";
    while (!stopped_) {
      parser_.restart();
      const auto end =
          source_.read(path, parser_.last_event_id(), [this](std::string_view bytes) { return take(bytes); });
      if (failure_) std::rethrow_exception(failure_);
      if (stopped_ || enough_) return;
      if (closed_) {
        out_.note("the server closed the stream");
        return;
      }
      const std::string where = place_.first + place_.second;
      if (end.status == 401 || end.status == 403)
        throw Error(ErrorCode::kPermissionDenied, "not let in at " + where + ": " + end.reason);
      if (end.status == 404)
        throw Error(ErrorCode::kNotFound,
                    "there is no service at " + where + "; name it with --url http://HOST:PORT/PATH");
      if (!opened_) throw Error(ErrorCode::kUnavailable, "cannot listen at " + where + ": " + end.reason);
      rest(end.reason);
    }
  }

  static std::pair<std::string, std::string> find_place(const Options& options, Context& context) {
    std::pair<std::string, std::string> place = split_url(options.url);
    if (!place.second.empty()) return place;
    if (!options.url.empty() && context.service().empty()) return {place.first, "/my-sse"};
    const api::Json status = context.client().status();
    if (place.first.empty()) place.first = text_cell(status, "listen");
    for (const api::Json& service : status.at("services")) {
      const std::string name = text_cell(service, "name");
      if (context.service().empty() || name == context.service().str()) {
        place.second = text_cell(service, "path");
        return place;
      }
    }
    throw Error(ErrorCode::kNotFound, "no service '" + printable(context.service().str(), 60) + "' is hosted there");
  }

  bool take(std::string_view bytes) {
    try {
      parser_.feed(bytes, [&](api::StreamEvent&& event) {
        if (!enough_ && !closed_) handle(event);
      });
      return !enough_ && !closed_;
    } catch (...) {
      // Not through the HTTP library.
      failure_ = std::current_exception();
      return false;
    }
  }

  void handle(const api::StreamEvent& event) {
    // Only the event after a mark is a message that wants to be confirmed. It has an id of its own also where that is
    // the one the stream had before, as of a message that is sent again.
    const bool marked = std::exchange(marked_, event.name == kMark);
    if (marked_) return;
    const bool own_id = !event.id.empty() && (marked || event.id != former_id_);
    former_id_ = event.id;
    if (event.name == event::kConnectFinish) {
      begin(event);
      return;
    }
    if (event.name == event::kConnectClose) {
      closed_ = true;
      return;
    }
    const bool seen_before = own_id && !seen_.add(event.id);
    if (!seen_before) show(event);
    // When it has been shown.
    if (own_id && marked == marks_) confirm(event.id);
  }

  void begin(const api::StreamEvent& event) {
    const api::Json answer = event::parse_json_or_null(event.data);
    const std::string connection = text_cell(answer, "connectionId");
    const auto promised = [&](const char* what) {
      return answer.is_object() && answer.contains(what) && answer[what] == true;
    };
    marks_ = promised("ackMarks");
    {
      const MutexLock lock(mutex_);
      connection_ = connection;
      confirms_ = promised("ack");
      changed_.notify_all();
    }
    failures_ = 0;
    if (!std::exchange(opened_, true) || out_.for_people()) out_.note("listening as connection " + connection);
  }

  void show(const api::StreamEvent& event) {
    const bool wanted = options_.events.empty() || event.name == event::kResync ||
                        std::ranges::find(options_.events, event.name) != options_.events.end();
    if (!wanted) return;
    print(event);
    if (options_.count != 0 && ++printed_ >= options_.count) enough_ = true;
  }

  void confirm(const std::string& id) {
    const MutexLock lock(mutex_);
    if (!confirms_) return;
    unconfirmed_.push_back(id);
    // The server sends again what it does not hear of.
    if (unconfirmed_.size() > kMostUnconfirmed) unconfirmed_.pop_front();
    changed_.notify_all();
  }

  // What has come is confirmed on a thread of its own, and again until the server has heard it: on this stream, or on
  // the next one.
  void confirm_all() {
    milliseconds pause = kConfirmPause;
    for (;;) {
      std::vector<std::string> ids;
      std::string connection;
      bool ending = false;
      {
        const MutexLock lock(mutex_);
        while (unconfirmed_.empty() && !ending_) changed_.wait(mutex_);
        if (unconfirmed_.empty()) return;
        ending = ending_;
        connection = connection_;
        ids.assign(unconfirmed_.begin(),
                   unconfirmed_.begin() + static_cast<std::ptrdiff_t>(std::min(unconfirmed_.size(), kMostInCall)));
      }
      const bool heard = source_.post(place_.second + "/connect/ack.do?" + who_,
                                      event::dump_json({{"connectionId", connection}, {"ids", ids}}));
      const MutexLock lock(mutex_);
      if (heard) {
        for (const std::string& id : ids) {
          if (!unconfirmed_.empty() && unconfirmed_.front() == id) unconfirmed_.pop_front();
        }
        pause = kConfirmPause;
        continue;
      }
      // Nobody waits longer for the end than for one more try.
      if (ending) return;
      const SteadyTime again = steady_now() + pause;
      pause = std::min(pause * 2, kLongestConfirmPause);
      while (!ending_ && changed_.wait_until(mutex_, again)) {
      }
    }
  }

  void end_confirming() {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }

  void print(const api::StreamEvent& event) {
    const std::string now = format_time(wall_now());
    if (!out_.for_people()) {
      out_.document({{"id", event.id}, {"event", event.name}, {"data", event.data}, {"time", now}});
      return;
    }
    const bool colour = out_.look().colour;
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

  // Exponential, with jitter, around what the server asked for.
  void rest(const std::string& reason) {
    const milliseconds base = std::max(parser_.retry().value_or(milliseconds(2000)), milliseconds(100));
    const milliseconds most = std::max(base, kLongestDelay);
    const milliseconds delay = std::min(base * (1 << std::min(failures_++, 8)), most);
    std::uniform_real_distribution<double> jitter(0.5, 1.5);
    const auto wait = milliseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * jitter(random_)));
    out_.note(reason + "; trying again in " + format_age(wait));
    const SteadyTime until = steady_now() + wait;
    while (!stopped_ && steady_now() < until) std::this_thread::sleep_for(milliseconds(20));
  }

  const Options& options_;
  Output& out_;
  const std::pair<std::string, std::string> place_;  // origin, path of the service
  std::string who_;
  api::EventSource source_;
  api::StreamParser parser_;
  std::string former_id_;
  Seen seen_;
  bool opened_ = false;
  bool marked_ = false;  // the event before was a mark
  bool marks_ = false;   // the server sends them
  bool closed_ = false;
  bool enough_ = false;
  std::uint64_t printed_ = 0;
  int failures_ = 0;
  std::mt19937 random_{std::random_device{}()};
  std::exception_ptr failure_;
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  CondVar changed_;
  std::string connection_ GUARDED_BY(mutex_);
  bool confirms_ GUARDED_BY(mutex_) = false;  // the server waits for that
  std::deque<std::string> unconfirmed_ GUARDED_BY(mutex_);
  bool ending_ GUARDED_BY(mutex_) = false;
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
                 "Public address, such as http://HOST:PORT/my-sse (default: what the server says)")
      .type_name("URL");
  app.add_option("-u,--user", options->user, "User to be, with --auth demo").type_name("USER");
  app.add_option("--tenant", options->tenant, "Tenant to be of").type_name("TENANT");
  app.add_option("--token", options->token, "Access token to come with").type_name("TOKEN");
  app.add_option("--channel", options->channel, "Channel to join").type_name("CHANNEL");
  app.add_option("-e,--event", options->events, "Listen to this event, and show no other; repeatable")
      .type_name("NAME");
  app.add_option("-n,--count", options->count, "End after so many events")
      .type_name("N")
      .range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000});
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
