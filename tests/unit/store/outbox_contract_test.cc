// What every store with an outbox promises, run over each of them.
#include <string>
#include <utility>
#include <vector>

#include "unit/store/outbox_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::vector<std::pair<std::string, Outcome>> outcomes(const std::vector<DeliveryReport>& reports) {
  std::vector<std::pair<std::string, Outcome>> list;
  for (const DeliveryReport& report : reports) list.emplace_back(report.recipient.name, report.outcome);
  return list;
}

std::vector<DeliveryReport> reports_of(const std::vector<StoredReport>& stored) {
  std::vector<DeliveryReport> list;
  for (const StoredReport& one : stored) list.push_back(one.report);
  return list;
}

std::vector<std::uint64_t> numbers_of(const std::vector<StoredReport>& stored) {
  std::vector<std::uint64_t> list;
  for (const StoredReport& one : stored) list.push_back(one.number);
  return list;
}

template <class Store>
class OutboxContract : public ::testing::Test {
 protected:
  OutboxContract() { reports_.listen_to(repository_); }
  // The reports belong to this test, but the store may still be busy.
  ~OutboxContract() override { repository_.listen_to_reports({}); }

  MessageId add(const NewMessage& message) { return repository_.add(message); }
  void confirm(const std::string& name, MessageId id) { repository_.confirm(kService, user(name), id); }

  Store store_;
  decltype(std::declval<Store>().open()) repository_ = store_.open();
  Reports reports_;
};

using Stores = ::testing::Types<InMemory, InSqlite, InRedis>;
TYPED_TEST_SUITE(OutboxContract, Stores);

TYPED_TEST(OutboxContract, ReportsEachRecipientThatConfirms) {
  NewMessage message = notified({"1", "2"});
  message.key = "order-7";
  const MessageId id = this->add(message);
  this->repository_.note_attempts(kService, std::vector<AttemptCount>{{user("1"), id, 3}});

  this->confirm("1", id);
  ASSERT_TRUE(this->reports_.come_to(1));
  this->confirm("2", id);
  ASSERT_TRUE(this->reports_.come_to(2));

  const std::vector<DeliveryReport> reports = this->reports_.all();
  EXPECT_THAT(outcomes(reports), ElementsAre(std::pair("1", Outcome::kConfirmed), std::pair("2", Outcome::kConfirmed)));
  EXPECT_EQ(reports[0].id, id);
  EXPECT_FALSE(reports[0].original.valid());
  EXPECT_EQ(reports[0].service, kService);
  EXPECT_EQ(reports[0].event, "server-push");
  EXPECT_EQ(reports[0].key, "order-7");
  EXPECT_EQ(reports[0].created, kNow);
  EXPECT_GT(reports[0].time, kNow);
  EXPECT_EQ(reports[0].attempts, 3u);
  EXPECT_EQ(reports_of(this->repository_.claim_reports(10)), reports);
}

TYPED_TEST(OutboxContract, ReportsEachRecipientOfAMessageToSeveralKinds) {
  NewMessage message = notified({"1"});
  message.also = {{event::TargetKind::kToken, {"1", "2"}, false}};
  const MessageId id = this->add(message);
  const Recipient token{event::TargetKind::kToken, "1"};
  this->repository_.confirm(kService, token, id);
  ASSERT_TRUE(this->reports_.come_to(1));
  this->repository_.expire(kLater);
  ASSERT_TRUE(this->reports_.come_to(3));
  const std::vector<DeliveryReport> reports = this->reports_.all();
  EXPECT_EQ(reports[0].recipient, token);
  EXPECT_EQ(reports[0].outcome, Outcome::kConfirmed);
  std::vector<Recipient> dead;
  for (std::size_t i = 1; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i].outcome, Outcome::kDead);
    dead.push_back(reports[i].recipient);
  }
  EXPECT_THAT(dead, UnorderedElementsAre(user("1"), Recipient{event::TargetKind::kToken, "2"}));
}

TYPED_TEST(OutboxContract, ReportsAConfirmationOnce) {
  const MessageId id = this->add(notified({"1", "2"}));
  this->confirm("1", id);
  this->confirm("1", id);
  this->confirm("2", id);
  ASSERT_TRUE(this->reports_.come_to(2));
  EXPECT_THAT(outcomes(this->reports_.all()),
              ElementsAre(std::pair("1", Outcome::kConfirmed), std::pair("2", Outcome::kConfirmed)));
}

TYPED_TEST(OutboxContract, ReportsNothingOfOtherMessages) {
  const MessageId plain = this->add(to_users({"1"}));
  this->confirm("1", plain);
  this->add(to_users({"2"}));
  this->repository_.expire(kLater);
  const MessageId id = this->add(notified({"3"}));
  this->confirm("3", id);
  ASSERT_TRUE(this->reports_.come_to(1));
  EXPECT_THAT(outcomes(this->reports_.all()), ElementsAre(std::pair("3", Outcome::kConfirmed)));
  EXPECT_THAT(this->repository_.claim_reports(10), SizeIs(1));
}

