#include "ssectl/load/event_reader.h"

#include "base/text.h"

namespace sse::load {

EventReader::Head EventReader::read_head(std::string_view& bytes) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t before = partial_.size();
  partial_ += bytes;
  const std::size_t end = partial_.find(kEnd);
  if (end == std::string::npos) {
    bytes = {};
    return head_;
  }
  bytes.remove_prefix(end + kEnd.size() - before);
  const bool good = partial_.starts_with("HTTP/1.1 200") || partial_.starts_with("HTTP/1.0 200");
  head_ = good ? Head::kGood : Head::kRefused;
  chunked_ = to_lower(partial_.substr(0, end)).find("\r\ntransfer-encoding: chunked") != std::string::npos;
  partial_.resize(good ? 0 : partial_.find('\r'));
  return head_;
}

std::optional<Mark> EventReader::mark_of(std::string_view line) {
  constexpr std::string_view kData = "data:";
  if (!line.starts_with(kData)) return std::nullopt;
  line.remove_prefix(kData.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  return read_mark(line);
}

}  // namespace sse::load
