#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace sse::net {

/// How a request's body is framed (RFC 9112 §6.3).
enum class BodyFraming : unsigned char { kNone, kLength, kChunked };

/// The parsed head of an HTTP request, before httplib sees it. Views point into the buffer that was scanned.
struct RequestHead {
  std::size_t size = 0;  ///< bytes of the head, final blank line included
  std::string_view method;
  std::string_view target;   ///< origin form: path and query
  std::string_view headers;  ///< the header lines, each with its CRLF
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t content_length = 0;
  bool keep_alive = true;
  bool http_1_0 = false;
  bool expects_continue = false;
};

/// Longest request head; longer ones get 431.
inline constexpr std::size_t kMaxHead = std::size_t{16} * 1024;
/// Longest target with and without its query; longer ones get 414. The path is short because httplib matches it with
/// std::regex, which recurses for each character.
inline constexpr std::size_t kMaxTarget = std::size_t{8} * 1024;
inline constexpr std::size_t kMaxPath = 1024;
/// Longest Host value; a name has at most 255 bytes (RFC 1035 §2.3.4).
inline constexpr std::size_t kMaxHost = 300;
inline constexpr std::size_t kMaxHeaders = 100;
/// Most query parameters of a request; more get 400.
inline constexpr std::size_t kMaxParameters = 500;

/// Result of scan_head().
struct HeadScan {
  enum class Status : unsigned char { kIncomplete, kComplete, kBad };
  Status status = Status::kIncomplete;
  RequestHead head;         ///< when complete
  int http_status = 0;      ///< when bad: the status of the response
  const char* reason = "";  ///< when bad: one sentence
};

/// Scans strictly (RFC 9112): CRLF only, no obsolete folding, no space before a colon, one Host, one Content-Length of
/// digits only, never Content-Length with Transfer-Encoding, no transfer coding except `chunked`, known methods, and
/// singleton fields only once (see is_singleton()). httplib 0.11.4 accepts most of these errors, and disagreement about
/// the end of a request allows request smuggling. `scanned`: bytes of `buffer` scanned by earlier calls (0 at first);
/// updated, so that a slow head costs O(n).
HeadScan scan_head(std::string_view buffer, std::size_t& scanned);

/// True when a request may have only one field line of this name (lower case): one recipient might take the first and
/// another one the last, and so see different identities.
bool is_singleton(std::string_view name);

/// The first header of that name, without surrounding whitespace; empty when absent. The bytes are as the client sent
/// them: a field value is opaque (RFC 9110 §5.5). REQUIRES: a complete head.
std::string_view header_value(const RequestHead& head, std::string_view name);
/// All field lines of that name, in order, as one value (RFC 9110 §5.3): joined with ", ", Cookie with "; " (RFC 6265
/// §5.4). REQUIRES: a complete head.
std::string joined_header(const RequestHead& head, std::string_view name);

/// Calls `use(name, value)` for each field of a head that normalized_request() wrote, in order. Names and values are as
/// the client sent them; lines of X-Forwarded-For, Forwarded and Cookie are joined; empty values are omitted.
void for_each_header(std::string_view normalized, const std::function<void(std::string_view, std::string&&)>& use);

/// The request as passed to httplib: same method and target, a length-framed body, and without the headers for which
/// httplib has its own behavior (ranges, compression, expectations, connection options, its REMOTE_ADDR family).
std::string normalized_request(const RequestHead& head, std::string_view body);
/// The head of that request alone, for a body of `length` bytes that is read from elsewhere.
std::string normalized_head(const RequestHead& head, std::uint64_t length);

/// Decodes a chunked body (RFC 9112 §7.1) as it arrives. Trailers are dropped.
class ChunkedDecoder {
 public:
  enum class Status : unsigned char { kIncomplete, kComplete, kBad, kTooLarge };

  explicit ChunkedDecoder(std::uint64_t limit) : limit_(limit) {}

  /// Removes what it decodes from the front of `input` and appends the payload to `body`, which the caller may clear
  /// between calls. kTooLarge: the payload exceeds the limit in total.
  Status feed(std::string& input, std::string& body);

 private:
  enum class State : unsigned char { kSize, kData, kDataEnd, kTrailer };

  std::uint64_t limit_;
  std::uint64_t left_ = 0;
  std::uint64_t announced_ = 0;  // total of the chunk sizes so far
  std::size_t trailer_bytes_ = 0;
  State state_ = State::kSize;
};

}  // namespace sse::net
