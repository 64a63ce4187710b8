// Server::Impl: the rules for channels, and for what pages publish there.
#include "auth/channel_rules.h"
#include "base/error.h"
#include "base/text.h"
#include "observe/log.h"
#include "server/server_impl.h"

namespace sse::server {

// A rule for an application that is not asked would refuse silently.
void Server::Impl::check_channel_rules(const std::vector<std::string>& rules) const {
  const auth::ChannelRules parsed = auth::ChannelRules::parse(rules);
  const auth::ChannelRule* asks = parsed.first(auth::ChannelRule::Who::kHook);
  if (asks == nullptr || application_bridge_->application().decides_connects()) return;
  throw Error(ErrorCode::kInvalidArgument, "--channel-rule '" + printable(asks->text, 120) +
                                               "' leaves channels to the application, but there is no --hook");
}

void Server::Impl::check_publish_rules(const std::vector<std::string>& rules) const {
  const auth::ChannelRules parsed = auth::ChannelRules::parse(rules, auth::ChannelRule::Purpose::kPublish);
  const auth::ChannelRule* asks = parsed.first(auth::ChannelRule::Who::kHook);
  if (asks == nullptr || application_bridge_->application().decides_publications()) return;
  throw Error(ErrorCode::kInvalidArgument, "--publish-rule '" + printable(asks->text, 120) +
                                               "' leaves channels to the application, but there is no --hook");
}

void Server::Impl::set_publish_rules(const std::vector<std::string>& rules) {
  check_publish_rules(rules);
  publishing_.set_rules(rules);
}

void Server::Impl::log_closed_channels() const {
  if (!channels_.closed()) return;
  observe::log_info(
      "channels are closed: without --channel-rule a stream joins only those that its credentials or the application "
      "allow");
}

void Server::Impl::set_channel_rules(const std::vector<std::string>& rules) {
  check_channel_rules(rules);
  if (rules == channel_rules_) return;
  channels_.set_rules(rules);
  channel_rules_ = rules;
  observe::log_info("the rules for channels have changed", {{"rules", std::to_string(rules.size())}});
  log_closed_channels();
  if (!running_) return;
  for (const application::Service& service : services_) service.sender->hub().review_channels(channels_.review());
}

}  // namespace sse::server
