#include "ssectl/doctor/report.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "ssectl/doctor/advice.h"
#include "ssectl/terminal/cells.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kResultColumn = 13;
constexpr std::size_t kDetailColumn = 25;
constexpr std::size_t kMinDetail = 30;
constexpr std::size_t kMaxDetail = 2000;

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kNote:
      return "note";
    case Verdict::kFinding:
      return "finding";
    case Verdict::kUnchecked:
      return "not checked";
  }
  return "";
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 1, width), ' ');
  return text;
}

// Breaks `text` at blanks into lines of at most `width`, the further ones indented.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string lines;
  while (text.size() > width) {
    std::size_t cut = text.rfind(' ', width);
    if (cut == std::string_view::npos || cut == 0) cut = std::min(text.find(' '), text.size());
    lines += std::string(text.substr(0, cut)) + '\n' + std::string(indent, ' ');
    text.remove_prefix(std::min(cut + 1, text.size()));
  }
  return lines + std::string(text) + '\n';
}

std::string_view colour_of(std::string_view result) {
  if (result == "finding") return "\033[1;31m";
  return result == "ok" ? "\033[32m" : "";
}

}  // namespace

void Report::add(std::string_view name, Verdict verdict, std::string detail) {
  checks_.push_back({std::string(name), verdict, std::move(detail)});
}

std::size_t Report::findings() const {
  return static_cast<std::size_t>(std::ranges::count(checks_, Verdict::kFinding, &Check::verdict));
}

event::Json Report::json() const {
  event::Json list = event::Json::array();
  for (const Check& check : checks_) {
    event::Json row{{"check", check.name}, {"result", name_of(check.verdict)}, {"detail", check.detail}};
    if (check.verdict == Verdict::kFinding) {
      row["advice"] = event::Json::array();
      for (const Advice& advice : advice_for(check.name, proxy_))
        row["advice"].push_back({{"for", advice.program}, {"line", advice.line}});
    }
    list.push_back(std::move(row));
  }
  return {{"url", url_}, {"proxy", proxy_}, {"findings", findings()}, {"checks", std::move(list)}};
}

std::string describe_report(const event::Json& report, const TableStyle& style) {
  const std::size_t line = style.width == 0 ? 120 : style.width;
  const std::size_t width = std::max(kMinDetail, line - std::min(line, kDetailColumn));
  std::string text;
  for (const event::Json& check : report.at("checks")) {
    const std::string result = text_cell(check, "result");
    const std::string_view colour = style.colour ? colour_of(result) : "";
    text += padded(text_cell(check, "check"), kResultColumn);
    const std::string cell = padded(result, kDetailColumn - kResultColumn);
    text += colour.empty() ? cell : std::string(colour) + cell + "\033[0m";
    text += wrapped(printable(text_cell(check, "detail"), kMaxDetail), width, kDetailColumn);
    const auto advice = check.find("advice");
    if (advice == check.end()) continue;
    for (const event::Json& one : *advice) {
      text += std::string(kResultColumn, ' ') + padded(text_cell(one, "for"), kDetailColumn - kResultColumn);
      // Not wrapped: it is copied into a configuration.
      text += text_cell(one, "line") + '\n';
    }
  }
  return text;
}

}  // namespace sse::ctl
