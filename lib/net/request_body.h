#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "net/byte_budget.h"
#include "net/request_head.h"
#include "net/spool.h"
#include "net/upload_spooler.h"

namespace sse::net {

/// The body of one request while it arrives: in memory at first, and from RequestPlan::max_in_memory on in a file. What
/// it takes is reserved from the budgets of its UploadSpooler before it is taken. One thread at a time.
class RequestBody {
 public:
  enum class Progress : unsigned char {
    kIncomplete,
    kComplete,
    kMustBeWritten,  ///< what has been received must go to disk before more is received and before a complete one is
                     ///< used
    kMalformed,
    kTooLarge,     ///< a chunked body exceeds the plan's limit
    kMemoryIsFull  ///< the budget for memory is exhausted
  };

  RequestBody() = default;
  ~RequestBody() { release(); }
  RequestBody(const RequestBody&) = delete;
  RequestBody& operator=(const RequestBody&) = delete;

  /// Begins the body of a request. `spooler` must outlive the body. REQUIRES: the last one was released.
  void begin(const RequestHead& head, const RequestPlan& plan, UploadSpooler& spooler);
  /// Whether `input`, the bytes after the head, holds the whole body. Of a chunked body that is unknown: false.
  bool is_whole_in(const std::string& input) const { return !decoder_ && input.size() >= missing_; }
  /// Removes what belongs to the body from the front of `input`.
  Progress receive(std::string& input);
  bool complete() const { return missing_ == 0; }
  /// How many more bytes make the body go to disk; SIZE_MAX when it never does.
  std::size_t left_in_memory() const;

  /// Reserves disk space, and a file when there is none yet, for what has been received. False when a limit is reached.
  bool reserve_disk();
  /// Appends what has been received to the file in `folder` and forgets it. Returns the problem, or nothing. May block.
  std::string write_received(const std::string& folder);
  /// After write_received(): what has been received needs no memory any more.
  void release_memory() { memory_.release(); }

  bool on_disk() const { return spool_ != nullptr; }
  /// The file of a body on disk, and its length. REQUIRES: on_disk().
  int file() const { return spool_->fd(); }
  std::uint64_t file_size() const { return spool_->size(); }
  /// Reserves memory for a body on disk that is going to be read as a whole. False when there is not enough now.
  bool reserve_memory_of_file();
  /// Whether so much memory exists at all.
  bool file_fits_into_memory() const;

  /// The bytes in memory: of a complete body that is not on disk, all of them.
  const std::string& bytes() const { return bytes_; }
  void drop_bytes() { std::string().swap(bytes_); }

  /// Returns memory and disk space. Any thread that owns the request.
  void release();

 private:
  std::string bytes_;  // of a body on disk, those that are not yet written
  std::unique_ptr<Spool> spool_;
  ByteBudget::Share memory_;
  ByteBudget::Share disk_;
  std::unique_ptr<ChunkedDecoder> decoder_;
  UploadSpooler* spooler_ = nullptr;
  // Bytes that have not been received. Of a chunked body that is unknown: 1 until the last chunk has been decoded.
  std::uint64_t missing_ = 0;
  std::size_t max_in_memory_ = 0;
};

}  // namespace sse::net
