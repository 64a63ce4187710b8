#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/error.h"
#include "cluster/redis/redis_repository.h"
#include "cluster/redis/redis_repository_scripts.h"
#include "cluster/redis/redis_repository_values.h"

// The part of RedisRepository that has the delivery reports.
namespace sse::cluster {
namespace {

using redis_values::id_of;
using redis_values::integer;
using redis_values::number;
using store::DeliveryReport;

constexpr std::size_t kFieldsOfAReport = 11;

// An unknown name, of a later version, becomes the last one.
DeliveryReport::Outcome outcome_from(const std::string& name) {
  using Outcome = DeliveryReport::Outcome;
  constexpr std::array kAll{Outcome::kConfirmed, Outcome::kExpired, Outcome::kDead, Outcome::kDeleted};
  const auto* const found = std::ranges::find_if(kAll, [&](Outcome one) { return store::outcome_name(one) == name; });
  return found == kAll.end() ? Outcome::kReplaced : *found;
}

std::vector<std::string> texts_of(std::span<const std::uint64_t> numbers) {
  std::vector<std::string> texts;
  texts.reserve(numbers.size());
  for (const std::uint64_t one : numbers) texts.push_back(std::to_string(one));
  return texts;
}

}  // namespace

DeliveryReport RedisRepository::report_of(const RedisReply* field) const {
  DeliveryReport report;
  report.outcome = outcome_from(field[0].text);
  report.service = ServiceName(field[1].text);
  report.recipient = {event::kind_from_name(field[2].text), field[3].text};
  report.id = id_of(field[4].text);
  report.original = id_of(field[5].text);
  report.event = field[6].text;
  report.key = field[7].text;
  report.created = here(field[8].text);
  report.time = here(field[9].text);
  report.attempts = static_cast<std::uint32_t>(number(field[10].text));
  return report;
}

// `made`: as made_reports() of the scripts.
void RedisRepository::take_reports(const RedisReply& made) {
  if (made.list.empty()) return;
  store::MadeReports reports;
  reports.dropped = number(made.list[0].text);
  for (std::size_t at = 1; at + kFieldsOfAReport <= made.list.size(); at += kFieldsOfAReport)
    reports.reports.push_back(report_of(&made.list[at]));
  report_listener_.report(reports);
}

std::vector<store::StoredReport> RedisRepository::claim_reports(std::size_t limit) {
  if (limit == 0) return {};
  const RedisReply reply = run_script(
      scripts_->claim_reports,
      {std::to_string(limit), std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(kLease).count())});
  std::vector<store::StoredReport> claimed;
  for (std::size_t at = 0; at + 1 + kFieldsOfAReport <= reply.list.size(); at += 1 + kFieldsOfAReport)
    claimed.push_back({number(reply.list[at].text), report_of(&reply.list[at + 1])});
  return claimed;
}

void RedisRepository::renew_claims(std::span<const std::uint64_t> numbers) {
  while (!numbers.empty()) {
    const auto page = numbers.first(std::min(numbers.size(), redis_values::kConfirmationBatch));
    numbers = numbers.subspan(page.size());
    std::vector<std::string> arguments = texts_of(page);
    arguments.insert(arguments.begin(),
                     std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(kLease).count()));
    run_script(scripts_->renew_claims, std::move(arguments));
  }
}

void RedisRepository::remove_reports(std::span<const std::uint64_t> numbers) {
  if (numbers.empty()) return;
  const RedisReply left = run_script(scripts_->forget_reports, texts_of(numbers));
  waiting_reports_.store(integer(left), std::memory_order_relaxed);
}

}  // namespace sse::cluster
