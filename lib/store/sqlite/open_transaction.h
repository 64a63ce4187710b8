#pragma once

#include <cstdint>
#include <vector>

#include "store/message_repository.h"
#include "store/outbox.h"

namespace sse::store {

/// What a transaction of the writer has changed so far, besides the rows of its tables.
struct OpenTransaction {
  /// The totals of the file. Also stored in the one row of `total`, so that opening the file counts nothing.
  struct Totals {
    std::uint64_t pairs = 0;
    std::uint64_t bytes = 0;
    std::uint64_t dead = 0;
    std::uint64_t dead_bytes = 0;
    std::uint64_t reports = 0;  ///< of the outbox; both are counted when the file is opened, and not stored
    std::uint64_t report_bytes = 0;

    friend bool operator==(const Totals&, const Totals&) = default;
  };

  Totals totals;  ///< including the changes of this transaction
  std::vector<Withdrawn> withdrawn;
  MadeReports made;
};

}  // namespace sse::store
