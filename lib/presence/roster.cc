#include "presence/roster.h"

#include <utility>

namespace sse::presence {

void Roster::joined(const MemberId& id, std::string profile) {
  const auto [entry, is_new] = members_.try_emplace(id);
  Entry& member = entry->second;
  if (member.streams++ == 0 && !is_new) leaving_.erase({member.gone, id});
  const bool changed = is_new || (!profile.empty() && profile != member.profile);
  if (!changed) return;
  member.profile = std::move(profile);
  if (!listed_) return;
  // One that has left since the last update has not gone at all.
  if (is_new && left_.erase(id) != 0) member.known = true;
  joined_.insert(id);
}

void Roster::left(const MemberId& id, SteadyTime gone) {
  const auto entry = members_.find(id);
  if (entry == members_.end() || entry->second.streams == 0 || --entry->second.streams != 0) return;
  entry->second.gone = gone;
  leaving_.emplace(gone, id);
  if (leaving_.size() > kMaxLeaving) expire(leaving_.begin()->first);
}

void Roster::expire(SteadyTime now) {
  while (!leaving_.empty() && leaving_.begin()->first <= now) {
    const auto gone = leaving_.extract(leaving_.begin());
    const MemberId& id = gone.value().second;
    const auto entry = members_.find(id);
    if (listed_) {
      joined_.erase(id);
      if (entry->second.known) left_.insert(id);
    }
    members_.erase(entry);
  }
}

std::optional<SteadyTime> Roster::next_expiry() const {
  if (leaving_.empty()) return std::nullopt;
  return leaving_.begin()->first;
}

bool Roster::counts_only() const {
  return members_.size() > (listed_ ? max_listed_ : max_listed_ * kBackToListsPercent / 100);
}

RosterUpdate Roster::all() const {
  RosterUpdate update{.all = true};
  if (!listed_ || counts_only()) {
    update.count = members_.size();
    return update;
  }
  for (const auto& [id, entry] : members_) update.joined.push_back({id, entry.profile});
  return update;
}

RosterUpdate Roster::take_update() {
  const bool lists = !counts_only();
  RosterUpdate update;
  if (!lists) {
    if (listed_ || counted_ != members_.size()) update.count = members_.size();
    update.all = listed_;
    counted_ = members_.size();
  } else if (!listed_) {
    update.all = true;
    for (auto& [id, entry] : members_) {
      update.joined.push_back({id, entry.profile});
      entry.known = true;
    }
  } else {
    for (const MemberId& id : joined_) {
      Entry& entry = members_.at(id);
      update.joined.push_back({id, entry.profile});
      entry.known = true;
    }
    update.left.assign(left_.begin(), left_.end());
  }
  listed_ = lists;
  joined_.clear();
  left_.clear();
  return update;
}

}  // namespace sse::presence
