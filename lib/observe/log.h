#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "sse-server/log.h"

namespace sse::observe {

/// The log of the process: one line for each event, to stderr or a file, as text or JSON.
using Level = sse::LogLevel;
enum class LogFormat { kText, kJson };

/// Parse option values: `debug`, `info`, `warn` or `warning`, `error`; `text`, `json`.
Level level_from_name(std::string_view name);
LogFormat log_format_from_name(std::string_view name);

struct LogOptions {
  Level level = Level::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  ///< appended to, created with mode 0640; empty: stderr
};

using Field = sse::LogField;

/// Configures the log of the process; before the first call, level info goes to stderr as text. May be called again
/// (tests).
/// Throws Error when the file cannot be opened; the configuration then stays unchanged.
void init_logging(const LogOptions& options);

/// Reopens the log file after a rotation; does nothing for stderr. Never throws: when the file cannot be opened, the
/// old one stays in use and gets an error line. Not async-signal-safe: call it from a thread, not from the signal
/// handler.
void reopen_log();

/// Makes `sink` get the lines of `level` and above, until the returned handle is destroyed, which waits for a running
/// call. While there are sinks, nothing goes to stderr or the file. Thread rules: see LogSink.
[[nodiscard]] std::shared_ptr<void> add_log_sink(LogSink sink, Level level);

/// True when `level` is written; check it first when the fields are expensive to build.
bool log_enabled(Level level);

/// Writes one line. Thread safe, lines never mix; never throws.
///
///     2024-03-01T12:00:00.000Z info stream closed connection=847140540416 reason="slow consumer"
///     {"time":"2024-03-01T12:00:00.000Z","level":"info","message":"stream closed","fields":{"reason":"slow consumer"}}
///
/// In text, control characters and invalid UTF-8 become `\xNN`, so that a client cannot forge a line or send control
/// sequences to a terminal; a value that is empty or contains a space, `=` or `"` is quoted. In JSON, invalid UTF-8
/// becomes U+FFFD.
void log(Level level, std::string_view message, std::initializer_list<Field> fields = {}) noexcept;

inline void log_debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  log(Level::kDebug, message, fields);
}
inline void log_info(std::string_view message, std::initializer_list<Field> fields = {}) {
  log(Level::kInfo, message, fields);
}
inline void log_warn(std::string_view message, std::initializer_list<Field> fields = {}) {
  log(Level::kWarn, message, fields);
}
inline void log_error(std::string_view message, std::initializer_list<Field> fields = {}) {
  log(Level::kError, message, fields);
}

}  // namespace sse::observe
