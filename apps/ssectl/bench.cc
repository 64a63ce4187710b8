#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptors.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cells.h"
#include "command.h"
#include "input.h"
#include "load/poster.h"
#include "load/stream_clients.h"
#include "table.h"

namespace sse::ctl {
namespace {

using load::payload;

enum class To { kChannel, kEach, kRandom, kAll };

struct Options {
  std::size_t streams = 100;
  std::uint64_t events = 100;
  std::size_t size = 100;
  double rate = 0;
  std::uint64_t burst = 1;
  std::string to = "channel";
  bool qos = false;
  unsigned senders = 1;
  unsigned threads = 1;
  unsigned sources = 1;
  std::string url;
  std::string drain = "10s";
};

// Where streams are opened.
struct Place {
  std::string host;
  int port = 80;
  std::string path;
};

struct Sample {
  std::uint64_t cpu_micros = 0;
  std::uint64_t memory = 0;
};

struct Sent {
  std::uint64_t events = 0;
  std::uint64_t deliveries = 0;  // as the server counted them
  SteadyTime first{};
  double seconds = 0;
  std::string failure;
};

Sample sample(Context& context) {
  const api::Json status = context.client().status();
  return {count_in(status, "cpuMicros"), count_in(status, "memoryBytes")};
}

void require_descriptors(std::size_t streams) {
  constexpr std::size_t kOthers = 64;
  const std::size_t limit = raise_descriptor_limit();
  if (streams + kOthers <= limit) return;
  throw Error(ErrorCode::kInvalidArgument, std::to_string(streams) + " streams need " +
                                               std::to_string(streams + kOthers) +
                                               " descriptors, and this process may open " + std::to_string(limit) +
                                               "; raise the limit (ulimit -n) or take fewer --streams");
}

Place place_of(Context& context, const Options& options) {
  std::string url = options.url;
  if (url.empty()) {
    const api::Json status = context.client().status();
    url = text_cell(status, "listen");
    for (const api::Json& service : status.value("services", api::Json::array())) {
      if (context.service().empty() || text_cell(service, "name") == context.service().str()) {
        url += text_cell(service, "path");
        break;
      }
    }
  }
  Place place;
  constexpr std::string_view kScheme = "http://";
  const std::string rest = url.starts_with(kScheme) ? url.substr(kScheme.size()) : "";
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::size_t colon = std::min(rest.find(':'), slash);
  place.host = rest.substr(0, colon) == "localhost" ? "127.0.0.1" : rest.substr(0, colon);
  place.path = rest.substr(slash);
  if (colon < slash) std::from_chars(rest.data() + colon + 1, rest.data() + slash, place.port);
  if (place.host.empty() || place.path.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "'" + url + "' is no service; write --url http://127.0.0.1:8080/my-sse");
  }
  return place;
}

// Sends the events of one run, over `senders` connections that take turns at the schedule.
class SendRun {
 public:
  SendRun(const Options& options, To to, std::string address, std::string token, std::string service, std::string mark)
      : options_(options),
        to_(to),
        address_(std::move(address)),
        token_(std::move(token)),
        service_(std::move(service)),
        mark_(std::move(mark)) {}

  Sent run() {
    Sent sent;
    sent.first = steady_now();
    start_ = sent.first;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < options_.senders; ++i) threads.emplace_back([this, i] { work(i); });
    for (std::thread& thread : threads) thread.join();
    sent.seconds = std::chrono::duration<double>(steady_now() - start_).count();
    sent.events = done_.load();
    sent.deliveries = deliveries_.load();
    sent.failure = failure_;
    return sent;
  }
  std::uint64_t done() const { return done_.load(); }

