#include "observe/metrics.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>

namespace sse::observe {
namespace {

[[maybe_unused]] bool is_identifier(std::string_view name, bool colon) {
  const auto good = [colon](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colon && c == ':');
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), good) && !(name[0] >= '0' && name[0] <= '9');
}

std::string escape(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
  return out;
}

std::string render(Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string out;
  for (const auto& [name, value] : labels) {
    assert(is_identifier(name, false));
    out += (out.empty() ? "" : ",") + name + "=\"" + escape(value, true) + '"';
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), result.ptr};
}
std::string number(std::uint64_t value) {
  return std::to_string(value);
}
std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::string series_name(const std::string& name, std::string_view labels, std::string_view more = {}) {
  if (labels.empty() && more.empty()) return name;
  return name + '{' + std::string(labels) + (labels.empty() || more.empty() ? "" : ",") + std::string(more) + '}';
}

template <class... Visitors>
struct Overload : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overload(Visitors...) -> Overload<Visitors...>;

}  // namespace

std::vector<double> latencies() {
  return {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), buckets_(bounds_.size() + 1) {
  assert(std::adjacent_find(bounds_.begin(), bounds_.end(), std::greater_equal<>()) == bounds_.end());
}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::cumulative(std::size_t i) const {
  std::uint64_t total = 0;
  for (std::size_t b = 0; b <= i; ++b) total += buckets_[b].load(std::memory_order_relaxed);
  return total;
}

Registry::Metric& Registry::find_or_add(std::string name, std::string help, std::string_view type, Labels labels,
                                        auto make) {
  assert(is_identifier(name, true));
  Family& family = families_.try_emplace(std::move(name), Family{type, std::move(help), {}}).first->second;
  assert(family.type == type);
  std::string key = render(std::move(labels));
  const auto found = family.series.find(key);
  if (found != family.series.end()) return found->second;
  return family.series.emplace(std::move(key), make()).first->second;
}

Counter& Registry::counter(std::string name, std::string help, Labels labels) {
  assert(name.ends_with("_total"));
  const MutexLock lock(mutex_);
  return *std::get<std::unique_ptr<Counter>>(find_or_add(std::move(name), std::move(help), "counter", std::move(labels),
                                                         [] { return std::make_unique<Counter>(); }));
}

Gauge& Registry::gauge(std::string name, std::string help, Labels labels) {
  const MutexLock lock(mutex_);
  return *std::get<std::unique_ptr<Gauge>>(find_or_add(std::move(name), std::move(help), "gauge", std::move(labels),
                                                       [] { return std::make_unique<Gauge>(); }));
}

Histogram& Registry::histogram(std::string name, std::string help, std::vector<double> bounds, Labels labels) {
  const MutexLock lock(mutex_);
  return *std::get<std::unique_ptr<Histogram>>(
      find_or_add(std::move(name), std::move(help), "histogram", std::move(labels),
                  [&bounds] { return std::make_unique<Histogram>(std::move(bounds)); }));
}

void Registry::gauge_callback(std::string name, std::string help, std::function<double()> read, Labels labels) {
  callback(std::move(name), std::move(help), "gauge", std::move(read), std::move(labels));
}

void Registry::counter_callback(std::string name, std::string help, std::function<double()> read, Labels labels) {
  assert(name.ends_with("_total"));
  callback(std::move(name), std::move(help), "counter", std::move(read), std::move(labels));
}

void Registry::callback(std::string name, std::string help, std::string_view type, std::function<double()> read,
                        Labels labels) {
  const MutexLock lock(mutex_);
  std::get<Callback>(find_or_add(std::move(name), std::move(help), type, std::move(labels),
                                 [] { return Callback(); })) = std::move(read);
}

std::string Registry::prometheus() const {
  const MutexLock lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + ' ' + escape(family.help, false) + '\n';
    out += "# TYPE " + name + ' ' + std::string(family.type) + '\n';
    for (const auto& [labels, metric] : family.series) {
      const auto line = [&, &name = name, &labels = labels](std::string_view suffix, std::string_view more,
                                                            auto value) {
        out += series_name(name + std::string(suffix), labels, more) + ' ' + number(value) + '\n';
      };
      std::visit(Overload{[&](const Callback& read) { line("", "", read()); },
                          [&](const std::unique_ptr<Histogram>& h) {
                            for (std::size_t i = 0; i < h->bounds().size(); ++i) {
                              line("_bucket", "le=\"" + number(h->bounds()[i]) + '"', h->cumulative(i));
                            }
                            const std::uint64_t count = h->count();
                            line("_bucket", "le=\"+Inf\"", count);
                            line("_sum", "", h->sum());
                            line("_count", "", count);
                          },
                          [&](const auto& single) { line("", "", single->value()); }},
                 metric);
    }
  }
  return out;
}

std::map<std::string, double> Registry::snapshot() const {
  const MutexLock lock(mutex_);
  std::map<std::string, double> out;
  for (const auto& [name, family] : families_) {
    for (const auto& [labels, metric] : family.series) {
      std::visit(Overload{[&, &name = name, &labels = labels](const Callback& read) {
                            out[series_name(name, labels)] = read();
                          },
                          [&, &name = name, &labels = labels](const std::unique_ptr<Histogram>& h) {
                            out[series_name(name + "_count", labels)] = static_cast<double>(h->count());
                            out[series_name(name + "_sum", labels)] = h->sum();
                          },
                          [&, &name = name, &labels = labels](const auto& single) {
                            out[series_name(name, labels)] = static_cast<double>(single->value());
                          }},
                 metric);
    }
  }
  return out;
}

}  // namespace sse::observe
