#include "table.h"

#include <cmath>
#include <cstdio>

namespace sse::bench {
namespace {

using Json = nlohmann::ordered_json;

std::string number(double value) {
  char text[40];
  const double size = std::abs(value);
  std::snprintf(text, sizeof text, size >= 1000 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f", value);
  return text;
}

std::string padded(std::string text, std::size_t width, bool right = false) {
  // Counts characters, not bytes: µ has two bytes in UTF-8.
  std::size_t cells = 0;
  for (const char c : text) cells += (static_cast<unsigned char>(c) & 0xC0U) == 0x80U ? 0 : 1;
  if (cells < width) text.insert(right ? 0 : text.size(), width - cells, ' ');
  return text;
}

bool reached(const Row& row) {
  const double value = row.bar->of == Bar::Of::kRatio ? row.ratio() : row.ours;
  return row.bar->at_least ? value >= row.bar->limit : value <= row.bar->limit;
}

std::string bar_text(const Row& row) {
  if (!row.bar) return "";
  return std::string(row.bar->at_least ? "≥ " : "≤ ") + number(row.bar->limit) +
         (row.bar->of == Bar::Of::kRatio ? " x" : "");
}

std::string line(const std::string& section, const std::string& what, const std::string& ours,
                 const std::string& reference, const std::string& ratio, const std::string& bar,
                 const std::string& verdict) {
  return padded(section, 4) + padded(what, 62) + padded(ours, 11, true) + padded(reference, 11, true) +
         padded(ratio, 10, true) + padded(bar, 11, true) + "  " + verdict;
}

}  // namespace

std::string Row::verdict() const {
  if (!bar) return "";
  if (reached(*this)) return "ok";
  const double value = bar->of == Bar::Of::kRatio ? ratio() : ours;
  char text[40];
  std::snprintf(text, sizeof text, "missed by %.1f %%", std::abs(value / bar->limit - 1) * 100);
  return text;
}

std::string Row::text() const {
  const bool compared = !reference_name.empty();
  return line(section, what + " [" + unit + "]", number(ours), compared ? number(reference) : "",
              compared ? number(ratio()) + " x" : "", bar_text(*this), verdict()) +
         (compared ? "  (" + reference_name + ")" : "");
}

Json Row::json() const {
  Json json{{"section", section}, {"what", what}, {"unit", unit}, {"ours", ours}};
  if (!reference_name.empty()) {
    json["reference"] = reference;
    json["referenceName"] = reference_name;
    json["ratio"] = ratio();
  }
  if (bar) {
    json["bar"] = bar_text(*this);
    json["reached"] = reached(*this);
    json["verdict"] = verdict();
  }
  return json;
}

Table::Table() {
  std::printf("%s\n", line("", "", "sse-serve", "reference", "ratio", "bar", "").c_str());
}

void Table::add(Row row) {
  std::printf("%s\n", row.text().c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

void Table::note(const std::string& sentence) {
  std::printf("    %s\n", sentence.c_str());
  std::fflush(stdout);
  notes_.push_back(sentence);
}

Json Table::json() const {
  Json rows = Json::array();
  for (const Row& row : rows_) rows.push_back(row.json());
  return {{"rows", rows}, {"notes", notes_}};
}

std::string Table::summary() const {
  int bars = 0;
  int missed = 0;
  for (const Row& row : rows_) {
    if (!row.bar) continue;
    ++bars;
    if (!reached(row)) ++missed;
  }
  return std::to_string(bars - missed) + " of " + std::to_string(bars) + " bars reached";
}

}  // namespace sse::bench
