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

/// Shared ownership of a Frame. One pointer wide, because a backlog consists of these. Thread safe like shared_ptr.
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

/// The immutable bytes of one encoded event, shared by every stream that sends it. A frame has two views: plain, for
/// streams that end with their connection, and as one chunk (RFC 9112 §7.1), for streams with `Transfer-Encoding:
/// chunked`. Both are in one allocation: the two Frame objects, the chunk's head, the event, CRLF,
/// the name of the channel.
class Frame {
 public:
  /// Copies `bytes`; returns the plain view. `message` and `recipient` identify the pending message that an
  /// acknowledgement of these bytes confirms; none for at-most-once events. `channel`: through which the event reaches
  /// its streams, of at most kMaxNameBytes; empty: through none, or through each of several names of the target.
  static FrameRef make(std::string_view bytes, MessageId message = {}, TargetKind recipient = TargetKind::kAll,
                       std::string_view channel = {});
  /// Bytes that are the same in both views because they are outside of the body, such as a response head.
  static FrameRef make_unframed(std::string_view bytes);

  /// Another frame that shares the bytes, but has its own reference counter: each thread that sends one event to very
  /// many streams uses its own, without contention for one counter. REQUIRES: this is a plain view.
  FrameRef alias() const;
  /// An alias for the streams that get the event through this channel. REQUIRES: as alias().
  FrameRef for_channel(std::string_view channel) const;
  /// An alias for the streams of another kind of recipient. REQUIRES: as alias(), and no channel.
  FrameRef for_recipient(TargetKind recipient) const { return alias({}, recipient); }

  /// The view that a stream writes. REQUIRES: this is a plain view.
  const Frame& view(bool chunked) const { return this[chunked ? 1 : 0]; }
  /// Shared ownership of a view, for a caller that owns a reference to the plain one.
  static FrameRef share(const Frame& view);
  /// The plain view of the same event.
  const Frame& plain() const { return this[chunk_ ? -1 : 0]; }

  std::string_view bytes() const { return {bytes_, size_}; }
  std::size_t size() const { return size_; }
  /// The memory of the event in bytes. REQUIRES: this is a plain view, and no alias.
  std::size_t memory_bytes() const { return 2 * sizeof(Frame) + view(true).size() + channel_size_; }
  MessageId message() const { return message_; }
  TargetKind recipient() const { return recipient_; }
  /// REQUIRES: this is a plain view.
  std::string_view channel() const {
    const Frame& chunk = view(true);
    return {has_own_channel_ ? reinterpret_cast<const char*>(&chunk + 1) : chunk.bytes_ + chunk.size_, channel_size_};
  }

 private:
  friend class FrameRef;
  friend const FrameRef& last_chunk();
  Frame(const char* bytes, std::size_t size, MessageId message, TargetKind recipient, bool chunk, const Frame* origin,
        std::size_t channel_size = 0)
      : bytes_(bytes),
        origin_(origin),
        message_(message),
        size_(static_cast<std::uint32_t>(size)),
        references_(chunk ? 0 : 1),
        channel_size_(static_cast<std::uint16_t>(channel_size)),
        recipient_(recipient),
        chunk_(chunk) {}
  static FrameRef make(std::string_view before, std::string_view bytes, std::string_view behind, MessageId message,
                       TargetKind recipient, std::string_view channel = {});
  FrameRef alias(std::string_view own_channel, TargetKind recipient) const;
  void retain() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const;

  const char* bytes_;
  FrameRef origin_;  // of an alias: the owner of the bytes
  MessageId message_;
  std::uint32_t size_;
  // The chunk view's counter: while it is not 0, it holds one reference to the plain view, which owns the allocation.
  mutable std::atomic<std::uint32_t> references_;
  // Of the plain view. Its text follows the last byte of the chunk, or, of an alias with a channel of its own, the two
  // Frame objects.
  std::uint16_t channel_size_;
  TargetKind recipient_;
  bool chunk_;
  bool has_own_channel_ = false;
};
static_assert(kMaxNameBytes <= UINT16_MAX);

/// The last chunk, which ends a chunked body and shows the client that it is complete. Empty in the plain view.
const FrameRef& last_chunk();

/// The size on the wire of an event of `bytes` bytes.
std::size_t size_on_stream(std::size_t bytes, bool chunked);

inline FrameRef::FrameRef(const FrameRef& other) : frame_(other.frame_) {
  if (frame_ != nullptr) frame_->retain();
}
inline FrameRef::~FrameRef() {
  if (frame_ != nullptr) frame_->release();
}

// The two Frame objects are adjacent: the chunk view follows the plain view.
inline FrameRef Frame::share(const Frame& view) {
  if (view.references_.fetch_add(1, std::memory_order_relaxed) == 0) (&view - 1)->retain();
  return FrameRef(&view);
}

}  // namespace sse::event
