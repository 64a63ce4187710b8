#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/text.h"
#include "ssectl/bench/options.h"
#include "ssectl/bench/place.h"
#include "ssectl/bench/plan.h"
#include "ssectl/bench/report.h"
#include "ssectl/bench/sending.h"
#include "ssectl/commands/command.h"
#include "ssectl/context/service_path.h"
#include "ssectl/input/values.h"
#include "ssectl/load/stream_clients.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/progress.h"

namespace sse::ctl {
namespace {

constexpr const char* kInterrupted = "interrupted";

// The first 1/kWarmUp of the streams is opened before the others.
constexpr std::size_t kWarmUp = 10;

std::atomic<bool> interrupted{false};  // atomic: threads other than the signalled one read it
static_assert(std::atomic<bool>::is_always_lock_free);

bench::Place place_of(Context& context, const bench::Options& options) {
  if (!options.url.empty()) return bench::parse_place(options.url, context.address());
  const api::Json status = context.client().status();
  const std::string path = service_path(status, context.service()).value_or("");
  return bench::parse_place(text_cell(status, "listen") + path, context.address());
}

// Replaces {user} in a --header value with the user of a stream.
std::string with_user(std::string header, const std::string& user) {
  constexpr std::string_view kUser = "{user}";
  if (const std::size_t at = header.find(kUser); at != std::string::npos) header.replace(at, kUser.size(), user);
  return header + "\r\n";
}

class Bench {
 public:
  Bench(const bench::Options& options, Context& context)
      : options_(options), context_(context), place_(place_of(context, options)) {}

  int run() {
    open();
    if (result_.stopped.empty()) send();
    progress_.clear();
    result_.received = streams_->take();
    const api::Json report = bench::report_of(options_, result_);
    context_.out().result(report, bench::describe);
    note();
    return bench::is_clean(report) ? kDone : kFailed;
  }

 private:
  load::ClientOptions clients() {
    load::ClientOptions clients{load::Peer(place_.host, place_.port)};
    if (options_.sources > 1 && !clients.peer.is_loopback()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "--sources are loopback addresses of this machine, but " + place_.host + " is not a loopback host");
    }
    clients.streams = options_.streams;
    clients.threads = options_.threads;
    clients.sources = options_.sources;
    clients.request = [this](std::size_t n) {
      const std::string user = bench::Plan::user(mark_, n);
      std::string request = "GET " + place_.path + "/connect?userId=" + user + "&clientId=" + user +
                            "&channel=" + bench::Plan::channel(mark_) +
                            "&listeners=bench&keepaliveTime=0 HTTP/1.1\r\nHost: " + place_.authority() +
                            "\r\nAccept: text/event-stream\r\n";
      for (const std::string& header : options_.headers) request += with_user(header, user);
      return request + "\r\n";
    };
    return clients;
  }

  // Opens a first tenth separately, so that memory is measured from a server that has warmed up.
  void open() {
    streams_ = std::make_unique<load::StreamClients>(clients());
    const auto progress = [this](std::size_t n) {
      progress_.show("opening", n, options_.streams);
      return !interrupted;
    };
    double seconds = 0;
    if (options_.streams >= kWarmUp) {
      seconds = streams_->open(options_.streams / kWarmUp, progress).seconds;
      result_.warm = sample();
    }
    result_.opened = streams_->open(options_.streams, progress);
    result_.opened.seconds += seconds;
    result_.full = sample();
    if (interrupted) result_.stopped = kInterrupted;
    if (result_.opened.opened == 0 && !interrupted) {
      progress_.clear();
      throw Error(ErrorCode::kUnavailable, "cannot open streams at http://" + place_.authority() + place_.path + ": " +
                                               result_.opened.first_error);
    }
  }

