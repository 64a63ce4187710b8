#include "net/representation.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>

#include "base/text.h"
#include "net/http_date.h"

namespace sse::net {
namespace {

// True when a list of entity tags (RFC 9110 §8.8.3) contains `etag`, a strong one. `weakly`: weak comparison.
bool contains_tag(std::string_view list, std::string_view etag, bool weakly) {
  if (trim_blanks(list) == "*") return true;
  while (!list.empty()) {
    const std::size_t begin = list.find_first_not_of(" \t,");
    if (begin == std::string_view::npos) return false;
    list.remove_prefix(begin);
    const bool weak = list.starts_with("W/");
    if (weak) list.remove_prefix(2);
    // A tag may contain commas.
    const std::size_t end = list.starts_with('"') ? list.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return false;
    if ((weakly || !weak) && !etag.empty() && list.substr(0, end + 1) == etag) return true;
    list.remove_prefix(end + 1);
  }
  return false;
}

std::optional<WallTime> date_header(const RequestHead& head, std::string_view name, WallTime now) {
  return parse_http_date(header_value(head, name), now);
}

// Dates are compared in whole seconds, as they are sent.
std::optional<WallTime> seconds_of(const std::optional<WallTime>& time) {
  if (!time) return std::nullopt;
  return WallTime(std::chrono::floor<std::chrono::seconds>(*time));
}

bool parse_digits(std::string_view text, std::uint64_t& value) {
  value = 0;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) value = std::numeric_limits<std::uint64_t>::max();
  return true;
}

// RFC 9110 §13.1.5: the client's partial copy belongs to exactly this representation.
bool if_range_holds(const RequestHead& head, const Representation& representation, WallTime now) {
  const std::string_view text = header_value(head, "If-Range");
  if (text.empty()) return true;
  if (text.starts_with('"')) return !representation.etag.empty() && text == representation.etag;
  const auto date = parse_http_date(text, now);
  const auto modified = seconds_of(representation.modified);
  // A date within the last second does not show whether another change followed in that second (§8.8.2.2).
  return date && modified && *date == *modified && *modified + std::chrono::seconds(1) < now;
}

Selection part_of(std::string_view range, std::uint64_t size) {
  using Kind = Selection::Kind;
  constexpr std::string_view kUnit = "bytes=";
  if (to_lower(range.substr(0, kUnit.size())) != kUnit) return {};
  range = trim_blanks(range.substr(kUnit.size()));
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view from = range.substr(0, dash);
  const std::string_view to = range.substr(dash + 1);
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (from.empty()) {
    std::uint64_t suffix = 0;
    if (!parse_digits(to, suffix)) return {};
    if (suffix == 0) return {Kind::kUnsatisfiable, 0, 0};
    // Content-Range cannot express an empty range.
    if (size == 0) return {};
    const std::uint64_t length = std::min(suffix, size);
    return {Kind::kPart, size - length, length};
  }
  if (!parse_digits(from, first)) return {};
  if (to.empty()) {
    last = std::numeric_limits<std::uint64_t>::max();
  } else if (!parse_digits(to, last) || last < first) {
    return {};
  }
  if (first >= size) return {Kind::kUnsatisfiable, 0, 0};
  return {Kind::kPart, first, std::min(last, size - 1) - first + 1};
}

std::string begin_head(std::string_view status, const std::string& headers, bool keep_alive) {
  std::string out;
  out.append("HTTP/1.1 ").append(status).append("\r\n");
  if (!keep_alive) out += "Connection: close\r\n";
  return out += headers;
}

}  // namespace

