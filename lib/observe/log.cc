#include "observe/log.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/json_text.h"
#include "base/shown_json.h"
#include "base/text.h"
#include "observe/log_sinks.h"
#include "observe/structured_log.h"

namespace sse::observe {
namespace {

constexpr std::size_t kMaxBytes = 4096;

UniqueFd open_file(const std::string& file) {
  UniqueFd fd(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!fd.valid()) throw system_error(errno, "cannot open the log file " + file);
  return fd;
}

// Writes each line with one write(2), so that a rotation or a crash never leaves half a line. spdlog's own file sink
// buffers and cannot reopen.
class FdSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void use(std::string file, LogFormat format) {
    UniqueFd fd = file.empty() ? UniqueFd() : open_file(file);
    const std::lock_guard lock(mutex_);
    set_pattern_(format == LogFormat::kJson ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                            : "%Y-%m-%dT%H:%M:%S.%eZ %l %v");
    file_ = std::move(file);
    fd_ = std::move(fd);
  }

  void reopen() {
    const std::lock_guard lock(mutex_);
    if (!file_.empty()) fd_ = open_file(file_);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const int fd = fd_.valid() ? fd_.get() : STDERR_FILENO;
    const char* data = line.data();
    std::size_t rest = line.size();
    while (rest > 0) {
      const ssize_t n = ::write(fd, data, rest);
      if (n < 0 && errno == EINTR) continue;
      // A log that cannot be written (full disk, closed pipe) must not stop the server.
      if (n <= 0) return;
      data += n;
      rest -= static_cast<std::size_t>(n);
    }
  }
  void flush_() override {}
  void set_pattern_(const std::string& pattern) override {
    formatter_ = std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n");
  }

 private:
  std::string file_;
  UniqueFd fd_;
};

struct Log {
  Log() { sink->use("", LogFormat::kText); }

  std::shared_ptr<FdSink> sink = std::make_shared<FdSink>();
  spdlog::logger logger{"sse", sink};
  std::atomic<LogFormat> format{LogFormat::kText};
  LogSinks sinks;
};

// Never destroyed: threads and static destructors may still log while the process exits.
Log& instance() {
  static Log& log = *new Log;
  return log;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      break;
  }
  return spdlog::level::err;
}

std::string json_string(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return shown_json(json);
}

bool is_trace_field(std::string_view key) {
  return key == "trace_id" || key == "span_id" || key == "trace_flags";
}

std::string json_body(std::string_view message, std::initializer_list<Field> fields) {
  std::string out = R"("message":)" + json_string(message);
  const auto add = [&out](char separator, const Field& field) {
    out += separator + json_string(field.key) + ':' + json_string(field.value);
  };
  char separator = '{';
  for (const Field& field : fields) {
    if (is_trace_field(field.key)) add(',', field);
  }
  for (const Field& field : fields) {
    if (is_trace_field(field.key)) continue;
    if (separator == '{') out += R"(,"fields":)";
    add(separator, field);
    separator = ',';
  }
  if (separator == ',') out += '}';
  return out;
}

std::string text_body(std::string_view message, std::initializer_list<Field> fields) {
  std::string out = printable(message, kMaxBytes);
  for (const Field& field : fields) {
    out += ' ';
    out += field.key;
    out += '=';
    const std::string value = printable(field.value, kMaxBytes);
    if (!value.empty() && value.find_first_of(" =\"") == std::string::npos) {
      out += value;
      continue;
    }
    out += '"';
    for (const char c : value) {
      if (c == '"') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out;
}

}  // namespace

Level level_from_name(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "info") return Level::kInfo;
  if (name == "warn" || name == "warning") return Level::kWarn;
  if (name == "error") return Level::kError;
  throw Error(ErrorCode::kInvalidArgument,
              "'" + printable(name, 40) + "' is not a log level; use debug, info, warn or error");
}

LogFormat log_format_from_name(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  throw Error(ErrorCode::kInvalidArgument, "'" + printable(name, 40) + "' is not a log format; use text or json");
}

void init_logging(const LogOptions& options) {
  Log& log = instance();
  log.sink->use(options.file, options.format);
  log.format.store(options.format, std::memory_order_relaxed);
  log.logger.set_level(to_spdlog(options.level));
}

void reopen_log() {
  try {
    instance().sink->reopen();
  } catch (const Error& error) {
    log_error("the log file could not be reopened; the old one stays in use", {{"error", error.what()}});
  }
}

std::shared_ptr<void> add_log_sink(LogSink sink, Level level) {
  LogSinks& sinks = instance().sinks;
  auto place = std::make_unique<LogSinks::Place>(sinks.add(std::move(sink), level));
  return {place.release(), [&sinks](void* added) {
            const std::unique_ptr<LogSinks::Place> owned(static_cast<LogSinks::Place*>(added));
            sinks.remove(*owned);
          }};
}

bool log_enabled(Level level) {
  const Log& log = instance();
  return log.sinks.any() ? log.sinks.takes(level) : log.logger.should_log(to_spdlog(level));
}

bool structured_log_enabled(Level level) {
  const Log& log = instance();
  return log_enabled(level) && (log.sinks.any() || log.format.load(std::memory_order_relaxed) == LogFormat::kJson);
}

void log(Level level, std::string_view message, std::initializer_list<Field> fields) noexcept try {
  if (!log_enabled(level)) return;
  Log& log = instance();
  if (log.sinks.any()) {
    log.sinks.log({Clock::system().wall_now(), level, message, {fields.begin(), fields.size()}});
    return;
  }
  const bool json = log.format.load(std::memory_order_relaxed) == LogFormat::kJson;
  log.logger.log(to_spdlog(level), json ? json_body(message, fields) : text_body(message, fields));
} catch (...) {
  // Out of memory: the line is lost, the caller continues.
}

}  // namespace sse::observe
