// Whole nodes, simulated: what a seed says is done to them, and everything they promise is looked at. The same seed is
// the same run, to the byte. SSE_MODEL_SEED asks for other seeds (scripts/test fixes it), SSE_MODEL_ROUNDS for more of
// them, SSE_SIMULATION_STEPS for longer ones; SSE_SIMULATION_KEEP=3,7,… runs only those operations of a single seed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "unit/simulation/run.h"

namespace sse::simulation {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

constexpr std::uint64_t kRounds = 100;
constexpr std::uint64_t kSteps = 160;

std::string list_of(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const std::size_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

void report(const Scenario& scenario, const Outcome& outcome, const std::vector<std::size_t>& kept) {
  FAIL() << outcome.failure << "\n"
         << "again: SSE_MODEL_SEED=" << scenario.seed
         << " SSE_MODEL_ROUNDS=1 SSE_SIMULATION_STEPS=" << scenario.operations.size()
         << " SSE_SIMULATION_KEEP=" << list_of(kept) << "\n"
         << scenario.describe() << "\n"
         << outcome.log;
}

TEST(Simulation, KeepsWhatItPromises) {
  const std::uint64_t first = number_from("SSE_MODEL_SEED", std::random_device{}());
  const std::uint64_t rounds = number_from("SSE_MODEL_ROUNDS", kRounds);
  const std::uint64_t steps = number_from("SSE_SIMULATION_STEPS", kSteps);
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    const Scenario scenario = make_scenario(seed, steps);
    if (const char* keep = std::getenv("SSE_SIMULATION_KEEP")) {
      std::vector<std::size_t> kept;
      std::istringstream numbers(keep);
      for (std::string one; std::getline(numbers, one, ',');) kept.push_back(std::strtoull(one.c_str(), nullptr, 10));
      const Outcome outcome = run(scenario, kept);
      if (!outcome.failure.empty()) report(scenario, outcome, kept);
      return;
    }
    const Outcome outcome = run(scenario);
    if (outcome.failure.empty()) continue;
    const std::vector<std::size_t> kept =
        minimise(scenario, outcome.failure, number_from("SSE_SIMULATION_MINIMISE", 200));
    const Outcome smaller = run(scenario, kept);
    if (smaller.failure.empty()) std::cout << "the same seed passes when it runs again\n";
    report(scenario, smaller.failure.empty() ? outcome : smaller, kept);
    return;
  }
  std::cout << rounds << " rounds of " << steps << " steps from SSE_MODEL_SEED=" << first << "\n";
}

TEST(Simulation, IsTheSameToTheByteForOneSeed) {
  const std::uint64_t first = number_from("SSE_MODEL_SEED", std::random_device{}());
  for (std::uint64_t seed = first; seed < first + 4; ++seed) {
    const Scenario scenario = make_scenario(seed, kSteps);
    const Outcome one = run(scenario);
    const Outcome other = run(scenario);
    ASSERT_GT(one.log.size(), 1000U);
    ASSERT_EQ(one.log, other.log) << "SSE_MODEL_SEED=" << seed;
  }
}

}  // namespace
}  // namespace sse::simulation
