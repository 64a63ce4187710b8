#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "event/json.h"
#include "table.h"

namespace sse::ctl {

enum class Format { kTable, kJson, kNdjson };

/// Thrown when the reader of standard output has gone, as `head` does: nothing is wrong, there is just nobody to tell.
struct ReaderGone {};

/// Data goes to standard output, talk to standard error.
class Output {
 public:
  /// Colour and a line width only when standard output is a terminal; no colour with `plain` or $NO_COLOR
  /// (https://no-color.org).
  Output(Format format, bool plain);

  Format format() const { return format_; }
  bool for_people() const { return format_ == Format::kTable; }
  const Look& look() const { return look_; }

  /// The command changes something: it is not ended by a reader that goes. From now on what is written then is dropped,
  /// and lost() says so.
  void outlive_reader() { outlives_ = true; }
  bool lost() const { return lost_; }

  /// As it is. Throws ReaderGone, or Error(kIo).
  void write(std::string_view text);
  /// From now on what is written, notes included, is kept for held() instead, and the line width is read anew.
  void hold();
  /// What was held; it is no longer.
  std::string held();
  /// One document: indented with kJson, a line with kNdjson. REQUIRES: !for_people().
  void document(const event::Json& json);
  /// What a listing holds: with kJson the whole `page`, with kNdjson its `list`, a line each. REQUIRES: !for_people().
  void listing(const event::Json& page);
  /// A sentence for people on standard error.
  void note(std::string_view sentence);

 private:
  Format format_;
  Look look_;
  std::optional<std::string> held_;
  bool outlives_ = false;
  bool lost_ = false;
};

}  // namespace sse::ctl
