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

/// The immutable bytes of one encoded event, shared by every stream it goes to. Header and bytes are one allocation.
class Frame {
 public:
  /// Copies `bytes`. `message` and `recipient` say which pending message a confirmation of these bytes confirms; none
  /// for at-most-once events.
  static FrameRef make(std::string_view bytes, MessageId message = {}, TargetKind recipient = TargetKind::kAll);

  /// Another frame with the same bytes, which it shares, and references of its own: each thread that gives one event to
  /// very many streams counts in its own, instead of all contending for one counter.
  FrameRef alias() const;

  std::string_view bytes() const { return {bytes_, size_}; }
  std::size_t size() const { return size_; }
  MessageId message() const { return message_; }
  TargetKind recipient() const { return recipient_; }

 private:
  friend class FrameRef;
  Frame(const char* bytes, std::size_t size, MessageId message, TargetKind recipient, FrameRef origin)
      : bytes_(bytes),
        origin_(std::move(origin)),
        message_(message),
        size_(static_cast<std::uint32_t>(size)),
        recipient_(recipient) {}
  void retain() const { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() const;

  const char* bytes_;
  FrameRef origin_;  // of an alias: who owns the bytes
  MessageId message_;
  std::uint32_t size_;
  mutable std::atomic<std::uint32_t> references_{1};
  TargetKind recipient_;
};

inline FrameRef::FrameRef(const FrameRef& other) : frame_(other.frame_) {
  if (frame_ != nullptr) frame_->retain();
}
inline FrameRef::~FrameRef() {
  if (frame_ != nullptr) frame_->release();
}

}  // namespace sse::event
