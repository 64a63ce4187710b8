#include "ssectl/bench/plan.h"

#include <algorithm>
#include <utility>

#include "event/json.h"
#include "ssectl/load/mark.h"

namespace sse::ctl::bench {
namespace {

// A short TTL, so that a run that is cut short does not leave messages behind for days.
constexpr const char* kQos = R"(,"qos":true,"ttl":"10m")";

// SplitMix64: https://prng.di.unimi.it/splitmix64.c
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = state += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

Plan::Plan(const Options& options, std::string mark, const std::string& service, std::vector<std::size_t> streams)
    : options_(options),
      mark_(std::move(mark)),
      streams_(std::move(streams)),
      single_recipient_(options.to == "each" || options.to == "random") {
  target_ = options.to == "all" ? R"("all":true)" : R"("channels":[")" + channel(mark_) + R"("])";
  middle_ = R"(},"event":"bench")";
  if (!service.empty()) middle_ += R"(,"service":)" + event::Json(service).dump();
  if (options.qos) middle_ += kQos;
  middle_ += R"(,"data":")";
}

std::uint64_t Plan::size_of(std::uint64_t group) const {
  return std::min(options_.burst, options_.events - group * options_.burst);
}

std::chrono::nanoseconds Plan::due(std::uint64_t group) const {
  if (options_.rate <= 0) return {};
  const std::chrono::duration<double> seconds(static_cast<double>(group * options_.burst) / options_.rate);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(seconds);
}

Sender::Sender(const Plan& plan, unsigned number) : plan_(plan), number_(number), random_(number) {
  if (plan.single_recipient_) {
    const unsigned senders = plan.options_.senders;
    for (std::size_t i = number; i < plan.streams_.size(); i += senders) own_streams_.push_back(plan.streams_[i]);
    // Fewer streams than senders were opened: share a stream rather than send nothing.
    if (own_streams_.empty()) own_streams_.push_back(plan.streams_[number % plan.streams_.size()]);
  }
  sequences_.resize(std::max<std::size_t>(1, own_streams_.size()));
}

const std::string& Sender::group(std::uint64_t group, SteadyTime intended) {
  body_.clear();
  const std::uint64_t count = plan_.size_of(group);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i != 0) body_ += '\n';
    add_message(intended);
  }
  return body_;
}

void Sender::add_message(SteadyTime intended) {
  std::size_t pick = 0;
  if (plan_.single_recipient_)
    pick = (plan_.options_.to == "random" ? next_random(random_) : sent_) % own_streams_.size();
  ++sent_;
  body_ += R"({"target":{)";
  if (plan_.single_recipient_) {
    body_.append(R"("users":[")").append(Plan::user(plan_.mark_, own_streams_[pick])).append(R"("])");
  } else {
    body_ += plan_.target_;
  }
  body_.append(plan_.middle_)
      .append(load::payload({intended, number_, sequences_[pick]++}, plan_.options_.size))
      .append(R"("})");
}

}  // namespace sse::ctl::bench
