#include "soak/watch.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

namespace sse::soak {
namespace {

using testing::Json;

// The value of a label; a counter's key is `name{label="value",…}`.
std::string label(const std::string& series, const std::string& name) {
  const std::string key = name + "=\"";
  const std::size_t at = series.find(key);
  if (at == std::string::npos) return "";
  return series.substr(at + key.size(), series.find('"', at + key.size()) - at - key.size());
}

std::uint64_t median(std::vector<std::uint64_t> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// The medians of the middle and of the last third of a run; the first third is the warm-up.
template <class Field>
std::pair<std::uint64_t, std::uint64_t> middle_and_end(const std::vector<IdleSample>& calms, Field field) {
  const std::size_t third = calms.size() / 3;
  std::vector<std::uint64_t> middle;
  std::vector<std::uint64_t> end;
  for (std::size_t i = third; i < calms.size(); ++i) (i < 2 * third ? middle : end).push_back(calms[i].*field);
  return {median(middle), median(end)};
}

}  // namespace

std::uint64_t IdleSample::closed_in_all() const {
  std::uint64_t sum = 0;
  for (const auto& [reason, count] : closed) sum += count;
  return sum;
}

IdleSample look(Servers& servers) {
  IdleSample calm;
  for (std::size_t node = 0; node < servers.size(); ++node) {
    const testing::HttpResponse response = servers.admin(node).get("/api/v1/status");
    if (response.status != 200) throw std::runtime_error("the server returned no status");
    const Json status = response.json();
    calm.open += status.at("connections").get<std::uint64_t>();
    calm.memory += status.at("memoryBytes").get<std::uint64_t>();
    calm.threads += status.at("threads").get<std::uint64_t>();
    calm.pending = std::max(calm.pending, status.at("pending").get<std::uint64_t>());
    for (const auto& [series, value] : status.at("counters").items()) {
      if (series.starts_with("sse_streams_opened_total")) calm.opened += value.get<std::uint64_t>();
      if (series.starts_with("sse_streams_closed_total"))
        calm.closed[label(series, "reason")] += value.get<std::uint64_t>();
    }
    const std::filesystem::directory_iterator descriptors("/proc/" + std::to_string(servers.pid(node)) + "/fd");
    calm.descriptors += static_cast<std::uint64_t>(std::distance(begin(descriptors), end(descriptors)));
  }
  return calm;
}

std::vector<std::string> find_problems(const std::vector<IdleSample>& calms, std::size_t servers,
                                       std::uint64_t filling) {
  std::vector<std::string> wrong;
  if (calms.size() < 6) return {"only " + std::to_string(calms.size()) + " calm moments: too short a run to judge"};
  for (const IdleSample& calm : calms) {
    if (calm.opened == calm.open + calm.closed_in_all()) continue;
    wrong.push_back("counters do not add up: " + std::to_string(calm.opened) + " streams opened, " +
                    std::to_string(calm.open) + " open and " + std::to_string(calm.closed_in_all()) + " closed");
    break;
  }
  for (const char* reason :
       {"client-closed", "connection-lost", "disconnect", "slow-consumer", "keepalive", "replaced", "server-closed"}) {
    const auto found = calms.back().closed.find(reason);
    if (found == calms.back().closed.end() || found->second == 0)
      wrong.push_back(std::string("no stream was closed with the reason ") + reason);
  }
  // Free memory in the allocator varies by a few hundred kilobytes, and the log of activity events fills up.
  const std::uint64_t memory_noise = servers * (std::uint64_t{2} * 1024 * 1024 + filling);
  constexpr std::uint64_t kDescriptorNoise = 8;
  const auto memory = middle_and_end(calms, &IdleSample::memory);
  if (memory.second > memory.first + memory.first / 20 + memory_noise) {
    wrong.push_back("memory grew from " + std::to_string(memory.first) + " to " + std::to_string(memory.second) +
                    " bytes");
  }
  const auto descriptors = middle_and_end(calms, &IdleSample::descriptors);
  if (descriptors.second > descriptors.first + kDescriptorNoise) {
    wrong.push_back("descriptors grew from " + std::to_string(descriptors.first) + " to " +
                    std::to_string(descriptors.second));
  }
  return wrong;
}

}  // namespace sse::soak
