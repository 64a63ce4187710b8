#include "pages/channel_gate.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "hub/hub_metrics.h"
#include "observe/log.h"

namespace sse::pages {
namespace {

using auth::ChannelAnswer;
using auth::ChannelBasis;
using hub::ChannelSource;

ChannelSource source_of(const ChannelAnswer& before) {
  if (before.right == ChannelRight::kApplication) return ChannelSource::kHookRule;
  const bool by_rules = before.basis == ChannelBasis::kRule || before.basis == ChannelBasis::kOpen;
  return by_rules && before.right == ChannelRight::kAllowed ? ChannelSource::kRule : ChannelSource::kLasting;
}

std::string_view refusal_of(const ChannelAnswer& before) {
  return before.right == ChannelRight::kRefused ? hub::kNoChannelRule : hub::kChannelApplication;
}

}  // namespace

ChannelGate::Request ChannelGate::ask(const auth::User& user, const std::vector<ChannelName>& channels) const {
  Request request{access_.ask(user, channels), {}};
  for (const ChannelAnswer& answer : request.answers.list) request.channels.push_back({answer.channel, answer.right});
  return request;
}

void ChannelGate::decide(const Request& request, const Placed& placed, hub::NewConnection& connection) {
  std::vector<hub::JoinedChannel>& channels = connection.channels;
  channels.clear();
  connection.channel_version = request.answers.version;
  const auto join = [&](const ChannelName& channel, ChannelSource source) {
    const auto known = std::ranges::find(channels, channel, &hub::JoinedChannel::name);
    if (channel.empty() || known != channels.end()) return;
    if (channels.size() == hub::kMaxChannels) {
      throw Error(ErrorCode::kLimitExceeded,
                  "the application puts the stream into more than " + std::to_string(hub::kMaxChannels) + " channels");
    }
    channels.push_back({channel, source});
  };
  const std::vector<ChannelAnswer>& asked = request.answers.list;
  const bool replaced = asked.empty() || placed.first != asked.front().channel;
  if (replaced) join(placed.first, ChannelSource::kLasting);
  for (const ChannelAnswer& before : asked) {
    // The application has put the stream somewhere else, or into it.
    if (replaced && (&before == &asked.front() || before.channel == placed.first)) continue;
    const auto after = std::ranges::find(request.channels, before.channel, &RequestedChannel::name);
    if (after != request.channels.end() && after->right == ChannelRight::kAllowed) {
      join(before.channel, source_of(before));
    } else if (std::ranges::find(placed.joined, before.channel) == placed.joined.end()) {
      connection.refused_channels.push_back({before.channel, refusal_of(before)});
    }
  }
  for (const ChannelName& channel : placed.joined) join(channel, ChannelSource::kLasting);
}

ChannelGate::Decision ChannelGate::decide(const Request& request) {
  hub::NewConnection joining;
  Placed placed;
  if (!request.answers.list.empty()) placed.first = request.answers.list.front().channel;
  decide(request, placed, joining);
  return {std::move(joining.channels), std::move(joining.refused_channels)};
}

void ChannelGate::note(const ServiceName& service, const Request& request,
                       const std::vector<hub::RefusedChannel>& all_refused, const UserId& user,
                       const std::string& address) {
  for (const hub::RefusedChannel& refused : all_refused) {
    const auto asked = std::ranges::find(request.answers.list, refused.channel, &ChannelAnswer::channel);
    const std::string rule =
        asked != request.answers.list.end() && asked->basis == ChannelBasis::kRule ? asked->rule : "";
    hub::channels_refused(metrics_, service, refused.reason, rule).add();
    if (const auto left_out = throttle_.line(clock_.steady_now())) {
      observe::log_info("a channel was refused (--channel-rule)", {{"service", service.str()},
                                                                   {"channel", printable(refused.channel.str(), 200)},
                                                                   {"reason", std::string(refused.reason)},
                                                                   {"rule", rule},
                                                                   {"user", user.str()},
                                                                   {"address", address},
                                                                   {"leftOut", std::to_string(*left_out)}});
    }
  }
}

bool ChannelGate::may_read(const auth::User& user, const ChannelName& channel) const {
  return access_.ask(user, {channel}).list.front().right == ChannelRight::kAllowed;
}

}  // namespace sse::pages