Selection select(const RequestHead& head, const Representation& representation, WallTime now) {
  using Kind = Selection::Kind;
  const auto modified = seconds_of(representation.modified);
  if (const std::string tags = joined_header(head, "If-Match"); !tags.empty()) {
    if (!contains_tag(tags, representation.etag, false)) return {Kind::kPreconditionFailed, 0, 0};
  } else if (const auto date = date_header(head, "If-Unmodified-Since", now); date && modified && *modified > *date) {
    return {Kind::kPreconditionFailed, 0, 0};
  }
  if (const std::string tags = joined_header(head, "If-None-Match"); !tags.empty()) {
    if (contains_tag(tags, representation.etag, true)) return {Kind::kNotModified, 0, 0};
  } else if (const auto date = date_header(head, "If-Modified-Since", now); date && modified && *modified <= *date) {
    return {Kind::kNotModified, 0, 0};
  }
  const std::string range = joined_header(head, "Range");
  if (range.empty() || head.method != "GET" || !if_range_holds(head, representation, now)) return {};
  return part_of(range, representation.size);
}

Reply represent(const RequestHead& head, const Representation& representation, bool keep_alive, WallTime now) {
  using Kind = Selection::Kind;
  const Selection chosen = select(head, representation, now);
  if (chosen.kind == Kind::kPreconditionFailed) {
    return short_reply(head, "412 Precondition Failed", representation.headers, "text/plain; charset=utf-8",
                       "a precondition is not met (If-Match, If-Unmodified-Since)\n", keep_alive);
  }
  const std::string total = std::to_string(representation.size);
  if (chosen.kind == Kind::kUnsatisfiable) {
    return short_reply(head, "416 Range Not Satisfiable",
                       representation.headers + "Content-Range: bytes */" + total + "\r\n", "text/plain; charset=utf-8",
                       "the range is outside of the content\n", keep_alive);
  }
  std::string validators = representation.headers;
  if (!representation.etag.empty()) validators += "ETag: " + representation.etag + "\r\n";
  if (representation.modified) validators += "Last-Modified: " + http_date(*representation.modified) + "\r\n";
  Reply reply;
  reply.keep_alive = keep_alive;
  if (chosen.kind == Kind::kNotModified) {
    reply.bytes = begin_head("304 Not Modified", validators, keep_alive) + "\r\n";
    return reply;
  }
  const bool part = chosen.kind == Kind::kPart;
  const std::uint64_t first = part ? chosen.first : 0;
  const std::uint64_t length = part ? chosen.length : representation.size;
  reply.bytes = begin_head(part ? "206 Partial Content" : "200 OK", validators, keep_alive);
  if (part) {
    reply.bytes += "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(first + length - 1) + "/" +
                   total + "\r\n";
  }
  reply.bytes += "Accept-Ranges: bytes\r\nContent-Type: " + representation.content_type +
                 "\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  if (head.method == "HEAD") return reply;
  if (representation.file) {
    reply.file = {representation.file, first, length};
  } else {
    reply.bytes.append(representation.bytes.substr(first, length));
  }
  return reply;
}

Reply short_reply(const RequestHead& head, std::string_view status, const std::string& headers,
                  std::string_view content_type, std::string_view text, bool keep_alive) {
  Reply reply;
  reply.keep_alive = keep_alive;
  reply.bytes = begin_head(status, headers, keep_alive);
  reply.bytes.append("Content-Type: ").append(content_type).append("\r\nContent-Length: ");
  reply.bytes.append(std::to_string(text.size())).append("\r\n\r\n");
  if (head.method != "HEAD") reply.bytes.append(text);
  return reply;
}

bool accepts_encoding(std::string_view accept_encoding, std::string_view coding) {
  bool by_star = false;
  for (const std::string& one : split_list(accept_encoding)) {
    const std::size_t semicolon = std::min(one.find(';'), one.size());
    const std::string name = to_lower(trim_blanks(std::string_view(one).substr(0, semicolon)));
    if (name != coding && name != "*") continue;
    std::string_view weight = trim_blanks(std::string_view(one).substr(std::min(semicolon + 1, one.size())));
    // q=0, q=0.0, q=0.00, q=0.000
    const bool refused =
        to_lower(weight.substr(0, 3)) == "q=0" && weight.find_first_not_of("0.", 3) == std::string_view::npos;
    if (name == coding) return !refused;
    by_star = !refused;
  }
  return by_star;
}

}  // namespace sse::net
