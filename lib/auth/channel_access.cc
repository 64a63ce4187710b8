#include "auth/channel_access.h"

#include <utility>

namespace sse::auth {
namespace {

using Who = ChannelRule::Who;

ChannelAnswer answer_about(const ChannelName& channel, const Identity& who, const std::vector<ChannelPattern>& granted,
                           const ChannelRules& rules) {
  for (const ChannelPattern& pattern : granted) {
    if (pattern.matches(channel.str(), who))
      return {channel, ChannelRight::kAllowed, ChannelBasis::kCredentials, pattern.text()};
  }
  const ChannelRule* rule = rules.find(channel.str(), who);
  if (rule == nullptr) return {channel};
  return {channel, rule->who == Who::kHook ? ChannelRight::kApplication : ChannelRight::kAllowed, ChannelBasis::kRule,
          rule->text};
}

}  // namespace

ChannelAccess::ChannelAccess(bool demo, const std::vector<std::string>& rules) : demo_(demo) {
  set_rules(rules);
}

void ChannelAccess::set_rules(const std::vector<std::string>& rules) {
  auto fresh = std::make_shared<Snapshot>();
  fresh->rules = ChannelRules::parse(rules);
  fresh->open = demo_ && fresh->rules.empty();
  const MutexLock lock(mutex_);
  fresh->version = current_ == nullptr ? 0 : current_->version + 1;
  current_ = std::move(fresh);
}

std::shared_ptr<const ChannelAccess::Snapshot> ChannelAccess::snapshot() const {
  const MutexLock lock(mutex_);
  return current_;
}

ChannelAccess::Answers ChannelAccess::ask(const User& user, const std::vector<ChannelName>& channels) const {
  const std::shared_ptr<const Snapshot> now = snapshot();
  Answers answers;
  answers.version = now->version;
  const std::vector<ChannelPattern> granted =
      now->open || channels.empty() ? std::vector<ChannelPattern>() : patterns_of(user.channels);
  for (const ChannelName& channel : channels) {
    answers.list.push_back(now->open ? ChannelAnswer{channel, ChannelRight::kAllowed, ChannelBasis::kOpen}
                                     : answer_about(channel, user.identity, granted, now->rules));
  }
  return answers;
}

std::shared_ptr<const hub::ChannelReview> ChannelAccess::review() const {
  const std::shared_ptr<const Snapshot> now = snapshot();
  return std::make_shared<const hub::ChannelReview>(
      hub::ChannelReview{now->version, [now](const Identity& who, std::string_view channel, hub::ChannelSource source) {
                           if (now->open) return true;
                           const ChannelRule* rule = now->rules.find(channel, who);
                           if (rule == nullptr) return false;
                           // The application was not asked about a stream that joined without it.
                           return rule->who != Who::kHook || source == hub::ChannelSource::kHookRule;
                         }});
}

bool ChannelAccess::closed() const {
  const std::shared_ptr<const Snapshot> now = snapshot();
  return !now->open && now->rules.empty();
}

}  // namespace sse::auth