 private:
  void work(unsigned number) {
    try {
      load::Poster poster(address_, "/api/v1/send", options_.burst > 1 ? "application/x-ndjson" : "application/json",
                          token_);
      std::mt19937_64 random(number);
      const std::uint64_t groups = (options_.events + options_.burst - 1) / options_.burst;
      // Each sender has streams of its own, so that sequence numbers stay in order on every stream.
      std::vector<std::uint64_t> sequences(options_.streams);
      for (std::uint64_t group = number; group < groups && !stop_.load(); group += options_.senders) {
        const SteadyTime intended = wait_for_turn(group);
        const std::uint64_t first = group * options_.burst;
        const std::uint64_t count = std::min(options_.burst, options_.events - first);
        std::string body;
        for (std::uint64_t i = first; i < first + count; ++i) {
          if (options_.burst > 1 && i != first) body += '\n';
          body += message(i, number, intended, random, sequences);
        }
        count_answer(poster.post(body));
        done_.fetch_add(count);
      }
    } catch (const Error& e) {
      const std::scoped_lock lock(mutex_);
      if (failure_.empty()) failure_ = e.what();
      stop_.store(true);
    }
  }

  // With a rate, latency counts from the moment an event was due, however late its turn came.
  SteadyTime wait_for_turn(std::uint64_t group) const {
    if (options_.rate <= 0) return steady_now();
    const double seconds = static_cast<double>(group * options_.burst) / options_.rate;
    const SteadyTime due = start_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                        std::chrono::duration<double>(seconds));
    std::this_thread::sleep_until(due);
    return due;
  }

  std::string message(std::uint64_t event, unsigned number, SteadyTime intended, std::mt19937_64& random,
                      std::vector<std::uint64_t>& sequences) const {
    std::string target;
    std::uint64_t sequence = event;
    if (to_ == To::kAll) {
      target = R"("all":true)";
    } else if (to_ == To::kChannel) {
      target = R"("channels":[")" + mark_ + R"("])";
    } else {
      const std::size_t mine = std::max<std::size_t>(1, options_.streams / options_.senders);
      const std::size_t pick = to_ == To::kRandom ? random() % mine : (event / options_.senders) % mine;
      const std::size_t stream = (number + pick * options_.senders) % options_.streams;
      sequence = sequences[stream]++;
      target = R"("users":[")" + mark_ + "-" + std::to_string(stream) + R"("])";
    }
    return R"({"target":{)" + target + R"(},"event":"bench")" +
           (service_.empty() ? "" : R"(,"service":)" + api::Json(service_).dump()) +
           (options_.qos ? R"(,"qos":true)" : "") + R"(,"data":")" + payload(intended, sequence, options_.size) +
           R"("})";
  }

  void count_answer(std::string_view answer) {
    constexpr std::string_view kField = "{\"delivered\":";
    for (std::size_t at = answer.find(kField); at != std::string_view::npos; at = answer.find(kField, at)) {
      at += kField.size();
      // The total stands before the recipients in every result; theirs have other fields after.
      std::uint64_t n = 0;
      const auto end = std::from_chars(answer.data() + at, answer.data() + answer.size(), n).ptr;
      if (std::string_view(end, static_cast<std::size_t>(answer.data() + answer.size() - end)).starts_with(",\"id\""))
        deliveries_.fetch_add(n);
    }
  }

  const Options& options_;
  const To to_;
  const std::string address_, token_, service_, mark_;
  SteadyTime start_{};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> deliveries_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::string failure_;
};

class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  ~Progress() { clear(); }

  void show(const char* what, std::uint64_t done, std::uint64_t all) {
    if (!shown_ || steady_now() < next_) return;
    next_ = steady_now() + std::chrono::milliseconds(100);
    constexpr int kCells = 30;
    const int full = all == 0 ? kCells : static_cast<int>(done * kCells / all);
    std::string bar(static_cast<std::size_t>(full), '#');
    bar.resize(kCells, '.');
    std::fprintf(stderr, "\r%-8s [%s] %llu/%llu ", what, bar.c_str(), static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(all));
    drawn_ = true;
  }
  void clear() {
    if (drawn_) std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }

 private:
  bool shown_;
  bool drawn_ = false;
  SteadyTime next_{};
};

