#include "cluster/core/node_number.h"

#include <random>

#include "base/checksum.h"
#include "base/error.h"
#include "cluster/core/discovery.h"

namespace sse::cluster {

unsigned pick_number(const std::string& id, const std::set<unsigned>& taken, unsigned attempt) {
  if (taken.size() >= kNodeNumbers) {
    throw Error(ErrorCode::kLimitExceeded,
                "all " + std::to_string(kNodeNumbers) + " node numbers of this cluster are taken");
  }
  unsigned number = attempt == 0 ? crc32(id) : std::random_device{}();
  number %= kNodeNumbers;
  while (taken.contains(number)) number = (number + 1) % kNodeNumbers;
  return number;
}

}  // namespace sse::cluster
