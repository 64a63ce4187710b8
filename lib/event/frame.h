#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "event/target.h"

namespace sse::event {

class Frame;

/// Shared ownership of a Frame; one pointer wide, because a backlog is made of these. Thread safe like shared_ptr.
class FrameRef {
 public:
  FrameRef() = default;
  FrameRef(const FrameRef& other);
  FrameRef(FrameRef&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FrameRef();

  const Frame& operator*() const { return *frame_; }
  const Frame* operator->() const { return frame_; }
  explicit operator bool() const { return frame_ != nullptr; }

 private:
  friend class Frame;
  explicit FrameRef(const Frame* adopted) : frame_(adopted) {}

  const Frame* frame_ = nullptr;
};

/// The immutable bytes of one encoded event, shared by every stream it goes to. There are two views of them: plain, for
/// streams that end with their connection, and as one chunk (RFC 9112 §7.1), for streams with `Transfer-Encoding:
/// chunked`. Both are in the event's one allocation: the headers of the two views, the chunk's head, the event, CRLF.
class Frame {
 public:
  /// Copies `bytes`; returns the plain view. `message` and `recipient` say which pending message a confirmation of
  /// these bytes confirms; none for at-most-once events.
  static FrameRef make(std::string_view bytes, MessageId message = {}, TargetKind recipient = TargetKind::kAll);
  /// Bytes that are the same in both views: what frames the body itself, like a response head.
  static FrameRef make_unframed(std::string_view bytes);

  /// Another frame with the same bytes, which it shares, and references of its own: each thread that gives one event to
  /// very many streams counts in its own, instead of all contending for one counter. REQUIRES: this is a plain view.
  FrameRef alias() const;

  /// The view that a stream writes. REQUIRES: this is a plain view.
  const Frame& view(bool chunked) const { return this[chunked ? 1 : 0]; }
  /// Shared ownership of a view, for a caller that owns a reference to the plain one.
  static FrameRef share(const Frame& view);
  /// The plain view of the same event.
  const Frame& plain() const { return this[chunk_ ? -1 : 0]; }

  std::string_view bytes() const { return {bytes_, size_}; }
  std::size_t size() const { return size_; }
  /// What the event takes in memory. REQUIRES: this is a plain view, and no alias.
  std::size_t memory_bytes() const { return 2 * sizeof(Frame) + view(true).size(); }
  MessageId message() const { return message_; }
  TargetKind recipient() const { return recipient_; }

 private:
  friend class FrameRef;
  friend const FrameRef& last_chunk();
  Frame(const char* bytes, std::size_t size, MessageId message, TargetKind recipient, bool chunk, const Frame* origin)
      : bytes_(bytes),
        origin_(origin),
        message_(message),
        size_(static_cast<std::uint32_t>(size)),
        references_(chunk ? 0 : 1),
        recipient_(recipient),
        chunk_(chunk) {}
  static FrameRef make(std::string_view before, std::string_view bytes, std::string_view behind, MessageId message,
                       TargetKind recipient);
  void retain() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const;

  const char* bytes_;
  FrameRef origin_;  // of an alias: who owns the bytes
  MessageId message_;
  std::uint32_t size_;
  // The chunk's: while it is not 0 they hold one of the plain view's, which alone owns the allocation.
  mutable std::atomic<std::uint32_t> references_;
  TargetKind recipient_;
  bool chunk_;
};

/// The last chunk: the end of a chunked body, so that the client knows that it is complete. Empty in the plain view.
const FrameRef& last_chunk();

/// How many bytes an event of `bytes` is on a stream.
std::size_t size_on_stream(std::size_t bytes, bool chunked);

inline FrameRef::FrameRef(const FrameRef& other) : frame_(other.frame_) {
  if (frame_ != nullptr) frame_->retain();
}
inline FrameRef::~FrameRef() {
  if (frame_ != nullptr) frame_->release();
}

// The two headers are neighbours: the chunk's follows the plain one.
inline FrameRef Frame::share(const Frame& view) {
  if (view.references_.fetch_add(1, std::memory_order_relaxed) == 0) (&view - 1)->retain();
  return FrameRef(&view);
}

}  // namespace sse::event