double micros(std::chrono::nanoseconds value) {
  return static_cast<double>(value.count()) / 1000.0;
}

api::Json report(const Options& options, const load::OpenResult& opened, const Sent& sent,
                 const load::Received& received, const std::array<Sample, 4>& samples) {
  const double seconds = received.events == 0 ? 0 : std::chrono::duration<double>(received.last - sent.first).count();
  const auto per = [](double a, double b) { return b == 0 ? 0.0 : a / b; };
  api::Json latency = api::Json::object();
  for (const auto& [name, quantile] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
    latency[name] = micros(received.latency.quantile(quantile));
  }
  latency["max"] = micros(received.latency.max());
  const std::uint64_t expected = sent.deliveries;
  return {{"streams", opened.opened},
          {"failedStreams", opened.failed},
          {"streamsPerSecond", per(static_cast<double>(opened.opened), opened.seconds)},
          {"eventsSent", sent.events},
          {"sendsPerSecond", per(static_cast<double>(sent.events), sent.seconds)},
          {"deliveries", received.events},
          {"deliveriesPerSecond", per(static_cast<double>(received.events), seconds)},
          {"latencyMicros", latency},
          {"lost", expected > received.events ? expected - received.events : 0},
          {"duplicates", received.duplicates + (received.events > expected ? received.events - expected : 0)},
          {"orderViolations", received.out_of_order},
          {"streamsClosed", received.closed},
          {"serverCpuMicrosPerDelivery", per(static_cast<double>(samples[3].cpu_micros - samples[2].cpu_micros),
                                             static_cast<double>(received.events))},
          {"serverBytesPerStream", per(static_cast<double>(samples[1].memory) - static_cast<double>(samples[0].memory),
                                       static_cast<double>(opened.opened))},
          {"size", options.size},
          {"burst", options.burst},
          {"to", options.to},
          {"qos", options.qos}};
}

std::string number(double value) {
  std::array<char, 40> text{};
  const bool whole = value >= 100 || value == std::floor(value);
  std::snprintf(text.data(), text.size(), whole ? "%.0f" : "%.2f", value);
  return text.data();
}

std::string describe(const api::Json& r, const Look& look) {
  const auto num = [&](const char* name) { return number(r.at(name).get<double>()); };
  const auto ms = [&](const char* name) {
    return number(r.at("latencyMicros").at(name).get<double>() / 1000.0) + " ms";
  };
  const bool clean = r.at("lost") == 0 && r.at("orderViolations") == 0;
  return render_fields({{"streams", num("streams") + ", opened at " + num("streamsPerSecond") + "/s"},
                        {"sent", num("eventsSent") + " events at " + num("sendsPerSecond") + "/s"},
                        {"delivered", num("deliveries") + " at " + num("deliveriesPerSecond") + "/s"},
                        {"latency", "p50 " + ms("p50") + "  p90 " + ms("p90") + "  p99 " + ms("p99") + "  p99.9 " +
                                        ms("p999") + "  max " + ms("max")},
                        {"lost", num("lost"), clean ? Mood::kGood : Mood::kBad},
                        {"duplicates", num("duplicates")},
                        {"out of order", num("orderViolations")},
                        {"server cpu", num("serverCpuMicrosPerDelivery") + " µs a delivery"},
                        {"server memory", num("serverBytesPerStream") + " bytes a stream"}},
                       look);
}

