#include "event/frame.h"

#include <array>
#include <charconv>
#include <cstring>
#include <new>

namespace sse::event {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// The size line of a chunk: hexadecimal digits and CRLF.
struct ChunkHead {
  explicit ChunkHead(std::size_t size) {
    char* end = std::to_chars(text.data(), text.data() + text.size() - kLineEnd.size(), size, 16).ptr;
    std::memcpy(end, kLineEnd.data(), kLineEnd.size());
    length = static_cast<std::size_t>(end - text.data()) + kLineEnd.size();
  }
  std::string_view view() const { return {text.data(), length}; }

  std::array<char, 2 * sizeof(std::size_t) + kLineEnd.size()> text;
  std::size_t length;
};

}  // namespace

FrameRef Frame::make(std::string_view bytes, MessageId message, TargetKind recipient, std::string_view channel) {
  // A chunk of size 0 would be the last chunk.
  if (bytes.empty()) return make({}, bytes, {}, message, recipient, channel);
  return make(ChunkHead(bytes.size()).view(), bytes, kLineEnd, message, recipient, channel);
}

FrameRef Frame::make_unframed(std::string_view bytes) {
  return make({}, bytes, {}, MessageId(), TargetKind::kAll);
}

FrameRef Frame::make(std::string_view before, std::string_view bytes, std::string_view behind, MessageId message,
                     TargetKind recipient, std::string_view channel) {
  const std::size_t size = before.size() + bytes.size() + behind.size();
  void* memory = ::operator new(2 * sizeof(Frame) + size + channel.size());
  char* const chunk = static_cast<char*>(memory) + 2 * sizeof(Frame);
  char* end = chunk;
  for (const std::string_view part : {before, bytes, behind, channel}) {
    if (!part.empty()) std::memcpy(end, part.data(), part.size());
    end += part.size();
  }
  auto* const plain =
      new (memory) Frame(chunk + before.size(), bytes.size(), message, recipient, false, nullptr, channel.size());
  new (plain + 1) Frame(chunk, size, message, recipient, true, nullptr);
  return FrameRef(plain);
}

FrameRef Frame::alias() const {
  return alias(has_own_channel_ ? channel() : std::string_view(), recipient_);
}

FrameRef Frame::for_channel(std::string_view channel) const {
  return alias(channel, recipient_);
}

FrameRef Frame::alias(std::string_view own_channel, TargetKind recipient) const {
  retain();
  void* memory = ::operator new(2 * sizeof(Frame) + own_channel.size());
  const bool has_own = !own_channel.empty();
  auto* const plain =
      new (memory) Frame(bytes_, size_, message_, recipient, false, this, has_own ? own_channel.size() : channel_size_);
  const Frame& chunk = view(true);
  Frame* const other = new (plain + 1) Frame(chunk.bytes_, chunk.size_, message_, recipient, true, nullptr);
  plain->has_own_channel_ = has_own;
  if (has_own) std::memcpy(static_cast<void*>(other + 1), own_channel.data(), own_channel.size());
  return FrameRef(plain);
}

void Frame::release() const {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (chunk_) {
    (this - 1)->release();
    return;
  }
  view(true).~Frame();
  this->~Frame();
  ::operator delete(const_cast<Frame*>(this));
}

const FrameRef& last_chunk() {
  static const FrameRef last = Frame::make("0\r\n\r\n", {}, {}, MessageId(), TargetKind::kAll);
  return last;
}

std::size_t size_on_stream(std::size_t bytes, bool chunked) {
  if (!chunked || bytes == 0) return bytes;
  return ChunkHead(bytes).view().size() + bytes + kLineEnd.size();
}

}  // namespace sse::event
