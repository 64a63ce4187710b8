#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "ssectl/commands/command.h"
#include "ssectl/input/line_reader.h"
#include "ssectl/terminal/cells.h"
#include "ssectl/terminal/progress.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kLinesPerCall = 1000;
constexpr std::size_t kBytesPerCall = std::size_t{4} * 1024 * 1024;
// The longest line that the admin API accepts in one request.
constexpr ByteCount kMaxLine = mebibytes(64);
constexpr std::uint64_t kMaxNotes = 20;

struct Options {
  std::string file;
};

class Import {
 public:
  Import(Context& context, const std::string& file) : context_(context), out_(context.out()), reader_(file, kMaxLine) {}

  int run() {
    out_.ignore_closed_stdout();
    for (;;) {
      std::string line;
      LineReader::ReadResult got = LineReader::ReadResult::kEnd;
      try {
        got = reader_.next(line, -1);
      } catch (...) {
        // The lines read so far are still imported.
        flush();
        summarize();
        throw;
      }
      if (got == LineReader::ReadResult::kEnd) break;
      ++number_;
      if (got == LineReader::ReadResult::kTooLong) {
        refuse(number_, "the line is longer than " + format_bytes(kMaxLine));
        continue;
      }
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (!batch_.empty() && batch_.size() + line.size() > kBytesPerCall) flush();
      batch_.append(line).append("\n");
      numbers_.push_back(number_);
      if (numbers_.size() >= kLinesPerCall) flush();
    }
    flush();
    summarize();
    return refused_ == 0 ? kDone : kFailed;
  }

 private:
  void flush() {
    if (numbers_.empty()) return;
    std::vector<api::Json> answers;
    try {
      answers = context_.client().send_lines(batch_);
    } catch (...) {
      summarize();
      out_.note("the lines from " + std::to_string(numbers_.front()) +
                " on were not confirmed; import the file again, "
                "messages that are stored already are not duplicated");
      throw;
    }
    if (answers.size() != numbers_.size())
      throw Error(ErrorCode::kUnavailable, "the server returned fewer results than lines were sent");
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].contains("status")) {
        refuse(numbers_[i], text_cell(answers[i], "detail"));
      } else {
        ++(answers[i].value("repeated", false) ? repeated_ : accepted_);
      }
    }
    batch_.clear();
    numbers_.clear();
    if (reader_.size() != 0) progress_.show("importing", reader_.bytes_done(), reader_.size());
  }

  void refuse(std::uint64_t line, const std::string& why) {
    if (++refused_ > kMaxNotes) return;
    progress_.clear();
    out_.note("line " + std::to_string(line) + ": " + why);
    if (refused_ == kMaxNotes) out_.note("further refusals are only counted");
  }

  void summarize() {
    progress_.clear();
    if (out_.human_readable()) {
      out_.write("imported " + plural(accepted_, "message") + ", " + std::to_string(repeated_) +
                 " were stored already, " + std::to_string(refused_) + " refused\n");
    } else {
      out_.document({{"accepted", accepted_}, {"repeated", repeated_}, {"refused", refused_}});
    }
  }

  Context& context_;
  Output& out_;
  LineReader reader_;
  Progress progress_;
  std::string batch_;
  std::vector<std::uint64_t> numbers_;  // numbers of the lines in the batch
  std::uint64_t number_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace

Run declare_messages_import(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "Output of messages export; - for standard input").required().type_name("");
  return [options](Context& context) { return Import(context, options->file).run(); };
}

}  // namespace sse::ctl
