#include "auth/channel_pattern.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "event/json.h"

namespace sse::auth {
namespace {

constexpr std::string_view kOne = "*";
constexpr std::string_view kRest = "**";
constexpr std::string_view kUserSegment = "{user}";
constexpr std::string_view kTenantSegment = "{tenant}";
// What has a meaning in a pattern, and the sign of the encoding itself.
constexpr std::string_view kEncoded = "%.*{}";

// The text up to the next dot, which is removed with it. `last`: there was no dot.
std::string_view take_segment(std::string_view& text, bool& last) {
  const std::size_t dot = text.find('.');
  last = dot == std::string_view::npos;
  const std::string_view segment = text.substr(0, dot);
  text.remove_prefix(last ? text.size() : dot + 1);
  return segment;
}

std::array<char, 3> encoded_char(char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(c);
  return {'%', kDigits[value >> 4U], kDigits[value & 15U]};
}

// Without a copy of the encoded id: this runs for each rule of each connect.
bool is_encoding_of(std::string_view segment, std::string_view id) {
  if (id.empty()) return false;
  for (const char c : id) {
    if (kEncoded.find(c) == std::string_view::npos) {
      if (segment.empty() || segment.front() != c) return false;
      segment.remove_prefix(1);
      continue;
    }
    const std::array<char, 3> code = encoded_char(c);
    if (!segment.starts_with(std::string_view(code.data(), code.size()))) return false;
    segment.remove_prefix(code.size());
  }
  return segment.empty();
}

bool is_segment_for(std::string_view pattern, std::string_view segment, const Identity& who) {
  if (pattern == kOne) return !segment.empty();
  if (pattern == kUserSegment) return is_encoding_of(segment, who.user.str());
  if (pattern == kTenantSegment) return is_encoding_of(segment, who.tenant.str());
  return pattern == segment;
}

}  // namespace

ChannelPattern ChannelPattern::parse(std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, "'" + printable(text, 80) + "' is no pattern of channel names: " + why);
  };
  if (text.empty()) throw bad("it is empty");
  if (text.size() > kMaxBytes) throw bad("it is longer than " + std::to_string(kMaxBytes) + " bytes");
  if (!is_valid_utf8(text)) throw bad("it is not UTF-8");
  ChannelPattern pattern{std::string(text)};
  std::string_view rest = text;
  bool last = false;
  while (!last) {
    const std::string_view segment = take_segment(rest, last);
    if (segment == kRest && !last) throw bad("'**' stands for the rest of a name; nothing may follow it");
    const bool inserts = segment == kUserSegment || segment == kTenantSegment;
    pattern.personal_ = pattern.personal_ || inserts;
    if (inserts || segment == kOne || segment == kRest) continue;
    if (segment.find_first_of("*{}") != std::string_view::npos)
      throw bad("between two dots, '*', '**', '{user}' and '{tenant}' stand alone; in an id, write %2A, %7B and %7D");
  }
  return pattern;
}

bool ChannelPattern::matches(std::string_view name, const Identity& who) const {
  if (name.empty()) return false;
  std::string_view pattern = text_;
  if (pattern == kOne) return true;
  for (;;) {
    bool pattern_ends = false;
    bool name_ends = false;
    const std::string_view wanted = take_segment(pattern, pattern_ends);
    if (wanted == kRest) return !name.empty();
    if (!is_segment_for(wanted, take_segment(name, name_ends), who)) return false;
    if (pattern_ends || name_ends) return pattern_ends && name_ends;
  }
}

std::string encode_segment(std::string_view id) {
  std::string segment;
  segment.reserve(id.size());
  for (const char c : id) {
    if (kEncoded.find(c) == std::string_view::npos) {
      segment += c;
    } else {
      const std::array<char, 3> code = encoded_char(c);
      segment.append(code.data(), code.size());
    }
  }
  return segment;
}

const char* right_name(ChannelRight right) {
  switch (right) {
    case ChannelRight::kAllowed:
      return "allowed";
    case ChannelRight::kApplication:
      return "hook";
    case ChannelRight::kRefused:
      break;
  }
  return "refused";
}

void check_user_channels(const std::vector<std::string>& patterns) {
  if (patterns.size() > kMaxUserChannels) {
    throw Error(ErrorCode::kInvalidArgument,
                "lists more than " + std::to_string(kMaxUserChannels) + " channels; use patterns such as 'team.*'");
  }
  std::size_t bytes = 0;
  for (const std::string& text : patterns) {
    bytes += text.size();
    try {
      ChannelPattern::parse(text);
    } catch (const Error& e) {
      throw Error(ErrorCode::kInvalidArgument, std::string("lists a channel that cannot be used: ") + e.what());
    }
  }
  if (bytes > kMaxUserChannelBytes) {
    throw Error(ErrorCode::kInvalidArgument,
                "lists channels of more than " + std::to_string(kMaxUserChannelBytes) + " bytes");
  }
}

std::vector<ChannelPattern> patterns_of(const std::vector<std::string>& texts) {
  std::vector<ChannelPattern> patterns;
  for (const std::string& text : texts) {
    if (patterns.size() == kMaxUserChannels) break;
    try {
      patterns.push_back(ChannelPattern::parse(text));
    } catch (const Error&) {
      continue;
    }
  }
  return patterns;
}

std::vector<std::string> user_channels_in(const event::Json& list) {
  std::vector<std::string> channels;
  if (list.is_null()) return channels;
  if (!list.is_array()) {
    throw Error(ErrorCode::kInvalidArgument,
                "is not a list of channel names and patterns, such as [\"news\",\"team.*\"]");
  }
  for (const event::Json& one : list) {
    if (!one.is_string()) {
      throw Error(ErrorCode::kInvalidArgument, "lists " + printable(event::dump_json(one), 60) +
                                                   ", which is not a channel name or pattern in quotes");
    }
    channels.push_back(one.get<std::string>());
    if (channels.size() > kMaxUserChannels) break;
  }
  check_user_channels(channels);
  return channels;
}

}  // namespace sse::auth
