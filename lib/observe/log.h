#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace sse::observe {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

/// Inverse of what the options take: `debug`, `info`, `warn` or `warning`, `error`; `text`, `json`.
/// Throw Error(kInvalidArgument).
Level level_from_name(std::string_view name);
LogFormat log_format_from_name(std::string_view name);

struct LogOptions {
  Level level = Level::kInfo;
  LogFormat format = LogFormat::kText;
  std::string file;  ///< appended to, created with mode 0640; empty: stderr
};

/// Something known about an event that is worth finding it by. Never a token or a message body.
struct Field {
  std::string_view key;
  std::string value;
};

/// Sets up the log of the process; before this, level info goes to stderr as text. May be called again (tests).
/// Throws Error when the file cannot be opened; the log then stays as it was.
void init_logging(const LogOptions& options);

/// Opens the log file anew, after a rotation; nothing to do for stderr. Never throws: if the file cannot be opened, the
/// old one is kept and told so. Not async-signal-safe: call it from a thread, not from the signal handler.
void reopen_log();

/// True when `level` is written; ask first where making the fields costs.
bool log_enabled(Level level);

/// Writes one line. Thread safe, lines never mix; never throws.
///
///     2024-03-01T12:00:00.000Z info stream closed connection=847140540416 reason="slow consumer"
///     {"time":"2024-03-01T12:00:00.000Z","level":"info","message":"stream closed","fields":{"reason":"slow consumer"}}
///
/// In text, control characters and invalid UTF-8 become `\xNN`, so nobody can forge a line or drive a terminal; a value
/// that is empty or holds a blank, `=` or `"` is quoted. In JSON, invalid UTF-8 becomes U+FFFD.
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
