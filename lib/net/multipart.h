#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sse::net {

/// True when a Content-Type value names any multipart type. cpp-httplib's own parser for these takes quadratic time
/// over text that the client chooses, so that its code must not see such a body: HttplibApp::body() gives it to ours.
bool is_multipart(std::string_view content_type);

/// The boundary of a `multipart/form-data` Content-Type value (RFC 7578 §4.1, RFC 2046 §5.1.1); nullopt for another
/// type, and for a boundary that is missing, longer than 70 characters or of other characters than RFC 2046 allows.
std::optional<std::string> multipart_boundary(std::string_view content_type);

/// The head of one part (RFC 7578 §4.2).
struct MultipartPart {
  std::string name;
  std::string filename;  ///< as the client sent it; `filename*` (RFC 8187) wins
  std::string content_type;
  bool is_file = false;  ///< there is a filename, possibly an empty one
};

struct MultipartLimits {
  std::size_t parts = 1000;
  std::size_t head_bytes = 1024;                       ///< of one part's head, its final blank line included
  std::size_t skipped_bytes = std::size_t{64} * 1024;  ///< before the first part
};

/// Reads a multipart/form-data body as it arrives, in linear time. What it holds is bounded by one part's head and a
/// delimiter; what the sink gets is the sink's to bound. One thread at a time.
class MultipartParser {
 public:
  /// Gets what is read, in order. Exceptions pass through feed().
  class Sink {
   public:
    virtual void part(const MultipartPart& part) = 0;
    /// A piece of the latest part's content; never empty.
    virtual void data(std::string_view bytes) = 0;

   protected:
    ~Sink() = default;
  };

  /// `boundary`: of multipart_boundary(). `sink` must outlive the parser.
  MultipartParser(std::string_view boundary, Sink& sink, MultipartLimits limits = {});

  /// Throws Error: kInvalidArgument for what is no multipart/form-data, kTooLarge for a limit, and what the sink
  /// throws; the parser is of no use after that.
  void feed(std::string_view bytes);
  /// The body has ended. Throws Error(kInvalidArgument) when the last delimiter has not come.
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

/// The fields of a small form: `application/x-www-form-urlencoded`, or multipart/form-data where nothing is a file. Of
/// fields of one name the first. Throws Error(kInvalidArgument, kTooLarge) as MultipartParser does; a body of another
/// type has no fields.
std::map<std::string, std::string> read_form(std::string_view content_type, std::string_view body);

}  // namespace sse::net
