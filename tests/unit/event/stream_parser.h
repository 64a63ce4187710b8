#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sse::event {

/// What a browser dispatches.
struct Dispatched {
  std::string type;
  std::string data;
  std::string last_event_id;

  friend bool operator==(const Dispatched&, const Dispatched&) = default;
};

/// "Interpreting an event stream", WHATWG HTML 9.2.6, step by step. Written from the standard alone: what our encoder
/// is judged by.
class StreamParser {
 public:
  /// The events of a whole stream; an unfinished one at the end is discarded, as the standard says.
  std::vector<Dispatched> parse(std::string_view stream) {
    if (stream.starts_with("\xEF\xBB\xBF")) stream.remove_prefix(3);
    while (!stream.empty()) {
      const std::size_t end = stream.find_first_of("\r\n");
      if (end == std::string_view::npos) break;
      line(stream.substr(0, end));
      const bool crlf = stream.substr(end, 2) == "\r\n";
      stream.remove_prefix(end + (crlf ? 2 : 1));
    }
    return std::move(events_);
  }

  const std::optional<std::string>& retry() const { return retry_; }
  /// What the browser would come back with.
  const std::string& last_event_id() const { return last_event_id_; }

 private:
  void line(std::string_view text) {
    if (text.empty()) return dispatch();
    const std::size_t colon = text.find(':');
    if (colon == 0) return;
    if (colon == std::string_view::npos) return field(text, "");
    std::string_view value = text.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    field(text.substr(0, colon), value);
  }

  void field(std::string_view name, std::string_view value) {
    if (name == "event") type_ = value;
    if (name == "data") data_ += std::string(value) + '\n';
    if (name == "id" && value.find('\0') == std::string_view::npos) id_ = value;
    if (name == "retry" && !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos) {
      retry_ = value;
    }
  }

  void dispatch() {
    last_event_id_ = id_;
    if (!data_.empty()) {
      data_.pop_back();
      events_.push_back({type_.empty() ? "message" : type_, data_, last_event_id_});
    }
    data_.clear();
    type_.clear();
  }

  std::vector<Dispatched> events_;
  std::string data_;
  std::string type_;
  std::string id_;
  std::string last_event_id_;
  std::optional<std::string> retry_;
};

}  // namespace sse::event
