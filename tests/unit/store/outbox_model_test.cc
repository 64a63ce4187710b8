// Whatever happens to the messages of a store: each recipient of one with notify has it pending, or is reported once.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "unit/store/outbox_fixture.h"

namespace sse::store {
namespace {

constexpr int kOperations = 300;

// Operations at random on one store, and how many recipients each of its messages with notify has.
template <class Repository>
class Model {
 public:
  Model(Repository& repository, unsigned seed) : repository_(repository), random_(seed) {
    reports_.listen_to(repository_);
  }
  ~Model() { repository_.listen_to_reports({}); }

  void step() {
    now_ += std::chrono::minutes(1);
    switch (number(8)) {
      case 0:
      case 1:
      case 2:
        return add();
      case 3:
      case 4:
        return repository_.confirm(kService, user(name()), any());
      case 5:
        repository_.erase(any());
        return;
      case 6:
        repository_.expire(now_);
        return;
      default:
        for (const MessageId id : repository_.requeue({}, {}, now_)) {
          if (repository_.find(id).at(0).notify) recipients_[id] = 1;
        }
        repository_.purge_dead({}, {});
    }
  }

  // Confirmations are asynchronous, so this may be false for a while.
  bool agrees() {
    std::map<MessageId, std::size_t> seen;
    std::set<std::pair<MessageId, std::string>> reported;
    for (const DeliveryReport& report : reports_.all()) {
      // A dead letter that another one replaced while both were sent again was no message of its own.
      const bool passing = report.outcome == DeliveryReport::Outcome::kReplaced && report.original.valid();
      if (passing && !recipients_.contains(report.id)) continue;
      ++seen[report.id];
      EXPECT_TRUE(reported.emplace(report.id, report.recipient.name).second)
          << report.id.str() << " is reported twice for " << report.recipient.name;
    }
    for (const PendingMessage& row : repository_.list({}, 0, 100'000)) {
      if (recipients_.contains(row.id)) ++seen[row.id];
    }
    return seen == recipients_;
  }

 private:
  std::size_t number(std::size_t below) { return random_() % below; }
  std::string name() { return std::to_string(number(4)); }
  // Of the messages so far: often one that is gone.
  MessageId any() {
    return ids_.empty() ? MessageId(1) : ids_[ids_.size() - 1 - number(std::min<std::size_t>(ids_.size(), 8))];
  }
  void add() {
    std::set<std::string> names{name(), name()};
    NewMessage message = to_users({names.begin(), names.end()}, std::string(number(2) * (kDeadBytes / 3), 'x'));
    message.created = now_;
    message.expires = now_ + std::chrono::minutes(1 + number(30));
    message.notify = number(4) != 0;
    if (number(3) == 0) message.collapse = "price";
    const MessageId id = repository_.add(message);
    ids_.push_back(id);
    if (message.notify) recipients_[id] = names.size();
  }

  Repository& repository_;
  std::minstd_rand random_;
  Reports reports_;
  WallTime now_ = kNow;
  std::vector<MessageId> ids_;
  std::map<MessageId, std::size_t> recipients_;
};

template <class Store>
void try_at_random() {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    Store store;
    auto& repository = store.open();
    Model model(repository, seed);
    for (int i = 0; i < kOperations; ++i) model.step();
    EXPECT_TRUE(eventually([&] { return model.agrees(); }));
  }
}

TEST(OutboxModel, HasOneReportForEachRecipientThatAMessageHasLeftInMemory) {
  try_at_random<InMemory>();
}

TEST(OutboxModel, HasOneReportForEachRecipientThatAMessageHasLeftInSqlite) {
  try_at_random<InSqlite>();
}

TEST(OutboxModel, HasOneReportForEachRecipientThatAMessageHasLeftInRedis) {
  try_at_random<InRedis>();
}

}  // namespace
}  // namespace sse::store
