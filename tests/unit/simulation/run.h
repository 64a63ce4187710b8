#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "unit/simulation/node.h"

namespace sse::simulation {

/// One thing that is done to the nodes, or by a client. Its numbers pick among what there is at that moment.
struct Operation {
  enum class Kind : unsigned char {
    kSend,
    kConnect,
    kDisconnect,
    kConfirm,
    kFalseConfirm,
    kListen,
    kChannels,
    kPause,
    kTime,
    kErase,
    kRetry,
    kRequeue,
    kNetwork,
    kRegistry,
    kStoreFault,
    kJump,
    kStop,
    kKill,
    kRestart,
    kSendAway,
    kProbe,
  };

  Kind kind = Kind::kTime;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  std::uint64_t d = 0;
};

/// What a seed stands for.
struct Scenario {
  std::uint64_t seed = 0;
  Setting setting;
  std::uint64_t preempt = 0;
  bool network_faults = false;
  bool store_faults = false;
  bool kills = false;
  bool jumps = false;
  std::vector<Operation> operations;

  std::string describe() const;
};
Scenario make_scenario(std::uint64_t seed, std::size_t operations);

/// How a run ended. `log`: the same, to the byte, whenever the same operations are run again.
struct Outcome {
  std::string failure;  ///< empty: everything held
  std::string log;
};

/// In this process, which must have no other thread and must end with _exit() soon: see World. Of the operations those
/// that `kept` names.
Outcome run_here(const Scenario& scenario, const std::vector<std::size_t>& kept);
/// In a process of its own.
Outcome run(const Scenario& scenario, const std::vector<std::size_t>& kept);
Outcome run(const Scenario& scenario);
/// Numbers of the operations that are left when those are taken out without which it still fails in the same way.
std::vector<std::size_t> minimise(const Scenario& scenario, const std::string& failure, std::size_t max_runs);

}  // namespace sse::simulation