TYPED_TEST(OutboxContract, TellsADeadLetterFromAMessageThatLeavesNone) {
  this->add(notified({"1", "2"}));
  this->add(notified({"3"}, std::string(kDeadBytes + 1, 'x')));
  this->repository_.expire(kLater);
  EXPECT_THAT(outcomes(this->reports_.all()),
              UnorderedElementsAre(std::pair("1", Outcome::kDead), std::pair("2", Outcome::kDead),
                                   std::pair("3", Outcome::kExpired)));
}

TYPED_TEST(OutboxContract, ReportsWhatAnOperatorDeletes) {
  const MessageId id = this->add(notified({"1", "2"}));
  this->add(notified({"3"}));
  this->repository_.erase(id);
  this->repository_.purge({});
  EXPECT_THAT(outcomes(this->reports_.all()),
              UnorderedElementsAre(std::pair("1", Outcome::kDeleted), std::pair("2", Outcome::kDeleted),
                                   std::pair("3", Outcome::kDeleted)));
}

TYPED_TEST(OutboxContract, ReportsWhatAYoungerMessageReplaces) {
  NewMessage message = notified({"1"});
  message.collapse = "price";
  const MessageId id = this->add(message);
  message.notify = false;
  this->add(message);
  ASSERT_THAT(outcomes(this->reports_.all()), ElementsAre(std::pair("1", Outcome::kReplaced)));
  EXPECT_EQ(this->reports_.all()[0].id, id);
}

TYPED_TEST(OutboxContract, ReportsADeadLetterAgainWhenItIsSentAgain) {
  const MessageId first = this->add(notified({"1"}));
  this->repository_.expire(kLater);
  const std::vector<MessageId> again = this->repository_.requeue(first, {}, kLater);
  ASSERT_THAT(again, SizeIs(1));
  this->confirm("1", again[0]);
  ASSERT_TRUE(this->reports_.come_to(2));

  const std::vector<DeliveryReport> reports = this->reports_.all();
  EXPECT_THAT(outcomes(reports), ElementsAre(std::pair("1", Outcome::kDead), std::pair("1", Outcome::kConfirmed)));
  EXPECT_EQ(reports[1].id, again[0]);
  EXPECT_EQ(reports[1].original, first);
  EXPECT_EQ(reports[1].key, "");
  EXPECT_NE(name_of(reports[0]), name_of(reports[1]));
}

TYPED_TEST(OutboxContract, RemembersForAnExportThatAMessageIsReported) {
  const MessageId id = this->add(notified({"1"}));
  ASSERT_THAT(this->repository_.find(id), SizeIs(1));
  EXPECT_TRUE(this->repository_.find(id)[0].notify);
  EXPECT_FALSE(this->repository_.find(this->add(to_users({"1"})))[0].notify);
  this->repository_.expire(kLater);
  std::vector<DeadLetter> letters = this->repository_.list_dead({}, 0, 10);
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_TRUE(letters[0].message.notify);
  EXPECT_FALSE(letters[1].message.notify);

  this->repository_.purge_dead({}, {});
  this->repository_.add_dead(letters);
  letters = this->repository_.list_dead({}, 0, 10);
  ASSERT_THAT(letters, SizeIs(2));
  EXPECT_TRUE(letters[0].message.notify);
  EXPECT_FALSE(letters[1].message.notify);
}

TYPED_TEST(OutboxContract, HandsOutEachReportOnceAndHoldsItUntilItIsRemoved) {
  for (const char* name : {"1", "2", "3"}) this->confirm(name, this->add(notified({name})));
  ASSERT_TRUE(this->reports_.come_to(3));

  const std::vector<StoredReport> two = this->repository_.claim_reports(2);
  EXPECT_THAT(reports_of(two), ElementsAre(this->reports_.all()[0], this->reports_.all()[1]));
  const std::vector<StoredReport> third = this->repository_.claim_reports(2);
  EXPECT_THAT(reports_of(third), ElementsAre(this->reports_.all()[2]));
  EXPECT_THAT(this->repository_.claim_reports(2), IsEmpty());

  this->repository_.renew_claims(numbers_of(two));
  this->repository_.remove_reports(numbers_of(two));
  this->repository_.remove_reports(numbers_of(two));
  EXPECT_EQ(this->repository_.waiting_reports(), 1u);
  this->repository_.remove_reports(numbers_of(third));
  EXPECT_EQ(this->repository_.waiting_reports(), 0u);
}

