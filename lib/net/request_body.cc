#include "net/request_body.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "net/front_options.h"
#include "observe/barrier.h"

namespace sse::net {

void RequestBody::begin(const RequestHead& head, const RequestPlan& plan, UploadSpooler& spooler) {
  bytes_.clear();
  spooler_ = &spooler;
  memory_ = ByteBudget::Share(spooler.memory());
  disk_ = ByteBudget::Share(spooler.disk());
  missing_ = head.content_length;
  max_in_memory_ = plan.max_in_memory.count();
  if (head.framing == BodyFraming::kChunked) {
    decoder_ = std::make_unique<ChunkedDecoder>(plan.max_body.count());
    missing_ = 1;
  }
}

RequestBody::Progress RequestBody::receive(std::string& input) {
  if (decoder_) {
    const ChunkedDecoder::Status status = decoder_->feed(input, bytes_);
    if (status == ChunkedDecoder::Status::kBad) return Progress::kMalformed;
    if (status == ChunkedDecoder::Status::kTooLarge) return Progress::kTooLarge;
    if (status == ChunkedDecoder::Status::kComplete) missing_ = 0;
  } else {
    const std::size_t n = std::min<std::uint64_t>(missing_, input.size());
    bytes_.append(input, 0, n);
    input.erase(0, n);
    missing_ -= n;
  }
  if (!memory_.raise_to(bytes_.size())) return Progress::kMemoryIsFull;
  const bool last_piece = complete() && on_disk() && !bytes_.empty();
  if (spooler_->enabled() && (bytes_.size() > max_in_memory_ || last_piece)) return Progress::kMustBeWritten;
  return complete() ? Progress::kComplete : Progress::kIncomplete;
}

std::size_t RequestBody::left_in_memory() const {
  if (!spooler_->enabled()) return std::numeric_limits<std::size_t>::max();
  return max_in_memory_ + 1 - std::min(bytes_.size(), max_in_memory_);
}

bool RequestBody::reserve_disk() {
  const std::uint64_t written = on_disk() ? file_size() : 0;
  if (!on_disk()) {
    if (!spooler_->take_place()) return false;
    spool_ = std::make_unique<Spool>();
  }
  return disk_.raise_to(std::max(written + bytes_.size(), kMinBytesOnDisk));
}

std::string RequestBody::write_received(const std::string& folder) {
  std::string problem;
  try {
    spool_->append(bytes_, folder);
  } catch (const Error& e) {
    problem = e.what();
  } catch (...) {
    observe::note_exception("a body on its way to disk");
    problem = "the body could not be written; the server's log says why";
  }
  bytes_.clear();
  return problem;
}

bool RequestBody::reserve_memory_of_file() {
  drop_bytes();
  return memory_.raise_to(file_size());
}

bool RequestBody::file_fits_into_memory() const {
  return spooler_->memory() == nullptr || file_size() <= spooler_->memory()->limit();
}

void RequestBody::release() {
  decoder_.reset();
  if (spool_) {
    spool_.reset();
    spooler_->return_place();
  }
  drop_bytes();
  memory_.release();
  disk_.release();
}

}  // namespace sse::net
