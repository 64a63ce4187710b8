#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "event/json.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {

enum class Verdict {
  kOk,
  kNote,       ///< worth knowing, nothing to mend
  kFinding,    ///< something to mend
  kUnchecked,  ///< could not be found out; the detail says why
};

/// One line of a report: what was looked at, and what it turned out to be.
struct Check {
  std::string name;
  Verdict verdict = Verdict::kOk;
  std::string detail;
};

/// The result of an examination of an event stream.
class Report {
 public:
  explicit Report(std::string url) : url_(std::move(url)) {}

  void add(std::string_view name, Verdict verdict, std::string detail);
  /// The proxy that answered, a key of advice_for(); empty when unknown. With a known one only its advice is shown.
  void set_proxy(std::string proxy) { proxy_ = std::move(proxy); }

  const std::vector<Check>& checks() const { return checks_; }
  std::size_t findings() const;
  /// `{"url": …, "proxy": …, "findings": n, "checks": [{"check", "result", "detail", "advice": [{"for", "line"}]}]}`
  event::Json json() const;

 private:
  std::string url_;
  std::string proxy_;
  std::vector<Check> checks_;
};

/// Report::json() for people.
std::string describe_report(const event::Json& report, const TableStyle& style);

}  // namespace sse::ctl
