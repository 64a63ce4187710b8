#include "event/frame.h"

#include <cstring>
#include <new>

namespace sse::event {

FrameRef Frame::make(std::string_view bytes, MessageId message, TargetKind recipient) {
  void* memory = ::operator new(sizeof(Frame) + bytes.size());
  char* copy = static_cast<char*>(memory) + sizeof(Frame);
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  return FrameRef(new (memory) Frame(copy, bytes.size(), message, recipient, FrameRef()));
}

FrameRef Frame::alias() const {
  retain();
  void* memory = ::operator new(sizeof(Frame));
  return FrameRef(new (memory) Frame(bytes_, size_, message_, recipient_, FrameRef(this)));
}

void Frame::release() const {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  this->~Frame();
  ::operator delete(const_cast<Frame*>(this));
}

}  // namespace sse::event
