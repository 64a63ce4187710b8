#include "event/frame.h"

#include <cstring>
#include <new>

namespace sse::event {

FrameRef Frame::make(std::string_view bytes, MessageId message, TargetKind recipient) {
  void* memory = ::operator new(sizeof(Frame) + bytes.size());
  Frame* frame = new (memory) Frame(bytes.size(), message, recipient);
  if (!bytes.empty()) std::memcpy(static_cast<void*>(frame + 1), bytes.data(), bytes.size());
  return FrameRef(frame);
}

void Frame::release() const {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~Frame();
  ::operator delete(const_cast<Frame*>(this));
}

}  // namespace sse::event
