#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sse::event {

/// Decodes a chunked body (RFC 9112 §7.1) as it arrives, however it is split, without copying. For clients that read
/// streams. Extensions and trailers are dropped. One thread at a time.
class ChunkReader {
 public:
  /// Calls `take(std::string_view)` with the parts of the body in `bytes`, in order; bytes after the end of the body,
  /// or after an error, are dropped.
  template <class Take>
  void feed(std::string_view bytes, Take take) {
    while (!bytes.empty()) {
      if (state_ == State::kData) {
        const std::string_view part =
            bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
        bytes.remove_prefix(part.size());
        left_ -= part.size();
        if (left_ == 0) state_ = State::kDataCr;
        take(part);
      } else {
        if (state_ == State::kComplete || state_ == State::kBad) return;
        step(bytes.front());
        bytes.remove_prefix(1);
      }
    }
  }

  /// True when the last chunk was read, so that the body is complete.
  bool complete() const { return state_ == State::kComplete; }
  bool bad() const { return state_ == State::kBad; }

 private:
  enum class State : unsigned char {
    kSize,  // before its first digit
    kDigits,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,  // at the start of a line
    kTrailerLine,
    kEndLf,
    kComplete,
    kBad
  };

  static int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  }

  void expect(char c, char wanted, State next) { state_ = c == wanted ? next : State::kBad; }

  void step(char c) {
    switch (state_) {
      case State::kSize:
      case State::kDigits:
        if (const int value = digit(c); value >= 0) {
          left_ = left_ * 16 + static_cast<std::uint64_t>(value);
          state_ = left_ > kMaxChunk ? State::kBad : State::kDigits;
        } else if (state_ == State::kSize) {
          state_ = State::kBad;
        } else if (c == ';') {
          state_ = State::kExtension;
        } else {
          expect(c, '\r', State::kSizeLf);
        }
        break;
      case State::kExtension:
        if (c == '\r') state_ = State::kSizeLf;
        break;
      case State::kSizeLf:
        expect(c, '\n', left_ == 0 ? State::kTrailer : State::kData);
        break;
      case State::kDataCr:
        expect(c, '\r', State::kDataLf);
        break;
      case State::kDataLf:
        expect(c, '\n', State::kSize);
        break;
      case State::kTrailer:
        state_ = c == '\r' ? State::kEndLf : State::kTrailerLine;
        break;
      case State::kTrailerLine:
        if (c == '\n') state_ = State::kTrailer;
        break;
      case State::kEndLf:
        expect(c, '\n', State::kComplete);
        break;
      case State::kData:
      case State::kComplete:
      case State::kBad:
        break;
    }
  }

  static constexpr std::uint64_t kMaxChunk = std::uint64_t{1} << 40;

  std::uint64_t left_ = 0;  // bytes left in the chunk
  State state_ = State::kSize;
};

}  // namespace sse::event
