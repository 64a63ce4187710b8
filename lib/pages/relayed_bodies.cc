#include "pages/relayed_bodies.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace sse::pages {
namespace {

constexpr std::size_t kMaxName = 300;

}  // namespace

RelayedBodies::Transfer& RelayedBodies::open(const cluster::BodyCommand& piece) {
  const auto found = transfers_.find(piece.transfer);
  if (found != transfers_.end()) return found->second;
  if (piece.transfer.empty() || piece.transfer.size() > kMaxName || piece.offset != 0)
    throw Error(ErrorCode::kInvalidArgument, "the request body does not begin with its first piece");
  if (piece.total > options_.max_body.count()) {
    throw Error(ErrorCode::kTooLarge, "the node of that connection accepts request bodies of at most " +
                                          format_bytes(options_.max_body) + " (" + options_.max_body_option + ")");
  }
  if (transfers_.size() >= options_.max_bodies)
    throw Error(ErrorCode::kLimitExceeded,
                "the node of that connection receives its maximum number of request bodies; try again later");
  Transfer new_transfer;
  new_transfer.total = piece.total;
  new_transfer.body->disk = net::ByteBudget::Share(options_.disk);
  if (!new_transfer.body->disk.raise_to(std::max(piece.total, net::kMinBytesOnDisk))) {
    throw Error(ErrorCode::kLimitExceeded,
                "the node of that connection has reached its limit of request bodies on "
                "disk (" +
                    options_.disk->option() + "); try again later");
  }
  return transfers_.emplace(piece.transfer, std::move(new_transfer)).first->second;
}

void RelayedBodies::append(const cluster::BodyCommand& piece) {
  Transfer* transfer = nullptr;
  {
    const MutexLock lock(mutex_);
    sweep_locked();
    transfer = &open(piece);
    if (transfer->busy) throw Error(ErrorCode::kInvalidArgument, "two pieces of a request body arrived at once");
    transfer->busy = true;
  }
  // No other thread accesses a busy transfer or its entry.
  try {
    const std::uint64_t size = transfer->body->spool.size();
    if (piece.offset != size || piece.total != transfer->total || piece.bytes.empty() ||
        piece.bytes.size() > transfer->total - size)
      throw Error(ErrorCode::kInvalidArgument, "a piece of the request body does not follow the previous one");
    transfer->body->spool.append(piece.bytes, options_.folder);
  } catch (...) {
    const MutexLock lock(mutex_);
    transfers_.erase(piece.transfer);
    throw;
  }
  const MutexLock lock(mutex_);
  transfer->busy = false;
  transfer->last_piece = options_.clock->steady_now();
}

std::unique_ptr<RelayedBodies::Body> RelayedBodies::take(const std::string& transfer) {
  const MutexLock lock(mutex_);
  const auto found = transfers_.find(transfer);
  if (found == transfers_.end() || found->second.busy || found->second.body->spool.size() != found->second.total) {
    throw Error(ErrorCode::kUnavailable,
                "the request body did not arrive completely at the node of that connection; try again");
  }
  std::unique_ptr<Body> body = std::move(found->second.body);
  transfers_.erase(found);
  return body;
}

void RelayedBodies::sweep() {
  const MutexLock lock(mutex_);
  sweep_locked();
}

void RelayedBodies::sweep_locked() {
  const SteadyTime now = options_.clock->steady_now();
  std::erase_if(transfers_,
                [&](const auto& entry) { return !entry.second.busy && now - entry.second.last_piece > options_.idle; });
}

}  // namespace sse::pages
