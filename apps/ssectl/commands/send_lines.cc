#include "ssectl/commands/send_lines.h"

#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "ssectl/input/line_reader.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/progress.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kBatchLines = 1000;
constexpr std::size_t kBatchBytes = 1024UL * 1024;
constexpr ByteCount kMaxLine = mebibytes(8);
constexpr int kPauseMillis = 200;
constexpr std::uint64_t kMaxNotes = 20;

class Sending {
 public:
  Sending(Context& context, const std::string& file, const LineDefaults& defaults)
      : context_(context), out_(context.out()), reader_(file, kMaxLine), defaults_(defaults) {}

  int run() {
    out_.ignore_closed_stdout();
    for (;;) {
      std::string line;
      LineReader::ReadResult got = LineReader::ReadResult::kEnd;
      std::exception_ptr failure;
      try {
        got = reader_.next(line, batch_.empty() ? -1 : kPauseMillis);
      } catch (...) {
        // The lines read so far are still sent.
        failure = std::current_exception();
      }
      if (got == LineReader::ReadResult::kLine) take(line);
      if (got == LineReader::ReadResult::kTooLong) refuse("the line is longer than " + format_bytes(kMaxLine));
      const bool goes_on = got == LineReader::ReadResult::kLine || got == LineReader::ReadResult::kTooLong;
      if (batch_.size() >= kBatchLines || bytes_ >= kBatchBytes || !goes_on) flush();
      if (failure) {
        progress_.clear();
        summarize();
        std::rethrow_exception(failure);
      }
      if (got == LineReader::ReadResult::kEnd) break;
    }
    progress_.clear();
    summarize();
    return failed_ == 0 ? kDone : kFailed;
  }

 private:
  struct Waiting {
    std::uint64_t line;
    std::string request;  // empty if the line was refused before sending
    api::Json problem;
  };

  void take(const std::string& line) {
    ++lines_;
    if (line.find_first_not_of(" \t\r") == std::string::npos) return;
    try {
      batch_.push_back({lines_, bulk_line(line, defaults_), nullptr});
      bytes_ += batch_.back().request.size();
    } catch (const Error& e) {
      batch_.push_back({lines_, {}, {{"code", error_name(e.code())}, {"detail", e.what()}}});
    }
  }

  void refuse(const std::string& why) {
    batch_.push_back({++lines_, {}, {{"code", error_name(ErrorCode::kTooLarge)}, {"detail", why}}});
  }

  void flush() {
    if (batch_.empty()) return;
    std::string body;
    for (const Waiting& one : batch_) {
      if (!one.request.empty()) body += one.request + '\n';
    }
    std::vector<api::Json> answers;
    try {
      if (!body.empty()) answers = context_.client().send_lines(body, defaults_.traceparent);
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
        throw Error(ErrorCode::kUnavailable, "the server returned fewer results than lines were sent");
      result(one.line, one.request.empty() ? one.problem : answers[next++]);
    }
    batch_.clear();
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
      if (out_.format() != Format::kNdjson && failed_ <= kMaxNotes) {
        progress_.clear();
        out_.note("line " + std::to_string(line) + ": " + text_cell(answer, "detail"));
        if (failed_ == kMaxNotes) out_.note("further failures are only counted; -o ndjson prints every line's result");
      }
    }
    if (out_.format() != Format::kNdjson) return;
    answer["line"] = line;
    out_.document(answer);
  }

  void summarize() {
    if (out_.human_readable()) {
      out_.write(render_fields({{"sent", plural(sent_, "message"), CellStyle::kPlain},
                                {"failed", failed_ == 0 ? "" : plural(failed_, "line"), CellStyle::kBad},
                                {"delivered", plural(delivered_, "connection")},
                                {"pending", pending_ == 0 ? "" : plural(pending_, "recipient")}},
                               out_.style()));
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
  if (!request.is_object()) throw Error(ErrorCode::kInvalidArgument, "the line is not a JSON object");
  for (const auto& [name, value] : defaults.fields.items()) {
    // These need qos, which the line may have switched off.
    const bool needs_qos = name == "ttl" || name == "collapse" || name == "notify";
    if (!request.contains(name) && (!needs_qos || request.value("qos", api::Json()) != false)) request[name] = value;
  }
  // Checks the request like the server would, without a round trip. JSON would replace invalid UTF-8 with replacement
  // characters.
  const api::SendRequest checked = api::send_request_from_json(request);
  if (!is_valid_utf8(line)) throw Error(ErrorCode::kInvalidArgument, "the line is not valid UTF-8");
  return event::dump_json(request);
}

int send_lines(Context& context, const std::string& file, const LineDefaults& defaults) {
  return Sending(context, file, defaults).run();
}

}  // namespace sse::ctl
