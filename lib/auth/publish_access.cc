#include "auth/publish_access.h"

#include <utility>

#include "auth/channel_pattern.h"

namespace sse::auth {
namespace {

PublishRight right_by(ChannelRule::Who who) {
  switch (who) {
    case ChannelRule::Who::kHook:
      return PublishRight::kApplication;
    case ChannelRule::Who::kSubscriber:
      return PublishRight::kSubscriber;
    case ChannelRule::Who::kAnyone:
    case ChannelRule::Who::kSelf:
      break;
  }
  return PublishRight::kAllowed;
}

}  // namespace

const char* right_name(PublishRight right) {
  switch (right) {
    case PublishRight::kAllowed:
      return "allowed";
    case PublishRight::kSubscriber:
      return "subscriber";
    case PublishRight::kApplication:
      return "hook";
    case PublishRight::kRefused:
      break;
  }
  return "refused";
}

PublishAccess::PublishAccess(bool demo, const std::vector<std::string>& rules) : demo_(demo) {
  set_rules(rules);
}

void PublishAccess::set_rules(const std::vector<std::string>& rules) {
  auto fresh = std::make_shared<const ChannelRules>(ChannelRules::parse(rules, ChannelRule::Purpose::kPublish));
  const MutexLock lock(mutex_);
  rules_ = std::move(fresh);
}

PublishAnswer PublishAccess::ask(const User& user, const ChannelName& channel) const {
  std::shared_ptr<const ChannelRules> rules;
  {
    const MutexLock lock(mutex_);
    rules = rules_;
  }
  if (demo_ && rules->empty()) return {PublishRight::kAllowed, ChannelBasis::kOpen};
  for (const ChannelPattern& pattern : patterns_of(user.publish)) {
    if (pattern.matches(channel.str(), user.identity))
      return {PublishRight::kAllowed, ChannelBasis::kCredentials, pattern.text()};
  }
  const ChannelRule* rule = rules->find(channel.str(), user.identity);
  if (rule == nullptr) return {};
  return {right_by(rule->who), ChannelBasis::kRule, rule->text};
}

}  // namespace sse::auth
