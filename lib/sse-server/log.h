#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "sse-server/units.h"

namespace sse {

/// How important a log line is.
enum class LogLevel {
  kDebug,  ///< for the search of a defect
  kInfo,   ///< what an operator may want to know
  kWarn,   ///< something was refused, dropped or late
  kError,  ///< something failed
};

/// A searchable detail of a log line, such as a connection id. Never a token or a message body.
struct LogField {
  std::string_view key;  ///< `connection`, `reason`, …
  std::string value;     ///< may contain what a client sent: any bytes
};

/// A log line. Valid during the call only.
struct LogRecord {
  WallTime time;                     ///< when it was logged
  LogLevel level;                    ///< how important it is
  std::string_view message;          ///< a sentence, or the beginning of one
  std::span<const LogField> fields;  ///< its details
};

/// Takes the log lines of the library, see ServerOptions::log_sink.
///
/// Runs on the thread that logs, which may be a loop thread that serves thousands of streams, one call at a time: it
/// must return quickly and must not wait for a thread that uses the server. Lines that the sink itself causes are
/// dropped, and so are its exceptions.
using LogSink = std::function<void(const LogRecord&)>;

}  // namespace sse
