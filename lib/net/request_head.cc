#include "net/request_head.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"

namespace sse::net {
namespace {

constexpr std::string_view kTokenSymbols = "!#$%&'*+-.^_`|~";
constexpr std::size_t kMaxChunkLine = 256;
constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

// Headers not passed to httplib. It adds those of the REMOTE_ADDR family itself, so that a client's own would be
// trusted.
constexpr std::array<std::string_view, 14> kDropped{
    "content-length", "transfer-encoding", "expect",     "connection",      "keep-alive",
    "range",          "if-range",          "te",         "accept-encoding", "remote_addr",
    "remote_port",    "local_addr",        "local_port", "content-encoding"};

// Lists that proxies and clients may spread over several lines.
constexpr std::array<std::string_view, 3> kJoined{"x-forwarded-for", "forwarded", "cookie"};
constexpr std::array<std::string_view, 8> kOnce{"authorization",  "proxy-authorization", "content-type",
                                                "origin",         "last-event-id",       "sec-fetch-site",
                                                "sec-fetch-mode", "sec-fetch-dest"};

// RFC 9110 §5.6.2
bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenSymbols.find(c) != std::string_view::npos;
  });
}

HeadScan bad(int status, const char* reason) {
  HeadScan scan;
  scan.status = HeadScan::Status::kBad;
  scan.http_status = status;
  scan.reason = reason;
  return scan;
}

// Cuts the next line off `text` and returns it without its CRLF. REQUIRES: every LF follows a CR.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end - 1);
  text.remove_prefix(end + 1);
  return line;
}

std::optional<HeadScan> parse_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return bad(400, "the request line is not METHOD TARGET VERSION");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(head.method)) return bad(400, "the request method is malformed");
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.')
    return bad(400, "the HTTP version is malformed");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return bad(505, "only HTTP/1.1 and HTTP/1.0 are supported");
  head.http_1_0 = version == "HTTP/1.0";
  if (std::ranges::find(kMethods, head.method) == kMethods.end()) return bad(501, "this method is not implemented");
  // Absolute form (RFC 9112 §3.2.2): the origin form follows the authority.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!head.target.starts_with(scheme)) continue;
    const std::size_t end = head.target.find_first_of("/?#", scheme.size());
    head.target = end == std::string_view::npos ? "/" : head.target.substr(end);
  }
  if (head.target.empty() || (head.target.front() != '/' && !(head.target == "*" && head.method == "OPTIONS"))) {
    return bad(400, "the request target must begin with '/'");
  }
  for (const char c : head.target) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F)
      return bad(400, "the request target holds a space or control character");
  }
  if (std::ranges::count(head.target, '&') >= static_cast<std::ptrdiff_t>(kMaxParameters))
    return bad(400, "more than 500 query parameters");
  if (head.target.size() > kMaxTarget || std::min(head.target.find('?'), head.target.size()) > kMaxPath) {
    return bad(414, "the request target is too long: at most 1024 bytes of path and 8 KiB in all");
  }
  return std::nullopt;
}

// uri-host [ ":" port ] (RFC 9112 §3.2), checked by its characters only; code that compares it checks the rest. Some
// clients of unix sockets send the socket's path.
bool is_host(std::string_view value) {
  if (value.starts_with('/')) return value.size() <= kMaxHost;
  constexpr std::string_view kMore = "-._~%!$&'()*+,;=:[]";
  return value.size() <= kMaxHost && std::ranges::all_of(value, [&](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 || kMore.find(c) != std::string_view::npos;
         });
}