  void send() {
    const bench::Plan plan(options_, mark_, context_.service().str(), streams_->opened());
    result_.receivers = plan.receivers();
    bench::Sending sending(plan, options_, context_.address(), context_.token());
    result_.before = sample();
    std::atomic<bool> over{false};
    std::thread watcher([&] {
      while (!over.load()) {
        progress_.show("sending", sending.done(), options_.events);
        if (interrupted) sending.stop(kInterrupted);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    result_.sent = sending.run();
    over.store(true);
    watcher.join();
    if (result_.stopped.empty()) result_.stopped = result_.sent.failure;
    const std::uint64_t expected = result_.sent.accepted * result_.receivers;
    // When sending fails, requests in flight may still have been delivered: count all events that arrive.
    const bool broke = !result_.sent.failure.empty();
    const std::chrono::milliseconds drain = duration_option("--drain", options_.drain);
    const auto timeout = broke ? std::min(drain, std::chrono::milliseconds(1000)) : drain;
    streams_->wait_events(broke ? UINT64_MAX : expected, timeout, [&] {
      progress_.show("receiving", streams_->counters().events.load(), expected);
      return !interrupted;
    });
    result_.after = sample();
  }

  // nullopt if the server no longer answers: the measurements so far remain useful.
  std::optional<bench::ServerSample> sample() {
    try {
      const api::Json status = context_.client().status();
      return bench::ServerSample{count_in(status, "cpuMicros"), count_in(status, "memoryBytes"),
                                 streams_->counters().open_now.load()};
    } catch (const Error& e) {
      if (result_.stopped.empty()) result_.stopped = e.what();
      return std::nullopt;
    }
  }

  void note() {
    Output& out = context_.out();
    if (result_.opened.failed != 0) {
      out.note(plural(result_.opened.failed, "stream") + " could not be opened: " + result_.opened.first_error);
    }
    if (result_.received.closed != 0) out.note(plural(result_.received.closed, "stream") + " ended before the run did");
    if (!result_.sent.refusal.empty()) out.note("the server refused events: " + result_.sent.refusal);
    if (!result_.stopped.empty()) out.note("the run was cut short, these are partial results: " + result_.stopped);
  }

  const bench::Options& options_;
  Context& context_;
  const bench::Place place_;
  const std::string mark_ = "bench-" + std::to_string(getpid());
  Progress progress_;
  bench::Result result_;
  std::unique_ptr<load::StreamClients> streams_;
};

int run(const bench::Options& options, Context& context) {
  bench::check(options);
  bench::require_descriptors(options, raise_descriptor_limit());
  // The first Ctrl-C ends the run and reports its results so far; a second one kills the program.
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return Bench(options, context).run();
}

}  // namespace

Run declare_bench(cli::App& app) {
  auto options = std::make_shared<bench::Options>();
  const auto count = [&app](const char* name, auto& value, const char* help, std::int64_t min, std::int64_t max) {
    app.add_option(name, value, help).type_name("N").show_default().range(min, max);
  };
  count("--streams", options->streams, "Streams to open", 1, 1'000'000);
  count("--events", options->events, "Events to send", 1, 1'000'000'000);
  app.add_option("--size", options->size, "Bytes of data in each event, at least 40")
      .type_name("BYTES")
      .show_default()
      .range(1, 16 * 1024 * 1024);
  app.add_option("--rate", options->rate, "Events a second; 0: as fast as they are accepted")
      .type_name("N")
      .show_default();
  count("--burst", options->burst, "Events sent in one bulk call", 1, 100'000);
  app.add_option("--to", options->to,
                 "channel: each event to all streams of the run; each: to its streams in turn; random: to one of them; "
                 "all: to all streams of the server")
      .type_name("WHOM")
      .show_default()
      .one_of({"channel", "each", "random", "all"});
  app.add_flag("-q,--qos", options->qos, "At least once: every send is committed first");
  count("--senders", options->senders, "Connections that send", 1, 1000);
  count("--threads", options->threads, "Threads that read the streams", 1, 64);
  count("--sources", options->sources, "Addresses 127.0.0.x to connect from, for a server on this machine", 1, 200);
  app.add_option("--url", options->url, "The service (default: as the server reports)").type_name("URL");
  app.add_option("--header", options->headers,
                 "Header for opening a stream, where {user} becomes the stream's user; repeatable")
      .type_name("'NAME: VALUE'");
  app.add_option("--drain", options->drain, "At the end, wait until no event arrives for this long")
      .type_name("DURATION")
      .show_default();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
