#include "pages/channel_gate.h"

#include <algorithm>
#include <utility>

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

void ChannelGate::decide(const Request& request, ChannelName channel, hub::NewConnection& connection) {
  connection.channel = std::move(channel);
  connection.channel_version = request.answers.version;
  for (const ChannelAnswer& before : request.answers.list) {
    // The application has put the stream somewhere else.
    if (connection.channel != before.channel) continue;
    const auto after = std::ranges::find(request.channels, before.channel, &RequestedChannel::name);
    if (after != request.channels.end() && after->right == ChannelRight::kAllowed) {
      connection.channel_source = source_of(before);
      continue;
    }
    connection.refused_channels.push_back({before.channel, refusal_of(before)});
    connection.channel = {};
  }
}

void ChannelGate::note(const ServiceName& service, const Request& request, const hub::NewConnection& connection) {
  for (const hub::RefusedChannel& refused : connection.refused_channels) {
    const auto asked = std::ranges::find(request.answers.list, refused.channel, &ChannelAnswer::channel);
    const std::string rule =
        asked != request.answers.list.end() && asked->basis == ChannelBasis::kRule ? asked->rule : "";
    hub::channels_refused(metrics_, service, refused.reason, rule).add();
    if (const auto left_out = throttle_.line(clock_.steady_now())) {
      observe::log_info("a channel was refused (--channel-rule)", {{"service", service.str()},
                                                                   {"channel", printable(refused.channel.str(), 200)},
                                                                   {"reason", std::string(refused.reason)},
                                                                   {"rule", rule},
                                                                   {"user", connection.identity.user.str()},
                                                                   {"address", connection.attributes.address},
                                                                   {"leftOut", std::to_string(*left_out)}});
    }
  }
}

bool ChannelGate::may_read(const auth::User& user, const ChannelName& channel) const {
  return access_.ask(user, {channel}).list.front().right == ChannelRight::kAllowed;
}

}  // namespace sse::pages