std::optional<HeadScan> parse_headers(RequestHead& head) {
  int hosts = 0;
  int lengths = 0;
  std::size_t count = 0;
  bool chunked = false;
  std::vector<std::string> singletons;
  head.keep_alive = !head.http_1_0;
  std::string_view rest = head.headers;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    if (++count > kMaxHeaders) return bad(431, "more than 100 header fields");
    if (line.front() == ' ' || line.front() == '\t')
      return bad(400, "a header line is folded, which RFC 9112 §5.2 forbids");
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
      return bad(400, "a header field name is malformed");
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    for (const char c : value) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F)
        return bad(400, "a header field holds a control character");
    }
    if (line.size() > 8000) return bad(431, "a header field is longer than 8000 bytes");
    const std::string name = to_lower(line.substr(0, colon));
    if (is_singleton(name)) {
      if (std::ranges::find(singletons, name) != singletons.end())
        return bad(400, "a header field that may be given only once, such as X-Sse-User, is repeated");
      singletons.push_back(name);
    }
    if (name == "host") {
      ++hosts;
      if (!is_host(value)) return bad(400, "Host must be a host name or address of at most 300 bytes");
    } else if (name == "content-length") {
      const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), head.content_length);
      if (error != std::errc{} || stop != value.data() + value.size() || value.front() == '-' || ++lengths > 1) {
        return bad(400, "Content-Length must be given once, as digits");
      }
      head.framing = BodyFraming::kLength;
    } else if (name == "transfer-encoding") {
      if (head.http_1_0) return bad(400, "HTTP/1.0 has no Transfer-Encoding");
      if (chunked || to_lower(value) != "chunked")
        return bad(501, "only a single transfer coding 'chunked' is implemented");
      chunked = true;
    } else if (name == "content-encoding") {
      if (!value.empty() && to_lower(value) != "identity") return bad(415, "compressed request bodies are refused");
    } else if (name == "expect") {
      if (to_lower(value) != "100-continue") return bad(417, "only the expectation 100-continue is supported");
      head.expects_continue = !head.http_1_0;
    } else if (name == "connection") {
      for (const std::string& option : split_list(to_lower(value))) {
        if (option == "close") head.keep_alive = false;
        if (option == "keep-alive" && head.http_1_0) head.keep_alive = true;
      }
    }
  }
  if (hosts > 1 || (hosts == 0 && !head.http_1_0)) return bad(400, "exactly one Host header is needed");
  if (chunked && lengths > 0) return bad(400, "Content-Length and Transfer-Encoding cannot be combined");
  if (chunked) head.framing = BodyFraming::kChunked;
  return std::nullopt;
}

}  // namespace

HeadScan scan_head(std::string_view buffer, std::size_t& scanned) {
  // RFC 9112 §2.2: an empty line before the request line is ignored, because some clients send one after a body.
  std::size_t start = 0;
  while (start < 4 && buffer.substr(start).starts_with("\r\n")) start += 2;
  const char first = buffer.size() > start ? buffer[start] : 'G';
  if (first != '\r' && !is_token(std::string_view(&first, 1)))
    return bad(400, "this is not HTTP; a TLS client needs a TLS listener");
  bool complete = false;
  std::size_t end = std::max(scanned, start);
  while (end < buffer.size()) {
    const std::size_t lf = buffer.find('\n', end);
    if (lf == std::string_view::npos) {
      end = buffer.size();
      break;
    }
    if (lf == 0 || buffer[lf - 1] != '\r') return bad(400, "a line ends with a bare LF");
    end = lf + 1;
    if (lf >= start + 3 && buffer[lf - 2] == '\n') {
      complete = true;
      break;
    }
  }
  scanned = end;
  if ((complete ? end : buffer.size()) > kMaxHead) return bad(431, "the request head is longer than 16 KiB");
  if (!complete) return {};

  HeadScan scan;
  scan.head.size = end;
  std::string_view text = buffer.substr(start, end - start - 2);
  const std::string_view line = next_line(text);
  scan.head.headers = text;
  const std::string_view whole = buffer.substr(start, end - start);
  for (std::size_t cr = whole.find('\r'); cr != std::string_view::npos; cr = whole.find('\r', cr + 1)) {
    if (cr + 1 >= whole.size() || whole[cr + 1] != '\n') return bad(400, "a bare CR in the request head");
  }
  if (auto refused = parse_request_line(line, scan.head)) return *refused;
  if (auto refused = parse_headers(scan.head)) return *refused;
  scan.status = HeadScan::Status::kComplete;
  return scan;
}

std::string_view header_value(const RequestHead& head, std::string_view name) {
  std::string_view rest = head.headers;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::size_t colon = line.find(':');
    if (colon == name.size() && to_lower(line.substr(0, colon)) == to_lower(name))
      return trim_blanks(line.substr(colon + 1));
  }
  return {};
}

