#include "hub/replay_session.h"

#include <algorithm>
#include <utility>

namespace sse::hub {

ReplaySession::ReplaySession(std::vector<MessageId> overdue)
    : cursor_(overdue.front().value() - 1), overdue_(std::move(overdue)) {}

bool ReplaySession::is_overdue(MessageId message) const {
  return std::ranges::binary_search(overdue_, message);
}

void ReplaySession::add_listeners(const std::vector<std::string>& events) {
  new_listeners_.insert(new_listeners_.end(), events.begin(), events.end());
}

void ReplaySession::drop_listeners(const std::vector<std::string>& events) {
  std::erase_if(new_listeners_, [&](const std::string& one) { return std::ranges::find(events, one) != events.end(); });
}

void ReplaySession::add_channels(const std::vector<std::string>& channels, bool keeps_cursor) {
  new_channels_.insert(new_channels_.end(), channels.begin(), channels.end());
  keeps_cursor_ = keeps_cursor;
}

bool ReplaySession::next_pass(MessageId seen_through) {
  overdue_.clear();
  only_channels_.clear();
  catching_up_.reset();
  if (!new_listeners_.empty()) {
    only_events_ = std::exchange(new_listeners_, {});
    cursor_ = MessageId();
    return true;
  }
  only_events_.clear();
  if (!new_channels_.empty() || !catch_ups_.empty()) {
    only_channels_ = std::exchange(new_channels_, {});
    if (only_channels_.empty()) {
      // One after the other: each has a position of its own.
      catching_up_ = std::move(catch_ups_.front());
      catch_ups_.pop_front();
      only_channels_ = {catching_up_->channel};
      keeps_cursor_ = true;
    }
    cursor_ = MessageId();
    // The stream has got none of them before it joined.
    catch_up_.take_all_from_store();
    return true;
  }
  cursor_ = seen_through;
  if (!again_) return false;
  catch_up_.take_all_from_store();
  again_ = false;
  return true;
}

void ReplaySession::cover(MessageId message) {
  const auto place = std::lower_bound(covered_.begin(), covered_.end(), message);
  if (place == covered_.end() || *place != message) covered_.insert(place, message);
}

bool ReplaySession::covers(MessageId message) const {
  return std::ranges::binary_search(covered_, message);
}

ReplaySession::Held ReplaySession::hold(const event::FrameRef& frame, std::size_t size, std::uint64_t max_bytes) {
  const bool message = frame->message().valid();
  const bool fits = held_bytes_ + size <= max_bytes;
  // With positions to keep, no message overtakes one that was left to the store.
  if (message && (!fits || (resumes() && again_))) {
    again_ = true;
    return Held::kLeftToStore;
  }
  if (!message && overflows(size, max_bytes)) return Held::kOverflow;
  held_bytes_ += size;
  held_.push_back(frame);
  return Held::kHeld;
}

std::vector<event::FrameRef> ReplaySession::take_held() {
  held_bytes_ = 0;
  return std::exchange(held_, {});
}

const std::vector<event::FrameRef>& ReplaySession::begin_page(std::vector<event::FrameRef> page, MessageId through,
                                                              bool last) {
  // With retained events the pass ends when these do, too; what is then also live is dropped by the stream.
  if (!catching_up_ && catch_up_.arrives_live(through)) {
    std::erase_if(page, [&](const event::FrameRef& frame) { return catch_up_.arrives_live(frame->message()); });
    through = page.empty() ? cursor_ : page.back()->message();
    last = true;
  }
  const bool without_ids = keeps_cursor_ && !only_channels_.empty();
  page_ = without_ids ? std::move(page) : catch_up_.merge(std::move(page), last);
  next_in_page_ = 0;
  last_page_ = last;
  cursor_ = std::max(cursor_, through);
  return page_;
}

std::vector<MessageId> ReplaySession::withdrawn(const std::vector<event::FrameRef>& page, MessageId through,
                                                bool last) const {
  std::vector<MessageId> stored;
  for (const event::FrameRef& frame : page) stored.push_back(frame->message());
  std::ranges::sort(stored);
  std::vector<MessageId> gone;
  for (auto late = std::ranges::upper_bound(overdue_, cursor_); late != overdue_.end(); ++late) {
    if (*late > through && !last) break;
    if (!std::ranges::binary_search(stored, *late)) gone.push_back(*late);
  }
  return gone;
}

ReplaySession::Output::State ReplaySession::write_page(Output& out) {
  using State = Output::State;
  const auto flush = [&] {
    const State state = out.flush();
    waits_ = state == State::kBacklog;
    return state;
  };
  waits_ = false;
  while (next_in_page_ < page_.size()) {
    const event::FrameRef& frame = page_[next_in_page_];
    if (!out.fits(*frame)) {
      if (const State state = flush(); state != State::kEmpty) return state;
    }
    if (!out.append(frame)) return State::kClosed;
    ++next_in_page_;
  }
  page_.clear();
  next_in_page_ = 0;
  return flush();
}

}  // namespace sse::hub
