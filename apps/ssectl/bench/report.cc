#include "ssectl/bench/report.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

namespace sse::ctl::bench {
namespace {

using event::Json;

double per(double a, double b) {
  return b == 0 ? 0.0 : a / b;
}

Json latencies(const load::Histogram& latency) {
  if (latency.count() == 0) return nullptr;
  const auto micros = [](std::chrono::nanoseconds value) { return static_cast<double>(value.count()) / 1000.0; };
  Json json = Json::object();
  for (const auto& [name, quantile] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}}) {
    json[name] = micros(latency.quantile(quantile));
  }
  json["max"] = micros(latency.max());
  return json;
}

Json cpu_per_delivery(const Result& result) {
  if (!result.before || !result.after || result.received.events == 0) return nullptr;
  return static_cast<double>(result.after->cpu_micros - result.before->cpu_micros) /
         static_cast<double>(result.received.events);
}

// Counts only the streams opened after the warm-up: what a server allocates once does not belong to a stream.
Json bytes_per_stream(const Result& result) {
  if (!result.warm || !result.full || result.full->streams <= result.warm->streams) return nullptr;
  return (static_cast<double>(result.full->memory) - static_cast<double>(result.warm->memory)) /
         static_cast<double>(result.full->streams - result.warm->streams);
}

std::string number(double value) {
  std::array<char, 40> text{};
  const bool whole = std::abs(value) >= 100 || value == std::floor(value);
  std::snprintf(text.data(), text.size(), whole ? "%.0f" : "%.2f", value);
  return text.data();
}

}  // namespace

Json report_of(const Options& options, const Result& result) {
  const load::Received& received = result.received;
  const double seconds =
      received.events == 0 ? 0 : std::chrono::duration<double>(received.last - result.sent.first).count();
  const std::uint64_t expected = result.sent.accepted * result.receivers;
  const std::uint64_t arrived = received.events - received.duplicates;
  return {{"streams", result.opened.opened},
          {"failedStreams", result.opened.failed},
          {"firstStreamError", result.opened.first_error},
          {"streamsPerSecond", per(static_cast<double>(result.opened.opened), result.opened.seconds)},
          {"streamsClosed", received.closed},
          {"eventsSent", result.sent.events},
          {"eventsRefused", result.sent.events - result.sent.accepted},
          {"firstRefusal", result.sent.refusal},
          {"sendsPerSecond", per(static_cast<double>(result.sent.events), result.sent.seconds)},
          {"deliveries", received.events},
          {"deliveriesByServer", result.sent.delivered},
          {"deliveriesPerSecond", per(static_cast<double>(received.events), seconds)},
          {"latencyMicros", latencies(received.latency)},
          // An event can arrive although the response to its send was lost, so `arrived` may exceed `expected`.
          {"lost", expected > arrived ? expected - arrived : 0},
          {"duplicates", received.duplicates},
          {"orderViolations", received.late},
          {"serverCpuMicrosPerDelivery", cpu_per_delivery(result)},
          {"serverBytesPerStream", bytes_per_stream(result)},
          {"complete", result.stopped.empty()},
          {"stopped", result.stopped},
          {"size", options.size},
          {"rate", options.rate},
          {"burst", options.burst},
          {"senders", options.senders},
          {"to", options.to},
          {"qos", options.qos}};
}

bool is_clean(const Json& report) {
  return report.at("complete") == true && report.at("failedStreams") == 0 && report.at("streamsClosed") == 0 &&
         report.at("eventsRefused") == 0 && report.at("lost") == 0 && report.at("orderViolations") == 0 &&
         (report.at("duplicates") == 0 || report.at("qos") == true);
}

std::string describe(const Json& report, const TableStyle& style) {
  const auto value = [&](const char* name) {
    const Json& found = report.at(name);
    return found.is_null() ? std::string("unknown") : number(found.get<double>());
  };
  const auto cell_style = [&](const char* name) { return report.at(name) == 0 ? CellStyle::kGood : CellStyle::kBad; };
  const auto unless_zero = [&](const char* name) { return report.at(name) == 0 ? "" : value(name); };
  std::string latency;
  if (const Json& times = report.at("latencyMicros"); times.is_object()) {
    for (const auto& [label, name] :
         {std::pair{"p50 ", "p50"}, {"  p90 ", "p90"}, {"  p99 ", "p99"}, {"  p99.9 ", "p999"}, {"  max ", "max"}}) {
      latency += label + number(times.at(name).get<double>() / 1000.0) + " ms";
    }
  }
  const auto with_unit = [&](const char* name, const char* unit) {
    return report.at(name).is_null() ? std::string("unknown") : value(name) + unit;
  };
  return render_fields(
      {{"streams", value("streams") + ", opened at " + value("streamsPerSecond") + "/s"},
       {"not opened", unless_zero("failedStreams"), CellStyle::kBad},
       {"closed", unless_zero("streamsClosed"), CellStyle::kBad},
       {"sent", value("eventsSent") + " events at " + value("sendsPerSecond") + "/s"},
       {"refused", unless_zero("eventsRefused"), CellStyle::kBad},
       {"delivered", value("deliveries") + " at " + value("deliveriesPerSecond") + "/s"},
       {"latency", latency},
       {"lost", value("lost"), cell_style("lost")},
       {"duplicates", value("duplicates"), report.at("qos") == true ? CellStyle::kPlain : cell_style("duplicates")},
       {"out of order", value("orderViolations"), cell_style("orderViolations")},
       {"server cpu", with_unit("serverCpuMicrosPerDelivery", " µs a delivery")},
       {"server memory", with_unit("serverBytesPerStream", " bytes a stream")}},
      style);
}

}  // namespace sse::ctl::bench
