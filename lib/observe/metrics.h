#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/mutex.h"

namespace sse::observe {

/// Label names and values of one series, e.g. `{{"service","hr"},{"reason","slow"}}`, in any order.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// A number that only grows. Thread safe; uses relaxed atomics, so that counting on a hot path costs one uncontended
/// atomic operation.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// A number that goes up and down. Thread safe.
class Gauge {
 public:
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(std::int64_t delta) { value_.fetch_add(delta, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Counts observations in buckets. Thread safe; a reader may see an observation in the count before it is in the sum.
class Histogram {
 public:
  /// `bounds`: inclusive upper bounds of the buckets, strictly ascending; the bucket up to infinity is implicit.
  explicit Histogram(std::vector<double> bounds);

  void observe(double value);

  const std::vector<double>& bounds() const { return bounds_; }
  /// The number of observations that are at most bounds()[i]; for i == bounds().size(), of all observations.
  std::uint64_t cumulative(std::size_t i) const;
  std::uint64_t count() const { return cumulative(bounds_.size()); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> buckets_;
  std::atomic<double> sum_{0};
};

/// Histogram bounds for latencies in seconds: from 50 µs to 10 s.
std::vector<double> latencies();

/// The metrics of one server; an object, so that two servers in one process do not share counts. Thread safe:
/// registering and reading take a mutex, counting never does. The returned objects belong to the registry and exist as
/// long as it. The same name and labels return the same object.
///
/// REQUIRES, asserted: names and label names are Prometheus identifiers, a counter's name ends in `_total`, and each
/// name has one type.
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& counter(std::string name, std::string help, Labels labels = {});
  Gauge& gauge(std::string name, std::string help, Labels labels = {});
  /// `bounds` are used only when this call creates the histogram.
  Histogram& histogram(std::string name, std::string help, std::vector<double> bounds, Labels labels = {});
  /// A gauge whose value `read` returns when the metrics are read. `read` runs on the reader's thread with the registry
  /// locked: it must not use the registry, and must stay callable as long as the registry exists. A second call for the
  /// same series replaces `read`.
  void gauge_callback(std::string name, std::string help, std::function<double()> read, Labels labels = {});
  /// The same for a value that only grows.
  void counter_callback(std::string name, std::string help, std::function<double()> read, Labels labels = {});

  /// Prometheus text format 0.0.4, families and series sorted by name.
  std::string prometheus() const;
  /// `name{label="value"}` → value, for the status call; a histogram is included as its `_count` and `_sum`.
  std::map<std::string, double> snapshot() const;

 private:
  using Callback = std::function<double()>;
  using Metric = std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>, Callback>;
  struct Family {
    std::string_view type;
    std::string help;
    std::map<std::string, Metric> series;  // by rendered labels: `a="1",b="2"`
  };

  void callback(std::string name, std::string help, std::string_view type, std::function<double()> read, Labels labels);
  Metric& find_or_add(std::string name, std::string help, std::string_view type, Labels labels, auto make)
      REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Family> families_ GUARDED_BY(mutex_);
};

}  // namespace sse::observe