TYPED_TEST(OutboxContract, DropsTheOldestReportsAboveTheLimit) {
  const std::vector<std::string> names{"1", "2", "3", "4", "5", "6"};
  for (const std::string& name : names) this->confirm(name, this->add(notified({name})));
  ASSERT_TRUE(this->reports_.come_to(names.size()));
  EXPECT_EQ(this->reports_.dropped(), names.size() - kOutbox);
  std::vector<std::string> left;
  for (const StoredReport& one : this->repository_.claim_reports(10)) left.push_back(one.report.recipient.name);
  EXPECT_THAT(left, ElementsAre("3", "4", "5", "6"));
}

TYPED_TEST(OutboxContract, TellsTheListenerWhenNothingIsStored) {
  auto& repository = this->store_.open(0);
  this->reports_.listen_to(repository);
  repository.confirm(kService, user("1"), repository.add(notified({"1"})));
  ASSERT_TRUE(this->reports_.come_to(1));
  EXPECT_THAT(repository.claim_reports(10), IsEmpty());
  EXPECT_EQ(repository.waiting_reports(), 0u);
  EXPECT_EQ(this->reports_.dropped(), 0u);
}

TYPED_TEST(OutboxContract, ARepeatChangesNothing) {
  NewMessage message = to_users({"1"});
  message.key = "k";
  const MessageId id = this->add(message);
  message.notify = true;
  EXPECT_EQ(this->add(message), id);
  const MessageId other = this->add(notified({"2"}));
  this->confirm("1", id);
  this->confirm("2", other);
  ASSERT_TRUE(this->reports_.come_to(1));
  EXPECT_THAT(outcomes(this->reports_.all()), ElementsAre(std::pair("2", Outcome::kConfirmed)));
}

TEST(SqliteOutbox, HandsOutAgainWhatWasClaimedBeforeItWasClosed) {
  InSqlite store;
  {
    SqliteRepository& repository = store.open();
    Reports reports;
    reports.listen_to(repository);
    repository.confirm(kService, user("1"), repository.add(notified({"1"})));
    ASSERT_TRUE(reports.come_to(1));
    EXPECT_THAT(repository.claim_reports(10), SizeIs(1));
    repository.listen_to_reports({});
  }
  SqliteRepository& repository = store.open();
  EXPECT_EQ(repository.waiting_reports(), 1u);
  const std::vector<StoredReport> again = repository.claim_reports(10);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].report.recipient, user("1"));
}

TEST(SqliteOutbox, AReportAndTheRemovalThatItReportsAreOneTransaction) {
  TempFolder folder;
  IdGenerator ids(1);
  SqliteRepository::Options options;
  options.path = folder.file(kDatabase);
  options.limits = limits();
  MessageId id;
  {
    SqliteRepository repository(options, ids);
    id = repository.add(notified({"1"}));
  }
  // A disk that refuses the report.
  Shell(options.path).run("CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END");
  {
    SqliteRepository repository(options, ids);
    Reports reports;
    reports.listen_to(repository);
    EXPECT_THROW(repository.erase(id), Error);
    EXPECT_EQ(repository.size(), 1u);
    EXPECT_THAT(pending_of(repository, user("1")), SizeIs(1));
    EXPECT_THAT(reports.all(), IsEmpty());
    repository.listen_to_reports({});
  }
  EXPECT_EQ(Shell(options.path).run("SELECT count(*) FROM outbox"), "0");
  EXPECT_EQ(Shell(options.path).run("SELECT count(*) FROM notify"), "1");
}

TEST(RedisOutbox, ANodeTakesOverWhatAnotherHasClaimedOnlyWhenTheClaimEnds) {
  InRedis store;
  cluster::RedisRepository& one = store.open();
  cluster::RedisRepository two(store.options(), sse::testing::kTimeout);
  one.erase(one.add(notified({"1"})));
  ASSERT_THAT(one.claim_reports(10), SizeIs(1));
  EXPECT_THAT(two.claim_reports(10), IsEmpty());

  cluster::RedisLink link(store.options().link, cluster::RedisLink::Mode::kCommands, nullptr);
  link.start();
  link.require_up(sse::testing::kTimeout);
  const std::string claimed = store.options().prefix + "pending:claimed";
  const auto end_claims = [&] {
    for (const cluster::RedisReply& number : link.execute({"ZRANGE", claimed, "0", "-1"}).list)
      link.execute({"ZADD", claimed, "0", number.text});
  };
  end_claims();
  const std::vector<StoredReport> taken = two.claim_reports(10);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_THAT(one.claim_reports(10), IsEmpty());

  end_claims();
  two.renew_claims(numbers_of(taken));
  EXPECT_THAT(one.claim_reports(10), IsEmpty());
  two.remove_reports(numbers_of(taken));
  EXPECT_EQ(link.execute({"EXISTS", claimed}).integer, 0);
  EXPECT_EQ(link.execute({"EXISTS", store.options().prefix + "pending:reports"}).integer, 0);
  link.stop();
}

}  // namespace
}  // namespace sse::store
