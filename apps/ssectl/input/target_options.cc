#include "ssectl/input/target_options.h"

#include "base/error.h"

namespace sse::ctl {
namespace {

void add_names(cli::App& app, const char* option, std::vector<std::string>& names, const char* type, const char* help) {
  // One value per occurrence: the next argument may be DATA or an id.
  app.add_option(option, names, help).type_name(type).one_value_each().not_configurable();
}

}  // namespace

void TargetOptions::declare(cli::App& app) {
  add_names(app, "-u,--user", users, "USER", "Streams of this user; repeatable");
  add_names(app, "--token", tokens, "TOKEN", "Streams with this access token; repeatable");
  app.add_flag("--all", all, "Every stream").not_configurable();
}

void TargetOptions::declare_groups(cli::App& app) {
  add_names(app, "--tenant", tenants, "TENANT",
            "Streams of this tenant, repeatable; with --user: only those of the user");
  add_names(app, "--channel", channels, "CHANNEL", "Streams in this channel; repeatable");
}

std::optional<event::Target> TargetOptions::target() const {
  std::optional<event::Target> target;
  int kinds = 0;
  const auto take = [&](event::TargetKind kind, const std::vector<std::string>& names, bool given) {
    if (!given) return;
    ++kinds;
    target = event::Target{kind, names, false};
  };
  if (!users.empty() && tenants.size() == 1) {
    std::vector<std::string> members;
    for (const std::string& user : users) {
      if (user.empty() || tenants.front().empty())
        throw Error(ErrorCode::kInvalidArgument, "--user and --tenant must not be empty");
      members.push_back(event::member_name(user, tenants.front()));
    }
    take(event::TargetKind::kMember, members, true);
  } else {
    take(event::TargetKind::kUser, users, !users.empty());
    take(event::TargetKind::kTenant, tenants, !tenants.empty());
  }
  take(event::TargetKind::kToken, tokens, !tokens.empty());
  take(event::TargetKind::kChannel, channels, !channels.empty());
  take(event::TargetKind::kAll, {}, all);
  if (kinds > 1) {
    throw Error(ErrorCode::kInvalidArgument,
                "several kinds of recipients were given; use one of --user, --tenant, --token, --channel and --all, or "
                "--user and one --tenant for a user of that tenant");
  }
  if (target) event::normalize(*target);
  return target;
}

}  // namespace sse::ctl
