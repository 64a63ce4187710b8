#include "send_lines.h"

#include <cstdint>
#include <exception>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cells.h"
#include "line_reader.h"
#include "progress.h"
#include "table.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kBatchLines = 1000;
constexpr std::size_t kBatchBytes = 1024UL * 1024;
constexpr ByteCount kMostLine = mebibytes(8);
constexpr int kPauseMillis = 200;
constexpr std::uint64_t kMostNotes = 20;

class Sending {
 public:
  Sending(Context& context, const std::string& file, const LineDefaults& defaults)
      : context_(context), out_(context.out()), reader_(file, kMostLine), defaults_(defaults) {}

  int run() {
    out_.outlive_reader();
    for (;;) {
      std::string line;
      LineReader::Got got = LineReader::Got::kEnd;
      std::exception_ptr failure;
      try {
        got = reader_.next(line, batch_.empty() ? -1 : kPauseMillis);
      } catch (...) {
        // What was read before is sent.
        failure = std::current_exception();
      }
      if (got == LineReader::Got::kLine) take(line);
      if (got == LineReader::Got::kTooLong) refuse("the line is longer than " + format_bytes(kMostLine));
      const bool goes_on = got == LineReader::Got::kLine || got == LineReader::Got::kTooLong;
      if (batch_.size() >= kBatchLines || bytes_ >= kBatchBytes || !goes_on) flush();
      if (failure) {
        progress_.clear();
        summarize();
        std::rethrow_exception(failure);
      }
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
    // A ttl and a collapse key need qos, which the line may have switched off.
    const bool needs_qos = name == "ttl" || name == "collapse";
    if (!request.contains(name) && (!needs_qos || request.value("qos", api::Json()) != false)) request[name] = value;
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
