#include "send_lines.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "cells.h"
#include "progress.h"
#include "table.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kBatchLines = 1000;
constexpr std::size_t kBatchBytes = 1024UL * 1024;
constexpr std::size_t kMostLine = 8UL * 1024 * 1024;
constexpr int kPauseMillis = 200;
constexpr std::uint64_t kMostNotes = 20;

// Lines of a file or pipe as they come.
class LineReader {
 public:
  explicit LineReader(const std::string& file) {
    if (file != "-") {
      own_ = UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
      if (!own_.valid()) throw system_error(errno, "cannot read " + file);
    }
    fd_ = file == "-" ? STDIN_FILENO : own_.get();
    struct stat status {};
    if (fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) size_ = static_cast<std::uint64_t>(status.st_size);
  }

  enum class Got { kLine, kPause, kEnd };
  // kPause: nothing came for so long; negative: waits for ever.
  Got next(std::string& line, int pause_millis) {
    for (;;) {
      if (const std::size_t end = rest_.find('\n', begin_); end != std::string::npos) {
        line = rest_.substr(begin_, end - begin_);
        begin_ = end + 1;
        return Got::kLine;
      }
      rest_.erase(0, std::exchange(begin_, 0));
      if (rest_.size() > kMostLine) throw Error(ErrorCode::kTooLarge, "a line of the input is longer than 8 MiB");
      pollfd input{fd_, POLLIN, 0};
      const int ready = poll(&input, 1, pause_millis);
      if (ready == 0) return Got::kPause;
      if (ready < 0 && errno == EINTR) continue;
      std::array<char, 65536> bytes{};
      const ssize_t n = ::read(fd_, bytes.data(), bytes.size());
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (n < 0) throw system_error(errno, "cannot read the input");
      if (n == 0) {
        line = std::exchange(rest_, {});
        return line.empty() ? Got::kEnd : Got::kLine;
      }
      read_ += static_cast<std::uint64_t>(n);
      rest_.append(bytes.data(), static_cast<std::size_t>(n));
    }
  }
  std::uint64_t bytes_done() const { return read_ - (rest_.size() - begin_); }
  /// 0 when nobody knows.
  std::uint64_t size() const { return size_; }

 private:
  UniqueFd own_;
  int fd_ = -1;
  std::string rest_;
  std::size_t begin_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t size_ = 0;
};

class Sending {
 public:
  Sending(Context& context, const std::string& file, const LineDefaults& defaults)
      : context_(context), out_(context.out()), reader_(file), defaults_(defaults) {}

  int run() {
    for (;;) {
      std::string line;
      const auto got = reader_.next(line, batch_.empty() ? -1 : kPauseMillis);
      if (got == LineReader::Got::kLine) take(line);
      const bool full = waiting_ >= kBatchLines || bytes_ >= kBatchBytes;
      if (full || got != LineReader::Got::kLine) flush();
      if (got == LineReader::Got::kEnd) break;
    }
    progress_.clear();
    summarize();
    return failed_ == 0 ? kDone : kFailed;
  }

 private:
  struct Waiting {
    std::uint64_t line;
    std::string request;  // empty: refused here
    api::Json problem;
  };

  void take(const std::string& line) {
    ++lines_;
    if (line.find_first_not_of(" \t\r") == std::string::npos) return;
    Waiting one{lines_, {}, nullptr};
    try {
      one.request = bulk_line(line, defaults_);
      ++waiting_;
      bytes_ += one.request.size();
    } catch (const Error& e) {
      one.problem = {{"code", error_name(e.code())}, {"detail", e.what()}};
    }
    batch_.push_back(std::move(one));
  }

  void flush() {
    if (batch_.empty()) return;
    std::string body;
    for (const Waiting& one : batch_) {
      if (!one.request.empty()) body += one.request + '\n';
    }
    std::vector<api::Json> answers;
    try {
      if (!body.empty()) answers = context_.client().send_lines(body);
    } catch (...) {
      progress_.clear();
      summarize();
      out_.note("the lines from " + std::to_string(batch_.front().line) + " to " + std::to_string(batch_.back().line) +
                " were not confirmed");
      throw;
    }
    std::size_t next = 0;
    for (const Waiting& one : batch_) {
      if (!one.request.empty() && next == answers.size())
        throw Error(ErrorCode::kUnavailable, "the server answered fewer lines than it was sent");
      result(one.line, one.request.empty() ? one.problem : answers[next++]);
    }
    batch_.clear();
    waiting_ = 0;
    bytes_ = 0;
    if (reader_.size() != 0) progress_.show("sending", reader_.bytes_done(), reader_.size());
  }

  void result(std::uint64_t line, api::Json answer) {
    const bool good = answer.contains("delivered");
    if (good) {
      ++sent_;
      delivered_ += count_in(answer, "delivered");
      pending_ += count_in(answer, "pending");
    } else {
      ++failed_;
      if (out_.format() != Format::kNdjson && failed_ <= kMostNotes) {
        progress_.clear();
        out_.note("line " + std::to_string(line) + ": " + text_cell(answer, "detail"));
        if (failed_ == kMostNotes) out_.note("what else fails is only counted; -o ndjson tells every line's result");
      }
    }
    if (out_.format() != Format::kNdjson) return;
    answer["line"] = line;
    out_.document(answer);
  }

  void summarize() {
    if (out_.for_people()) {
      out_.write(render_fields({{"sent", plural(sent_, "message"), Mood::kPlain},
                                {"failed", failed_ == 0 ? "" : plural(failed_, "line"), Mood::kBad},
                                {"delivered", plural(delivered_, "connection")},
                                {"pending", pending_ == 0 ? "" : plural(pending_, "recipient")}},
                               out_.look()));
    } else if (out_.format() == Format::kJson) {
      out_.document({{"sent", sent_}, {"failed", failed_}, {"delivered", delivered_}, {"pending", pending_}});
    } else {
      out_.note("sent " + plural(sent_, "message") + ", " + plural(failed_, "line") + " failed");
    }
  }

  Context& context_;
  Output& out_;
  LineReader reader_;
  const LineDefaults& defaults_;
  Progress progress_;
  std::vector<Waiting> batch_;
  std::size_t waiting_ = 0;  // requests in the batch
  std::size_t bytes_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t pending_ = 0;
};

}  // namespace

std::string bulk_line(std::string_view line, const LineDefaults& defaults) {
  api::Json request = event::parse_json(line, "the line");
  if (!request.is_object()) throw Error(ErrorCode::kInvalidArgument, "the line is no JSON object");
  for (const auto& [name, value] : defaults.fields.items()) {
    // A ttl needs qos, which the line may have switched off.
    if (!request.contains(name) && (name != "ttl" || request.value("qos", api::Json()) != false)) request[name] = value;
  }
  // What the server would say, without asking it; and replacement characters must not stand in for what was meant.
  const api::SendRequest checked = api::send_request_from_json(request);
  if (!is_valid_utf8(line)) throw Error(ErrorCode::kInvalidArgument, "the line is not valid UTF-8");
  return event::dump_json(request);
}

int send_lines(Context& context, const std::string& file, const LineDefaults& defaults) {
  return Sending(context, file, defaults).run();
}

}  // namespace sse::ctl