int run(const Options& options, Context& context) {
  const std::chrono::milliseconds drain = duration_option("--drain", options.drain);
  require_descriptors(options.streams);
  const To to = options.to == "all"      ? To::kAll
                : options.to == "each"   ? To::kEach
                : options.to == "random" ? To::kRandom
                                         : To::kChannel;
  const std::string mark = "bench-" + std::to_string(getpid());
  const Place place = place_of(context, options);

  load::ClientOptions clients;
  clients.host = place.host;
  clients.port = place.port;
  clients.streams = options.streams;
  clients.threads = options.threads;
  clients.sources = options.sources;
  clients.request = [&place, mark](std::size_t n) {
    const std::string who = mark + "-" + std::to_string(n);
    return "GET " + place.path + "/connect?userId=" + who + "&clientId=" + who + "&channel=" + mark +
           "&listeners=bench&keepaliveTime=0 HTTP/1.1\r\nHost: " + place.host + "\r\nAccept: text/event-stream\r\n\r\n";
  };
  load::StreamClients streams(clients);
  Progress progress(context.out().for_people() && isatty(2) == 1);
  std::array<Sample, 4> samples;
  samples[0] = sample(context);
  const load::OpenResult opened = streams.open([&](std::size_t n) { progress.show("opening", n, options.streams); });
  samples[1] = sample(context);
  if (opened.opened == 0) {
    throw Error(ErrorCode::kUnavailable, "cannot open streams at " + place.host + ":" + std::to_string(place.port) +
                                             place.path + ": " + opened.first_error);
  }

  SendRun sends(options, to, context.address(), context.token(), context.service().str(), mark);
  samples[2] = sample(context);
  std::atomic<bool> sending{true};
  std::thread watcher([&] {
    while (sending.load()) {
      progress.show("sending", sends.done(), options.events);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  Sent sent = sends.run();
  sending.store(false);
  watcher.join();
  const bool all = streams.wait_events(sent.deliveries, drain);
  samples[3] = samples[2];
  try {
    samples[3] = sample(context);
  } catch (const Error& e) {
    if (sent.failure.empty()) sent.failure = e.what();
  }
  progress.clear();
  const load::Received received = streams.finish();
  const api::Json result = report(options, opened, sent, received, samples);
  Output& out = context.out();
  if (out.for_people()) {
    out.write(describe(result, out.look()));
  } else {
    out.document(result);
  }
  if (opened.failed != 0) out.note(plural(opened.failed, "stream") + " could not be opened: " + opened.first_error);
  if (!sent.failure.empty()) out.note("the run was cut short: " + sent.failure);
  return all && opened.failed == 0 && sent.failure.empty() && result.at("lost") == 0 ? kDone : kFailed;
}

}  // namespace

Run declare_bench(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--streams", options->streams, "Streams to open")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000).description(""));
  app.add_option("--events", options->events, "Events to send")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1ULL, 1'000'000'000ULL).description(""));
  app.add_option("--size", options->size, "Bytes of data in each")
      ->type_name("BYTES")
      ->capture_default_str()
      ->check(CLI::Range(1, 16 * 1024 * 1024).description(""));
  app.add_option("--rate", options->rate, "Events a second; 0: as fast as they are accepted")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber.description(""));
  app.add_option("--burst", options->burst, "Events sent in one bulk call")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000).description(""));
  app.add_option("--to", options->to,
                 "channel: each event to all streams; each: to one after the other; random: to any one; all: to "
                 "everybody on the server, others too")
      ->type_name("WHOM")
      ->capture_default_str()
      ->check(CLI::IsMember({"channel", "each", "random", "all"}).description(""));
  app.add_flag("-q,--qos", options->qos, "At least once: every send is committed first");
  app.add_option("--senders", options->senders, "Connections that send")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000).description(""));
  app.add_option("--threads", options->threads, "Threads that read the streams")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 64).description(""));
  app.add_option("--sources", options->sources, "Addresses 127.0.0.x to connect from; more than 1 on this machine only")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 200).description(""));
  app.add_option("--url", options->url, "The service; default: where the server says it is")->type_name("URL");
  app.add_option("--drain", options->drain, "How long to wait for what is under way at the end")
      ->type_name("DURATION")
      ->capture_default_str();
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
