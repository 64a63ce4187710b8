#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sse::net {

/// True when a Content-Type value names any multipart type. cpp-httplib's own multipart parser takes quadratic time
/// over text that the client chooses, so that it must never see such a body: HttplibApp keeps it for MultipartParser.
bool is_multipart(std::string_view content_type);

/// The boundary of a `multipart/form-data` Content-Type value (RFC 7578 §4.1, RFC 2046 §5.1.1); nullopt for another
/// type, and for a boundary that is missing, longer than 70 characters or has characters that RFC 2046 does not allow.
std::optional<std::string> multipart_boundary(std::string_view content_type);

/// The head of one part (RFC 7578 §4.2).
struct MultipartPart {
  std::string name;
  std::string filename;  ///< as sent by the client; `filename*` (RFC 8187) takes precedence
  std::string content_type;
  bool is_file = false;  ///< a filename was given, possibly an empty one
};

struct MultipartLimits {
  std::size_t parts = 1000;
  std::size_t head_bytes = 1024;                       ///< of one part's head, its final blank line included
  std::size_t skipped_bytes = std::size_t{64} * 1024;  ///< before the first part
};

/// Parses a multipart/form-data body as it arrives, in linear time. It buffers at most one part's head and a delimiter;
/// the sink bounds what it stores itself. One thread at a time.
class MultipartParser {
 public:
  /// Receives the parts and their content, in order. Exceptions pass through feed().
  class Sink {
   public:
    virtual void part(const MultipartPart& part) = 0;
    /// A piece of the latest part's content; never empty.
    virtual void data(std::string_view bytes) = 0;

   protected:
    ~Sink() = default;
  };

  /// `boundary`: from multipart_boundary(). `sink` must outlive the parser.
  MultipartParser(std::string_view boundary, Sink& sink, MultipartLimits limits = {});

  /// Throws Error: kInvalidArgument for malformed input, kTooLarge for an exceeded limit, and what the sink throws; the
  /// parser is unusable after that.
  void feed(std::string_view bytes);
  /// Ends the body. Throws Error(kInvalidArgument) when the last delimiter is missing.
  void finish() const;

 private:
  enum class State : unsigned char { kPreamble, kDelimiter, kHead, kData, kEnd };

  bool step(std::string_view& rest);
  bool take_content(std::string_view& rest);
  bool take_delimiter_line(std::string_view& rest);
  bool take_head(std::string_view& rest);

  const std::string delimiter_;  // CRLF, two dashes and the boundary
  Sink& sink_;
  const MultipartLimits limits_;
  State state_ = State::kPreamble;
  std::size_t parts_ = 0;
  std::size_t skipped_ = 0;
  std::string buffer_;
};

/// The fields of a small form: `application/x-www-form-urlencoded`, or the parts of multipart/form-data that are not
/// files. Of several fields with one name the first counts. Throws Error(kInvalidArgument, kTooLarge) as
/// MultipartParser does; a body of another type has no fields.
std::map<std::string, std::string> read_form(std::string_view content_type, std::string_view body);

}  // namespace sse::net
