#include "presence/member.h"

#include "event/json.h"

namespace sse::presence {

std::string member_profile(std::string_view profile) {
  if (profile.empty()) return "";
  const event::Json document = event::parse_json_or_null(profile);
  if (!document.is_object()) return "";
  const auto allowed = document.find("presence");
  if (allowed == document.end() || !allowed->is_object()) return "";
  std::string text = event::dump_json(*allowed);
  return text.size() > kMaxMemberProfile ? "" : text;
}

}  // namespace sse::presence
