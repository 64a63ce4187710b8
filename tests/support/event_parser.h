#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sse::testing {

/// An event as a browser would dispatch it.
struct ReceivedEvent {
  std::string type;
  std::string data;
  std::string id;  ///< the last event id

  friend bool operator==(const ReceivedEvent&, const ReceivedEvent&) = default;
};

/// An incremental parser of event streams ("Interpreting an event stream", WHATWG HTML 9.2.6). Implemented from the
/// standard, independently of the server.
class EventParser {
 public:
  template <class Dispatch>
  void feed(std::string_view bytes, Dispatch dispatch) {
    while (!bytes.empty()) {
      if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
      after_cr_ = false;
      const std::size_t end = bytes.find_first_of("\r\n");
      line_.append(bytes.substr(0, end));
      if (end == std::string_view::npos) return;
      after_cr_ = bytes[end] == '\r';
      bytes.remove_prefix(end + 1);
      if (first_line_ && line_.starts_with("\xEF\xBB\xBF")) line_.erase(0, 3);
      first_line_ = false;
      take_line(dispatch);
      line_.clear();
    }
  }

  /// The last event id, with which the browser would reconnect.
  const std::string& last_id() const { return last_id_; }
  /// Comment lines received so far.
  std::size_t comments() const { return comments_; }
  /// The last reconnection time received, in milliseconds; -1 for none.
  long retry() const { return retry_; }

 private:
  template <class Dispatch>
  void take_line(Dispatch& dispatch) {
    const std::string_view line = line_;
    if (line.empty()) {
      last_id_ = id_;
      if (has_data_) {
        data_.pop_back();
        dispatch(ReceivedEvent{type_.empty() ? "message" : type_, data_, last_id_});
      }
      data_.clear();
      has_data_ = false;
      type_.clear();
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == 0) {
      ++comments_;
      return;
    }
    const std::string_view name = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "event") type_ = value;
    if (name == "data") {
      data_.append(value) += '\n';
      has_data_ = true;
    }
    if (name == "retry" && !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos)
      retry_ = std::stol(std::string(value));
    if (name == "id" && value.find('\0') == std::string_view::npos) id_ = value;
  }

  std::string line_;
  std::string data_;
  std::string type_;
  std::string id_;
  std::string last_id_;
  std::size_t comments_ = 0;
  long retry_ = -1;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
};

/// The events of a whole stream. Discards an unfinished one at the end, as the standard says. `last_id`, if given: the
/// last event id with which the browser would reconnect.
inline std::vector<ReceivedEvent> parse_events(std::string_view stream, std::string* last_id = nullptr) {
  std::vector<ReceivedEvent> events;
  EventParser parser;
  parser.feed(stream, [&](ReceivedEvent event) { events.push_back(std::move(event)); });
  if (last_id != nullptr) *last_id = parser.last_id();
  return events;
}

inline std::vector<std::string> data_of(const std::vector<ReceivedEvent>& events) {
  std::vector<std::string> all;
  for (const ReceivedEvent& event : events) all.push_back(event.data);
  return all;
}

}  // namespace sse::testing
