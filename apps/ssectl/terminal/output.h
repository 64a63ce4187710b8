#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "event/json.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {

enum class Format { kTable, kJson, kNdjson };

/// Thrown when the reader of standard output has closed it, as `head` does. This is not an error: output simply ends.
struct StdoutClosed {};

/// Writes a command's results: data to standard output, notes to standard error.
class Output {
 public:
  /// Uses colour and a line width only when standard output is a terminal; no colour with `plain` or $NO_COLOR
  /// (https://no-color.org).
  Output(Format format, bool plain);

  Format format() const { return format_; }
  bool human_readable() const { return format_ == Format::kTable; }
  const TableStyle& style() const { return style_; }

  /// For a command that changes something and must run to its end: from now on write() does not throw if standard
  /// output is closed. Further output is dropped, and lost() returns true.
  void ignore_closed_stdout() { ignores_closed_stdout_ = true; }
  bool lost() const { return lost_; }

  /// Writes `text` unchanged. Throws Error(kIo), or the type above if standard output is closed.
  void write(std::string_view text);
  /// From now on collects all output, including notes, instead of writing it. Also updates the line width from the
  /// terminal.
  void start_capture();
  /// Returns the collected output and stops collecting.
  std::string take_captured();
  /// Writes one JSON document: indented with kJson, on one line with kNdjson. REQUIRES: !human_readable().
  void document(const event::Json& json);
  /// Writes a listing: with kJson the whole `page`, with kNdjson each element of its `list` on a line of its own.
  /// REQUIRES: !human_readable().
  void listing(const event::Json& page);

  /// Formats a document as text for people.
  using Describe = std::function<std::string(const event::Json&, const TableStyle&)>;
  /// Writes the result of a command: for people `describe(json, style())`, otherwise document(json).
  void result(const event::Json& json, const Describe& describe);
  /// Writes the result of a command: for people `sentence` on a line of its own, otherwise document(json).
  void result(const event::Json& json, std::string_view sentence);
  /// Writes a listing: for people `describe(page, style())`, or the note `empty` if its `list` is, and otherwise
  /// listing(page).
  void result_list(const event::Json& page, const Describe& describe, std::string_view empty);
  /// Writes a sentence to standard error.
  void note(std::string_view sentence);

 private:
  Format format_;
  TableStyle style_;
  std::optional<std::string> captured_;
  bool ignores_closed_stdout_ = false;
  bool lost_ = false;
};

}  // namespace sse::ctl
