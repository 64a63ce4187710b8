#include <string>

#include "auth/channel_pattern.h"
#include "auth/channel_rules.h"
#include "base/error.h"
#include "fuzz/fuzz.h"

// Input: a line with the id of a user, one with that of a tenant, one with a rule, then the name of a channel. A
// channel of the user matches its own pattern and no one else's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse;
  using namespace sse::auth;
  using sse::fuzz::expect;
  fuzz::Input input(data, size);
  const std::string id(input.line());
  const std::string tenant(input.line());
  const std::string rule(input.line());
  const std::string name(input.rest());
  const Identity who{UserId(id), TenantId(tenant), AccessToken()};

  static const ChannelPattern own = ChannelPattern::parse("user.{user}.**");
  const std::string segment = encode_segment(id);
  expect(segment.find_first_of(".*{}") == std::string::npos);
  expect(own.matches("user." + segment + ".x", who) == !id.empty());
  const Identity other{UserId(tenant), {}, {}};
  if (id != tenant) expect(!own.matches("user." + segment + ".x", other));

  static const ChannelPattern all = ChannelPattern::parse("*");
  expect(all.matches(name, who) == !name.empty());
  try {
    const ChannelPattern pattern = ChannelPattern::parse(rule);
    expect(pattern.text() == rule);
    // A pattern without anything special is a name.
    if (rule.find_first_of("*{}") == std::string::npos) expect(pattern.matches(name, who) == (name == rule));
    expect(!pattern.matches("", who));
  } catch (const Error& error) {
    expect(error.code() == ErrorCode::kInvalidArgument);
  }
  try {
    const ChannelRules rules = ChannelRules::parse({rule});
    if (const ChannelRule* found = rules.find(name, who)) expect(found->pattern.matches(name, who));
  } catch (const Error& error) {
    expect(error.code() == ErrorCode::kInvalidArgument);
  }
  return 0;
}