bool is_singleton(std::string_view name) {
  return name.starts_with("x-sse-") || std::ranges::find(kOnce, name) != kOnce.end();
}

std::string joined_header(const RequestHead& head, std::string_view name) {
  const std::string wanted = to_lower(name);
  std::string joined;
  std::string_view rest = head.headers;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::size_t colon = line.find(':');
    if (colon != wanted.size() || to_lower(line.substr(0, colon)) != wanted) continue;
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    if (!joined.empty() && !value.empty()) joined += wanted == "cookie" ? "; " : ", ";
    joined += value;
  }
  return joined;
}

void for_each_header(std::string_view normalized, const std::function<void(std::string_view, std::string&&)>& use) {
  const std::size_t first = normalized.find("\r\n");
  const std::size_t end = normalized.find("\r\n\r\n");
  if (first == std::string_view::npos || end == std::string_view::npos) return;
  RequestHead head;
  head.headers = normalized.substr(first + 2, end - first);
  std::vector<std::string> joined;
  std::string_view rest = head.headers;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string name = to_lower(line.substr(0, colon));
    std::string value(trim_blanks(line.substr(colon + 1)));
    if (std::ranges::find(kJoined, name) != kJoined.end()) {
      if (std::ranges::find(joined, name) != joined.end()) continue;
      joined.push_back(name);
      value = joined_header(head, name);
    }
    if (!value.empty()) use(line.substr(0, colon), std::move(value));
  }
}

std::string normalized_request(const RequestHead& head, std::string_view body) {
  std::string out = normalized_head(head, body.size());
  if (head.method != "GET" && head.method != "HEAD") out.append(body);
  return out;
}

std::string normalized_head(const RequestHead& head, std::uint64_t length) {
  std::string out;
  out.reserve(head.size + 64);
  out.append(head.method).append(" ").append(head.target).append(" HTTP/1.1\r\n");
  std::string_view rest = head.headers;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    if (std::ranges::find(kDropped, to_lower(line.substr(0, line.find(':')))) != kDropped.end()) continue;
    out.append(line).append("\r\n");
  }
  // httplib waits for bytes of a method with a body when there is no length, and leaves the body of a GET unread.
  if (head.method != "GET" && head.method != "HEAD") out.append("Content-Length: " + std::to_string(length) + "\r\n");
  out.append("\r\n");
  return out;
}

ChunkedDecoder::Status ChunkedDecoder::feed(std::string& input, std::string& body) {
  std::string_view rest = input;
  Status status = Status::kIncomplete;
  while (status == Status::kIncomplete) {
    if (state_ == State::kData) {
      const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
      body.append(rest.substr(0, n));
      rest.remove_prefix(n);
      left_ -= n;
      if (left_ > 0) break;
      state_ = State::kDataEnd;
    }
    const std::size_t lf = rest.find('\n');
    // Limits chunk sizes with extensions, and trailers.
    if (std::min(lf, rest.size()) > kMaxChunkLine + 1) return Status::kBad;
    if (lf == std::string_view::npos) break;
    if (lf == 0 || rest.find('\r') != lf - 1) return Status::kBad;
    const std::string_view line = rest.substr(0, lf - 1);
    rest.remove_prefix(lf + 1);
    if (state_ == State::kDataEnd) {
      if (!line.empty()) return Status::kBad;
      state_ = State::kSize;
    } else if (state_ == State::kSize) {
      const char* end = line.data() + line.size();
      const auto [stop, error] = std::from_chars(line.data(), end, left_, 16);
      if (error != std::errc{} || (stop != end && *stop != ';')) return Status::kBad;
      if (left_ > limit_ - announced_) return Status::kTooLarge;
      announced_ += left_;
      state_ = left_ == 0 ? State::kTrailer : State::kData;
    } else if (line.empty()) {
      status = Status::kComplete;
    } else {
      trailer_bytes_ += line.size();
      if (trailer_bytes_ > 4096) return Status::kBad;
    }
  }
  input.erase(0, input.size() - rest.size());
  return status;
}

}  // namespace sse::net
