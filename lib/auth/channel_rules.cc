#include "auth/channel_rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::auth {
namespace {

using Who = ChannelRule::Who;
using Purpose = ChannelRule::Purpose;

constexpr std::array<std::pair<std::string_view, Who>, 4> kWho{
    {{"anyone", Who::kAnyone}, {"self", Who::kSelf}, {"hook", Who::kHook}, {"subscriber", Who::kSubscriber}}};

std::string option_of(Purpose purpose) {
  return purpose == Purpose::kPublish ? "--publish-rule" : "--channel-rule";
}

ChannelRule parse_rule(const std::string& text, Purpose purpose) {
  const auto bad = [&](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, option_of(purpose) + " '" + printable(text, 120) + "' " + why);
  };
  const bool publish = purpose == Purpose::kPublish;
  // The last one: a name may contain others.
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos) {
    throw bad(publish ? "is not PATTERN=anyone, PATTERN=self, PATTERN=subscriber or PATTERN=hook"
                      : "is not PATTERN=anyone, PATTERN=self or PATTERN=hook");
  }
  const std::string_view word = std::string_view(text).substr(equals + 1);
  const auto* const known = std::ranges::find(kWho, word, &std::pair<std::string_view, Who>::first);
  if (known == kWho.end() || (known->second == Who::kSubscriber && !publish)) {
    throw bad("ends in '" + printable(word, 40) + "'; after the '=' stands " +
              (publish ? "anyone, self, subscriber or hook" : "anyone, self or hook"));
  }
  const auto parse_pattern = [&] {
    try {
      return ChannelPattern::parse(std::string_view(text).substr(0, equals));
    } catch (const Error& e) {
      throw bad(std::string("cannot be used: ") + e.what());
    }
  };
  ChannelRule rule{parse_pattern(), known->second, text};
  const bool personal = rule.pattern.is_personal();
  if (rule.who == Who::kSelf && !personal)
    throw bad("is for no one in particular: a pattern for self has {user} or {tenant}, such as user.{user}.*");
  if (rule.who == Who::kAnyone && personal)
    throw bad("names the channels of one user or tenant; write self, or * for the channels of all");
  return rule;
}

}  // namespace

ChannelRules ChannelRules::parse(const std::vector<std::string>& texts, ChannelRule::Purpose purpose) {
  if (texts.size() > kMax)
    throw Error(ErrorCode::kInvalidArgument, "more than " + std::to_string(kMax) + " rules of " + option_of(purpose));
  ChannelRules rules;
  rules.rules_.reserve(texts.size());
  for (const std::string& text : texts) rules.rules_.push_back(parse_rule(text, purpose));
  return rules;
}

const ChannelRule* ChannelRules::find(std::string_view channel, const Identity& who) const {
  const auto found =
      std::ranges::find_if(rules_, [&](const ChannelRule& rule) { return rule.pattern.matches(channel, who); });
  return found == rules_.end() ? nullptr : &*found;
}

const ChannelRule* ChannelRules::first(Who who) const {
  const auto found = std::ranges::find(rules_, who, &ChannelRule::who);
  return found == rules_.end() ? nullptr : &*found;
}

}  // namespace sse::auth
