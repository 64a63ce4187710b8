// What every message repository promises, run over each of them.
#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/step_count.h"
#include "cluster/redis/redis_repository.h"
#include "observe/metrics.h"
#include "store/imported.h"
#include "store/memory/memory_repository.h"
#include "store/repository_abilities.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/redis.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::size_t kLimit = 5;
constexpr std::size_t kByteLimit = 2'000'000;
constexpr std::size_t kTotalLimit = 3000;
constexpr std::size_t kDeadLimit = 4;
constexpr std::size_t kDeadBytes = 64 * 1024;
const StoreLimits kLimits{kLimit,     ByteCount(kByteLimit), kTotalLimit, ByteCount(2 * kByteLimit + 100'000),
                          kDeadLimit, ByteCount(kDeadBytes)};

// What each says of itself: of a store of this process all is known here, of one in Redis it is not.
struct InMemory {
  static constexpr bool kShared = false;
  IdGenerator ids{1};
  MemoryRepository repository{ids, kLimits};
};

struct InSqlite {
  static constexpr bool kShared = false;
  TempFolder folder;
  IdGenerator ids{1};
  SqliteRepository repository{options(), ids};

  SqliteRepository::Options options() const {
    SqliteRepository::Options options;
    options.path = folder.file(kDatabase);
    options.limits = kLimits;
    return options;
  }
};

// One Redis for all tests: each has a prefix of its own there.
struct InRedis {
  static constexpr bool kShared = true;
  static sse::testing::RedisProcess& redis() {
    static sse::testing::RedisProcess process({"--appendfsync", "no"});
    return process;
  }
  static cluster::RedisRepository::Options options() {
    static int tests = 0;
    cluster::RedisRepository::Options options;
    options.link.address = cluster::parse_redis_address(redis().url());
    options.link.answer_timeout = sse::testing::kTimeout;
    options.prefix = "test" + std::to_string(++tests) + ":";
    options.limits = kLimits;
    return options;
  }
  cluster::RedisRepository repository{options(), sse::testing::kTimeout};
};

template <class Store>
class RepositoryContract : public ::testing::Test {
 protected:
  std::vector<PendingMessage> pending(const Recipient& recipient) { return pending_of(repository(), recipient); }
  bool becomes_size(std::uint64_t n) {
    return eventually([&] { return repository().size() == n; });
  }
  auto& repository() { return store_.repository; }

  Store store_;
};

using Stores = ::testing::Types<InMemory, InSqlite, InRedis>;
TYPED_TEST_SUITE(RepositoryContract, Stores);

TYPED_TEST(RepositoryContract, KeepsEverythingAboutAMessage) {
  NewMessage message = to_users({"1"}, "hello");
  message.target.listening = true;
  const MessageId id = this->repository().add(message);

  const auto found = this->pending(user("1"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(id.valid());
  EXPECT_EQ(found[0].id, id);
  EXPECT_EQ(found[0].service, kService);
  EXPECT_EQ(found[0].recipient, user("1"));
  EXPECT_TRUE(found[0].listening);
  EXPECT_EQ(found[0].event, "server-push");
  EXPECT_EQ(found[0].data, "hello");
  EXPECT_EQ(found[0].data_size, 5u);
  EXPECT_EQ(found[0].created, message.created);
  EXPECT_EQ(found[0].expires, message.expires);
}

TYPED_TEST(RepositoryContract, ReturnsMessagesInTheOrderTheyWereAdded) {
  for (const char* data : {"a", "b", "c"}) this->repository().add(to_users({"1"}, data));
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("a", "b", "c"));
}

TYPED_TEST(RepositoryContract, TracksEachRecipientAlone) {
  const MessageId id = this->repository().add(to_users({"1", "2", "3"}));
  EXPECT_EQ(this->repository().size(), 3u);

  this->repository().confirm(kService, user("2"), id);

  ASSERT_TRUE(this->becomes_size(2));
  EXPECT_THAT(this->pending(user("1")), SizeIs(1));
  EXPECT_THAT(this->pending(user("2")), IsEmpty());
  EXPECT_THAT(this->pending(user("3")), SizeIs(1));
}

// For users and tokens at once: names of two kinds, of which one is the same.
TYPED_TEST(RepositoryContract, TracksEachRecipientOfAMessageToSeveralKinds) {
  ASSERT_TRUE(this->repository().stores_unions());
  NewMessage message = to_users({"1", "same"}, "first");
  message.collapse = "one";
  message.also = {{event::TargetKind::kToken, {"t:1", "same"}, false}};
  const MessageId id = this->repository().add(message);
  EXPECT_EQ(this->repository().size(), 4U);
  const Recipient token{event::TargetKind::kToken, "t:1"};
  const Recipient same_token{event::TargetKind::kToken, "same"};
  for (const Recipient& recipient : {user("1"), user("same"), token, same_token}) {
    const auto found = this->pending(recipient);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].recipient, recipient);
    EXPECT_EQ(found[0].id, id);
    EXPECT_EQ(found[0].data, "first");
  }
  const std::vector<Recipient> stream{user("same"), same_token};
  const auto rows = this->repository().pending(kService, stream, {}, 1, kAnySize, kNow);
  ASSERT_THAT(rows, SizeIs(2)) << "the rows of one message stay together";
  EXPECT_EQ(rows[0].id, rows[1].id);

  auto* const attempts = ability<AttemptLog>(this->repository());
  ASSERT_NE(attempts, nullptr);
  attempts->note_attempts(kService, std::vector<AttemptCount>{{same_token, id, 3}});
  auto* const catalog = ability<MessageCatalog>(this->repository());
  ASSERT_NE(catalog, nullptr);
  MessageFilter tokens;
  tokens.kind = event::TargetKind::kToken;
  EXPECT_EQ(catalog->count(tokens), 2U);
  EXPECT_THAT(catalog->find(id), SizeIs(4));

  this->repository().confirm(kService, user("same"), id);
  ASSERT_TRUE(this->becomes_size(3));
  EXPECT_THAT(this->pending(same_token), SizeIs(1));
  EXPECT_THAT(this->pending(user("same")), IsEmpty());
  for (const PendingMessage& row : catalog->find(id)) EXPECT_EQ(row.attempts, row.recipient == same_token ? 3U : 0U);

  // Collapse keys are those of each recipient, whatever the message is for.
  NewMessage newer = to_users({"1"}, "second");
  newer.collapse = "one";
  this->repository().add(newer);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("second"));
  message.data = "third";
  this->repository().add(message);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("third"));
  EXPECT_THAT(data_of(this->pending(token)), ElementsAre("third"));
  EXPECT_EQ(this->repository().size(), 4U);
}

TYPED_TEST(RepositoryContract, RefusesAMessageToSeveralKindsForAllWhenOneIsFull) {
  for (std::size_t i = 0; i < kLimit; ++i) {
    NewMessage full = to_users({});
    full.target = {event::TargetKind::kToken, {"t"}, false};
    this->repository().add(full);
  }
  NewMessage message = to_users({"1"});
  message.also = {{event::TargetKind::kToken, {"t"}, false}};
  const AddOutcome outcome = this->repository().add_all({&message, 1}).front();
  ASSERT_TRUE(outcome.refusal);
  EXPECT_EQ(outcome.refusal->code, ErrorCode::kLimitExceeded);
  EXPECT_THAT(outcome.refusal->sentence, HasSubstr("token"));
  EXPECT_THAT(this->pending(user("1")), IsEmpty());
}

TYPED_TEST(RepositoryContract, MakesADeadLetterForEachRecipientOfAMessageToSeveralKinds) {
  NewMessage message = to_users({"1"}, "late");
  message.also = {{event::TargetKind::kToken, {"1"}, false}};
  this->repository().add(message);
  EXPECT_EQ(this->repository().expire(kNow + std::chrono::hours(2)), 2U);
  EXPECT_EQ(this->repository().size(), 0U);
  std::set<std::pair<event::TargetKind, std::string>> recipients;
  for (const DeadLetter& letter : this->repository().list_dead({}, 0, 10))
    recipients.emplace(letter.message.recipient.kind, letter.message.recipient.name);
  EXPECT_THAT(recipients,
              ElementsAre(std::pair(event::TargetKind::kUser, "1"), std::pair(event::TargetKind::kToken, "1")));
}

TYPED_TEST(RepositoryContract, CountsWhatIsConfirmedAndThatOnce) {
  observe::Counter counter;
  observe::Counter others;
  const bool counts = !TypeParam::kShared;
  auto* const ability_to_count = ability<ConfirmationCounter>(this->repository());
  ASSERT_EQ(ability_to_count != nullptr, counts);
  if (counts) {
    ability_to_count->count_confirmed(kService, &counter);
    ability_to_count->count_confirmed(ServiceName("hunter"), &others);
  }
  const MessageId id = this->repository().add(to_users({"1", "2"}));
  for (int i = 0; i < 2; ++i) this->repository().confirm(kService, user("1"), id);
  this->repository().confirm(kService, user("3"), id);
  this->repository().confirm(kService, user("2"), MessageId(id.value() + 1));
  ASSERT_TRUE(this->becomes_size(1));
  this->repository().erase(id);
  // A store that cannot tell leaves it to the sender, and counts nothing.
  const std::uint64_t once = counts ? 1 : 0;
  EXPECT_EQ(counter.value(), once);
  EXPECT_EQ(others.value(), 0U);

  if (counts) ability_to_count->count_confirmed(kService, nullptr);
  this->repository().confirm(kService, user("1"), this->repository().add(to_users({"1"})));
  ASSERT_TRUE(this->becomes_size(0));
  EXPECT_EQ(counter.value(), once);
}

TYPED_TEST(RepositoryContract, AddsWithoutMakingTheCallerWait) {
  ASSERT_NE(ability<AsyncAdd>(this->repository()), nullptr);
  std::promise<std::pair<NewMessage, AddOutcome>> promise;
  auto answer = promise.get_future();
  ASSERT_TRUE(this->repository().add_async(to_users({"1", "2"}, "hello"), [&](NewMessage&& message, AddOutcome&& kept) {
    promise.set_value({std::move(message), std::move(kept)});
  }));
  const auto [message, kept] = answer.get();
  EXPECT_EQ(message.data, "hello");
  EXPECT_EQ(kept.pending, 2U);
  EXPECT_FALSE(kept.refusal);
  EXPECT_THAT(ids_of(this->pending(user("2"))), ElementsAre(kept.id));
}

TYPED_TEST(RepositoryContract, RefusesWithoutMakingTheCallerWait) {
  std::atomic<std::size_t> refused{0};
  std::atomic<std::size_t> answered{0};
  for (std::size_t i = 0; i < kLimit + 3; ++i) {
    ASSERT_TRUE(this->repository().add_async(to_users({"full"}), [&](NewMessage&&, AddOutcome&& kept) {
      if (kept.refusal && kept.refusal->code == ErrorCode::kLimitExceeded) ++refused;
      ++answered;
    }));
  }
  ASSERT_TRUE(eventually([&] { return answered == kLimit + 3; }));
  EXPECT_EQ(refused, 3U);
  EXPECT_THAT(this->pending(user("full")), SizeIs(kLimit));
}

// Both ways in, from many threads: who is told first has the smaller id.
TYPED_TEST(RepositoryContract, TellsWhatIsCommittedInTheOrderOfTheIds) {
  std::mutex mutex;
  std::vector<MessageId> reported;
  std::map<std::size_t, MessageId> ids;  // of add_in_order(), by the place in `told` that was left for it
  std::atomic<std::size_t> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const NewMessage message = to_users({std::to_string(t) + "/" + std::to_string(i)});
        if (t % 2 == 0) {
          std::size_t place = 0;
          const auto outcomes = this->repository().add_in_order({&message, 1}, [&] {
            const std::scoped_lock lock(mutex);
            place = reported.size();
            reported.emplace_back();
          });
          const std::scoped_lock lock(mutex);
          ids[place] = outcomes.front().id;
          ++answered;
        } else {
          this->repository().add_async(message, [&](NewMessage&&, AddOutcome&& kept) {
            const std::scoped_lock lock(mutex);
            reported.push_back(kept.id);
            ++answered;
          });
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(eventually([&] { return answered == 200; }));
  const std::scoped_lock lock(mutex);
  ASSERT_EQ(ids.size(), 100U);
  for (const auto& [place, id] : ids) reported.at(place) = id;
  EXPECT_TRUE(std::ranges::is_sorted(reported, std::less_equal<>()));
}

TYPED_TEST(RepositoryContract, TellsKindsOfRecipientsApart) {
  using event::TargetKind;
  for (const TargetKind kind : {TargetKind::kUser, TargetKind::kToken, TargetKind::kTenant, TargetKind::kChannel}) {
    NewMessage message = to_users({"x"}, std::string(event::kind_name(kind)));
    message.target.kind = kind;
    this->repository().add(message);
  }
  NewMessage message = to_users({}, "all");
  message.target.kind = TargetKind::kAll;
  this->repository().add(message);

  EXPECT_THAT(data_of(this->pending({TargetKind::kToken, "x"})), ElementsAre("token"));
  EXPECT_THAT(data_of(this->pending({TargetKind::kAll, ""})), ElementsAre("all"));
  const std::vector<Recipient> connection{
      {TargetKind::kAll, ""}, {TargetKind::kChannel, "x"}, {TargetKind::kUser, "x"}};
  EXPECT_THAT(data_of(this->repository().pending(kService, connection, kFromStart, 10, kAnySize, kNow)),
              ElementsAre("user", "channel", "all"));
}

TYPED_TEST(RepositoryContract, TracksAUserOfATenantApartFromAllOthersOfThatId) {
  const auto member = [](const std::string& tenant) {
    return Recipient{event::TargetKind::kMember, event::member_name("1", tenant)};
  };
  NewMessage message = to_users({}, "for two tenants");
  message.target = {event::TargetKind::kMember, {member("acme").name, member("other").name}, false};
  const MessageId id = this->repository().add(message);
  this->repository().add(to_users({"1"}, "for any tenant"));
  EXPECT_THAT(data_of(this->pending(member("acme"))), ElementsAre("for two tenants"));
  EXPECT_THAT(data_of(this->pending(member("other"))), ElementsAre("for two tenants"));
  EXPECT_THAT(this->pending(member("third")), IsEmpty());
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("for any tenant"));
  this->repository().confirm(kService, user("1"), id);
  this->repository().confirm(kService, member("acme"), id);
  ASSERT_TRUE(this->becomes_size(2));
  EXPECT_THAT(this->pending(member("acme")), IsEmpty());
  const auto left = this->repository().find(id);
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left.front().recipient, member("other"));
}

TYPED_TEST(RepositoryContract, TellsServicesApart) {
  NewMessage other = to_users({"1"}, "other");
  other.service = ServiceName("hunter");
  this->repository().add(to_users({"1"}, "ours"));
  const MessageId id = this->repository().add(other);

  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("ours"));
  this->repository().confirm(kService, user("1"), id);
  this->repository().confirm(kService, user("1"), this->pending(user("1"))[0].id);
  ASSERT_TRUE(this->becomes_size(1));
  EXPECT_THAT(this->repository().find(id), SizeIs(1));
}

TYPED_TEST(RepositoryContract, PagesWithAfterAndLimit) {
  std::vector<MessageId> added;
  for (int i = 0; i < 5; ++i) added.push_back(this->repository().add(to_users({"1"})));
  const std::vector recipients{user("1")};

  std::vector<MessageId> seen;
  MessageId after;
  for (;;) {
    const auto page = this->repository().pending(kService, recipients, after, 2, kAnySize, kNow);
    if (page.empty()) break;
    EXPECT_LE(page.size(), 2u);
    for (const PendingMessage& message : page) seen.push_back(after = message.id);
  }
  EXPECT_EQ(seen, added);
  EXPECT_THAT(this->repository().pending(kService, recipients, kFromStart, 0, kAnySize, kNow), IsEmpty());
}

TYPED_TEST(RepositoryContract, StopsOnceAPageHasTheBytesAskedFor) {
  for (int i = 0; i < 5; ++i) this->repository().add(to_users({"1"}, std::string(100, 'x')));
  const std::vector recipients{user("1")};
  const auto rows = [&](std::uint64_t max_bytes) {
    return this->repository().pending(kService, recipients, kFromStart, 100, ByteCount(max_bytes), kNow).size();
  };
  EXPECT_EQ(rows(0), 1u);
  EXPECT_EQ(rows(100), 1u);
  EXPECT_EQ(rows(101), 2u);
  EXPECT_EQ(rows(400), 4u);
  EXPECT_EQ(rows(10'000), 5u);
}

TYPED_TEST(RepositoryContract, NeverSplitsOneMessagesRecipientsOverPages) {
  const MessageId both = this->repository().add(to_users({"1", "2", "3"}));
  const MessageId last = this->repository().add(to_users({"3"}));
  const std::vector recipients{user("1"), user("2"), user("3")};

  const auto first = this->repository().pending(kService, recipients, kFromStart, 1, ByteCount(1), kNow);
  EXPECT_THAT(ids_of(first), ElementsAre(both, both, both));
  EXPECT_THAT(ids_of(this->repository().pending(kService, recipients, both, 1, ByteCount(1), kNow)), ElementsAre(last));
}

TYPED_TEST(RepositoryContract, MergesManyRecipientsById) {
  std::vector<MessageId> added;
  std::vector<Recipient> recipients;
  for (int i = 0; i < 12; ++i) added.push_back(this->repository().add(to_users({std::to_string(i % 4)})));
  for (int i = 3; i >= 0; --i) recipients.push_back(user(std::to_string(i)));
  const auto page = this->repository().pending(kService, recipients, added[1], 7, kAnySize, kNow);
  EXPECT_EQ(ids_of(page), std::vector<MessageId>(added.begin() + 2, added.begin() + 9));
}

TYPED_TEST(RepositoryContract, HidesExpiredMessagesAndDeletesThemWhenTold) {
  NewMessage brief = to_users({"1", "2"}, "brief");
  brief.expires = kNow + std::chrono::seconds(1);
  this->repository().add(brief);
  this->repository().add(to_users({"1"}, "lasting"));
  const auto later = [&](std::chrono::milliseconds after) {
    return data_of(
        this->repository().pending(kService, std::vector{user("1")}, kFromStart, 10, kAnySize, kNow + after));
  };

  EXPECT_THAT(later(std::chrono::milliseconds(999)), ElementsAre("brief", "lasting"));
  EXPECT_THAT(later(std::chrono::seconds(1)), ElementsAre("lasting"));
  EXPECT_EQ(this->repository().expire(kNow), 0u);
  EXPECT_EQ(this->repository().count({}), 3u);
  EXPECT_EQ(this->repository().expire(kNow + std::chrono::seconds(1)), 2u);
  EXPECT_EQ(this->repository().count({}), 1u);
  EXPECT_EQ(this->repository().size(), 1u);
}

TYPED_TEST(RepositoryContract, IgnoresConfirmationsOfUnknownPairs) {
  const MessageId id = this->repository().add(to_users({"1"}));
  this->repository().confirm(kService, user("2"), id);
  this->repository().confirm(kService, {event::TargetKind::kToken, "1"}, id);
  this->repository().confirm(ServiceName("nobody"), user("1"), id);
  this->repository().confirm(kService, user("1"), MessageId(id.value() + 1));
  this->repository().confirm(kService, user("1"), MessageId());
  const MessageId marker = this->repository().add(to_users({"marker"}));
  this->repository().confirm(kService, user("marker"), marker);
  this->repository().confirm(kService, user("marker"), marker);
  ASSERT_TRUE(this->becomes_size(1));
  EXPECT_THAT(ids_of(this->pending(user("1"))), ElementsAre(id));
}

TYPED_TEST(RepositoryContract, RefusesMoreThanTheLimitPerRecipientAndKeepsNothingOfIt) {
  for (std::size_t i = 0; i < kLimit; ++i) this->repository().add(to_users({"full"}));

  const Error error = error_of([&] { this->repository().add(to_users({"1", "full", "2"})); });

  EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
  EXPECT_THAT(error.what(), HasSubstr("--qos-max-per-user"));
  EXPECT_THAT(error.what(), HasSubstr("'full'"));
  EXPECT_THAT(this->pending(user("1")), IsEmpty());
  EXPECT_EQ(this->repository().size(), kLimit);

  this->repository().confirm(kService, user("full"), this->pending(user("full"))[0].id);
  ASSERT_TRUE(this->becomes_size(kLimit - 1));
  this->repository().add(to_users({"1", "full", "2"}));
  EXPECT_EQ(this->repository().size(), kLimit + 2);
}

TYPED_TEST(RepositoryContract, TheLimitCountsEachKindAndServiceAlone) {
  for (std::size_t i = 0; i < kLimit; ++i) this->repository().add(to_users({"x"}));
  NewMessage token = to_users({"x"});
  token.target.kind = event::TargetKind::kToken;
  NewMessage service = to_users({"x"});
  service.service = ServiceName("hunter");
  EXPECT_NO_THROW(this->repository().add(token));
  EXPECT_NO_THROW(this->repository().add(service));
}

TYPED_TEST(RepositoryContract, TheLimitsMessageMasksTokens) {
  NewMessage message = to_users({"secret-access-token"});
  message.target.kind = event::TargetKind::kToken;
  for (std::size_t i = 0; i < kLimit; ++i) this->repository().add(message);
  EXPECT_THAT(error_of([&] { this->repository().add(message); }).what(), Not(HasSubstr("secret-access")));
}

TYPED_TEST(RepositoryContract, KeepsAnyBytes) {
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  std::string large(1024 * 1024, 'x');
  large[1000] = '\0';
  const std::vector<std::string> all{"", std::string("\0", 1), every, large, "line\r\nbreak \xF0\x9F\x98\x80"};
  for (const std::string& data : all) this->repository().add(to_users({"1"}, data));

  const auto found = this->pending(user("1"));

  ASSERT_EQ(data_of(found), all);
  EXPECT_EQ(found[3].data_size, large.size());
}

TYPED_TEST(RepositoryContract, KeepsAnyName) {
  const std::string odd("a\0b'\"%_\n\xE6\x9C\x8D", 11);
  const MessageId id = this->repository().add(to_users({odd, "a"}));
  ASSERT_THAT(this->pending(user(odd)), SizeIs(1));
  EXPECT_EQ(this->pending(user(odd))[0].recipient.name, odd);
  this->repository().confirm(kService, user(odd), id);
  ASSERT_TRUE(this->becomes_size(1));
  EXPECT_THAT(this->pending(user("a")), SizeIs(1));
}

TYPED_TEST(RepositoryContract, ListsWhatAFilterMatches) {
  const MessageId first = this->repository().add(to_users({"2", "1"}, "12345"));
  NewMessage message = to_users({"1"});
  message.target.kind = event::TargetKind::kToken;
  message.event = "other";
  const MessageId second = this->repository().add(message);
  message.service = ServiceName("hunter");
  const MessageId third = this->repository().add(message);

  const auto ids = [&](const MessageFilter& filter) {
    const auto found = this->repository().list(filter, 0, 100);
    EXPECT_EQ(this->repository().count(filter), found.size());
    return ids_of(found);
  };
  EXPECT_THAT(ids({}), ElementsAre(first, first, second, third));
  EXPECT_THAT(ids({.service = kService}), ElementsAre(first, first, second));
  EXPECT_THAT(ids({.kind = event::TargetKind::kToken}), ElementsAre(second, third));
  EXPECT_THAT(ids({.recipient = "1"}), ElementsAre(first, second, third));
  EXPECT_THAT(ids({.event = "other"}), ElementsAre(second, third));
  EXPECT_THAT(ids({.service = kService, .kind = event::TargetKind::kUser, .recipient = "2", .event = "server-push"}),
              ElementsAre(first));
  EXPECT_THAT(ids({.service = ServiceName("nobody")}), IsEmpty());

  const auto all = this->repository().list({}, 0, 100);
  EXPECT_EQ(all[0].recipient, user("1"));
  EXPECT_EQ(all[1].recipient, user("2"));
  EXPECT_EQ(all[0].data, "");
  EXPECT_EQ(all[0].data_size, 5u);
  EXPECT_EQ(all[3].service, ServiceName("hunter"));
  EXPECT_THAT(ids_of(this->repository().list({}, 1, 2)), ElementsAre(first, second));
  EXPECT_THAT(this->repository().list({}, 4, 2), IsEmpty());
}

TYPED_TEST(RepositoryContract, FindsAndErasesOneMessageForAll) {
  const MessageId id = this->repository().add(to_users({"1", "2"}, "wanted"));
  const MessageId other = this->repository().add(to_users({"1"}));

  const auto found = this->repository().find(id);
  EXPECT_THAT(data_of(found), ElementsAre("wanted", "wanted"));
  EXPECT_THAT(this->repository().find(MessageId(1)), IsEmpty());

  EXPECT_EQ(this->repository().erase(id), 2u);
  EXPECT_EQ(this->repository().erase(id), 0u);
  EXPECT_THAT(this->repository().find(id), IsEmpty());
  EXPECT_THAT(ids_of(this->pending(user("1"))), ElementsAre(other));
  EXPECT_EQ(this->repository().size(), 1u);
}

// Eight senders, and a reader that pages through what there is: the rows it saw must be all there were, in order.
TYPED_TEST(RepositoryContract, AReaderThatPagesMissesNothingWhileOthersAdd) {
  constexpr int kThreads = 8;
  constexpr int kEach = 100;
  NewMessage message = to_users({});
  message.target.kind = event::TargetKind::kUser;
  std::vector<Recipient> recipients;
  for (int i = 0; i < kThreads * kEach; ++i) recipients.push_back(user(std::to_string(i)));
  std::vector<std::vector<MessageId>> added(kThreads);
  std::atomic<int> running{kThreads};
  std::vector<std::thread> senders;
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        added[static_cast<std::size_t>(t)].push_back(this->repository().add(to_users({std::to_string(t * kEach + i)})));
      }
      --running;
    });
  }
  std::vector<MessageId> seen;
  for (bool last = false; !last;) {
    last = running == 0;
    for (;;) {
      const MessageId after = seen.empty() ? MessageId() : seen.back();
      const auto page = this->repository().pending(kService, recipients, after, 50, kAnySize, kNow);
      if (page.empty()) break;
      for (const PendingMessage& row : page) seen.push_back(row.id);
    }
  }
  for (std::thread& sender : senders) sender.join();

  std::set<MessageId> all;
  for (const auto& ids : added) {
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(seen, std::vector<MessageId>(all.begin(), all.end()));
}

TYPED_TEST(RepositoryContract, CountsStayRightWhileAllIsChangedAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string one = std::to_string(t) + "a";
        const std::string two = std::to_string(t) + "b";
        const MessageId id = this->repository().add(to_users({one, two}));
        if (i % 3 == 0) {
          EXPECT_EQ(this->repository().erase(id), 2u);
        }
        this->repository().confirm(kService, user(one), id);
        this->repository().confirm(kService, user(two), id);
        this->repository().expire(kNow);
        EXPECT_TRUE(eventually([&] { return this->repository().find(id).empty(); }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(this->becomes_size(0));
  EXPECT_EQ(this->repository().count({}), 0u);
}

TYPED_TEST(RepositoryContract, TakesARequestWithAKnownKeyForTheFirst) {
  NewMessage message = to_users({"1", "2"}, "first");
  message.key = "order-7";
  const MessageId first = this->repository().add(message);
  this->repository().confirm(kService, user("2"), first);
  ASSERT_TRUE(this->becomes_size(1));
  message.data = "second";
  const AddOutcome again = this->repository().add_all({&message, 1}).front();
  EXPECT_EQ(again.id, first);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.pending, 1u);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("first"));
  EXPECT_THAT(this->pending(user("2")), IsEmpty());
  // Also once no recipient has it any more, but not in another service, and not after its time.
  this->repository().confirm(kService, user("1"), first);
  ASSERT_TRUE(this->becomes_size(0));
  EXPECT_EQ(this->repository().add(message), first);
  NewMessage other = message;
  other.service = ServiceName("hunter");
  EXPECT_NE(this->repository().add(other), first);
  NewMessage later = message;
  later.created = message.expires;
  later.expires = later.created + std::chrono::hours(1);
  EXPECT_NE(this->repository().add(later), first);
}

TYPED_TEST(RepositoryContract, TakesTwoOfOneKeyInOneCallForOne) {
  NewMessage message = to_users({"1"});
  message.key = "k";
  const std::vector<NewMessage> twice{message, message};
  const auto outcomes = this->repository().add_all(twice);
  EXPECT_EQ(outcomes[0].id, outcomes[1].id);
  EXPECT_FALSE(outcomes[0].repeated);
  EXPECT_TRUE(outcomes[1].repeated);
  EXPECT_EQ(this->repository().size(), 1u);
}

TYPED_TEST(RepositoryContract, KeepsOnlyTheNewestOfWhatCollapses) {
  const auto collapsing = [&](std::vector<std::string> names, const std::string& data, const std::string& word) {
    NewMessage message = to_users(std::move(names), data);
    message.collapse = word;
    return this->repository().add(message);
  };
  collapsing({"1", "2"}, "a", "score");
  this->repository().add(to_users({"1"}, "plain"));
  collapsing({"1"}, "other", "weather");
  const MessageId newest = collapsing({"1"}, "b", "score");
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("plain", "other", "b"));
  EXPECT_THAT(data_of(this->pending(user("2"))), ElementsAre("a"));
  EXPECT_EQ(this->repository().find(newest).at(0).collapse, "score");
  // A confirmed one is no more in the way than a deleted one.
  this->repository().confirm(kService, user("1"), newest);
  ASSERT_TRUE(this->becomes_size(3));
  collapsing({"1"}, "c", "score");
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("plain", "other", "c"));
  collapsing({"3"}, "only", "score");
  collapsing({"3"}, "only, newer", "score");
  EXPECT_THAT(data_of(this->pending(user("3"))), ElementsAre("only, newer"));
}

TYPED_TEST(RepositoryContract, HasRoomForWhatTakesAnothersPlace) {
  for (std::size_t i = 0; i < kLimit; ++i) {
    NewMessage message = to_users({"1"}, std::to_string(i));
    message.collapse = "x" + std::to_string(i);
    this->repository().add(message);
  }
  NewMessage message = to_users({"1"}, "new");
  message.collapse = "x0";
  this->repository().add(message);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("1", "2", "3", "4", "new"));
  EXPECT_EQ(this->repository().size(), kLimit);
}

TYPED_TEST(RepositoryContract, LimitsTheBytesOfARecipientAndTheTotalAndSaysSo) {
  const auto refusal = [&](const NewMessage& message) {
    const AddOutcome outcome = this->repository().add_all({&message, 1}).front();
    return outcome.refusal ? outcome.refusal->sentence : "";
  };
  EXPECT_EQ(refusal(to_users({"1"}, std::string(kByteLimit - 10, 'x'))), "");
  EXPECT_THAT(refusal(to_users({"1"}, std::string(11, 'x'))),
              ::testing::AllOf(HasSubstr("--qos-max-bytes-per-user"), HasSubstr(std::to_string(kByteLimit - 10)),
                               HasSubstr("11")));
  EXPECT_EQ(refusal(to_users({"1"}, std::string(10, 'x'))), "");
  EXPECT_EQ(refusal(to_users({"2"}, std::string(kByteLimit, 'x'))), "");
  EXPECT_THAT(refusal(to_users({"3"}, std::string(kByteLimit, 'x'))), HasSubstr("--qos-max-total-bytes"));
  std::vector<std::string> many;
  for (std::size_t i = 0; i < kTotalLimit; ++i) many.push_back("n" + std::to_string(i));
  EXPECT_THAT(refusal(to_users(many, "x")), HasSubstr("--qos-max-total"));
  many.resize(kTotalLimit - 3);
  EXPECT_EQ(refusal(to_users(many, "x")), "");
  EXPECT_THAT(refusal(to_users({"one more"}, "x")), HasSubstr(std::to_string(kTotalLimit)));
  // What goes makes room.
  this->repository().confirm(kService, user("2"), this->pending(user("2")).at(0).id);
  ASSERT_TRUE(this->becomes_size(kTotalLimit - 1));
  EXPECT_EQ(refusal(to_users({"one more"}, "x")), "");
}

TYPED_TEST(RepositoryContract, MakesDeadLettersOfWhatExpires) {
  NewMessage message = to_users({"1", "2"}, "late");
  const MessageId id = this->repository().add(message);
  const std::vector<AttemptCount> attempts{{user("2"), id, 2}, {user("nobody"), id, 1}, {user("2"), id, 1}};
  this->repository().note_attempts(kService, attempts);
  this->repository().confirm(kService, user("1"), id);
  ASSERT_TRUE(this->becomes_size(1));
  EXPECT_EQ(this->repository().find(id).at(0).attempts, 3u);
  const WallTime then = message.expires + std::chrono::minutes(1);
  EXPECT_EQ(this->repository().expire(then), 1u);
  EXPECT_EQ(this->repository().size(), 0u);
  EXPECT_EQ(this->repository().count_dead({}), 1u);
  const auto dead = this->repository().list_dead({}, 0, 10);
  ASSERT_THAT(dead, SizeIs(1));
  EXPECT_EQ(dead[0].message.id, id);
  EXPECT_EQ(dead[0].message.recipient, user("2"));
  EXPECT_EQ(dead[0].message.data, "late");
  EXPECT_EQ(dead[0].message.attempts, 3u);
  EXPECT_EQ(dead[0].died, then);

  const auto fresh = this->repository().requeue(id, {}, then);
  ASSERT_THAT(fresh, SizeIs(1));
  EXPECT_GT(fresh[0], id);
  EXPECT_EQ(this->repository().count_dead({}), 0u);
  const auto row = this->repository().find(fresh[0]).at(0);
  EXPECT_EQ(row.expires - row.created, message.expires - message.created);
  EXPECT_EQ(row.data, "late");
  EXPECT_EQ(this->repository().requeue(id, {}, then), std::vector<MessageId>{});
}

// A message of 1 MiB to 1,000 users was 1 GiB in memory as soon as it was looked at.
TYPED_TEST(RepositoryContract, HasTheDataOfAMessageForManyOnce) {
  const std::vector<std::string> names{"1", "2", "3", "4"};
  const MessageId id = this->repository().add(to_users(names, std::string(20'000, 'x')));
  const auto shared = [](const std::vector<PendingMessage>& rows) {
    return std::ranges::all_of(rows, [&](const PendingMessage& row) {
      return row.data.size() == 20'000 && row.data_size == 20'000 && row.data.shares(rows.front().data);
    });
  };
  const auto found = this->repository().find(id);
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_TRUE(shared(found));
  const std::vector<Recipient> recipients{user("1"), user("2"), user("3"), user("4")};
  const auto pending = this->repository().pending(kService, recipients, {}, 1, ByteCount(1), kNow);
  ASSERT_THAT(pending, SizeIs(4)) << "rows of one message stay together";
  EXPECT_TRUE(shared(pending));

  // There is room for three letters of this size, or for four that share it.
  EXPECT_EQ(this->repository().expire(kNow + std::chrono::hours(2)), 4U);
  std::vector<PendingMessage> letters;
  std::vector<std::string> dead;
  for (const DeadLetter& letter : this->repository().list_dead({}, 0, 10)) {
    letters.push_back(letter.message);
    dead.push_back(letter.message.recipient.name);
  }
  EXPECT_THAT(dead, ElementsAre("1", "2", "3", "4"));
  EXPECT_TRUE(shared(letters));
  EXPECT_EQ(this->repository().count_dead({}), 4U);
  EXPECT_EQ(this->repository().size(), 0U);

  // What they share stays for the last of them, and is free then.
  EXPECT_EQ(this->repository().purge_dead(id, {.recipient = "1"}), 1U);
  EXPECT_EQ(this->repository().requeue(id, {.recipient = "2"}, kNow + std::chrono::hours(2)).size(), 1U);
  ASSERT_EQ(this->repository().count_dead({}), 2U);
  EXPECT_EQ(this->repository().list_dead({}, 1, 1).at(0).message.data, letters.at(3).data);
  EXPECT_EQ(this->repository().purge_dead({}, {}), 2U);
  this->repository().add(to_users({"1"}, std::string(kDeadBytes, 'y')));
  EXPECT_EQ(this->repository().expire(kNow + std::chrono::hours(9)), 2U);
  EXPECT_THAT(this->repository().list_dead({}, 0, 10), SizeIs(1)) << "they do not fit together";
}

TYPED_TEST(RepositoryContract, BoundsItsDeadLettersAndForgetsThemOnDemand) {
  for (std::size_t i = 0; i < kDeadLimit + 3; ++i)
    this->repository().add(to_users({std::to_string(i)}, std::to_string(i)));
  this->repository().expire(kNow + std::chrono::hours(2));
  EXPECT_EQ(this->repository().count_dead({}), kDeadLimit);
  EXPECT_EQ(this->repository().list_dead({}, 0, 1).at(0).message.data, "3") << "the oldest made room";
  EXPECT_EQ(this->repository().list_dead({}, 1, 1).at(0).message.data, "4");
  MessageFilter filter;
  filter.recipient = "4";
  EXPECT_EQ(this->repository().purge_dead({}, filter), 1u);
  EXPECT_EQ(this->repository().purge_dead(this->repository().list_dead({}, 0, 1).at(0).message.id, {}), 1u);
  EXPECT_EQ(this->repository().purge_dead({}, {}), kDeadLimit - 2);
  EXPECT_EQ(this->repository().count_dead({}), 0u);
}

TYPED_TEST(RepositoryContract, FindsTheDeadLettersOfOneMessage) {
  this->repository().add(to_users({"1"}, "older"));
  const MessageId id = this->repository().add(to_users({"1", "2"}, "this one"));
  this->repository().add(to_users({"2"}, "younger"));
  this->repository().expire(kNow + std::chrono::hours(2));
  MessageFilter filter;
  filter.message = id;
  const auto letters = this->repository().list_dead(filter, 0, 10);
  ASSERT_THAT(letters, SizeIs(2));
  for (const auto& letter : letters) EXPECT_EQ(letter.message.data, "this one");
  filter.recipient = "2";
  EXPECT_EQ(this->repository().count_dead(filter), 1u);
}

NewMessage imported(std::uint64_t original, std::string data, std::string collapse = "") {
  NewMessage message = to_users({"1"}, std::move(data));
  message.original = MessageId(original);
  message.key = "import/" + std::to_string(original) + "/user/of-1";
  message.collapse = std::move(collapse);
  return message;
}

TYPED_TEST(RepositoryContract, KnowsWhatIsImportedByTheIdItHadFirst) {
  const MessageId own = this->repository().add(to_users({"1"}, "own"));
  // Back to where it came from.
  const AddOutcome back = this->repository().add_all(std::vector{imported(own.value(), "own")}).at(0);
  EXPECT_TRUE(back.repeated);
  EXPECT_EQ(back.id, own);
  // An older one of another server, twice, and as that server got it from this one.
  const AddOutcome once = this->repository().add_all(std::vector{imported(77, "other")}).at(0);
  EXPECT_FALSE(once.repeated);
  EXPECT_GT(once.id, own);
  EXPECT_TRUE(this->repository().add_all(std::vector{imported(77, "other")}).at(0).repeated);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("own", "other"));
  EXPECT_EQ(this->repository().find(once.id).at(0).original, MessageId(77));
  EXPECT_FALSE(this->repository().find(own).at(0).original.valid());
}

TYPED_TEST(RepositoryContract, KeepsTheYoungerOfTwoWithTheSameCollapseKey) {
  NewMessage message = to_users({"1"}, "live");
  message.collapse = "price";
  const MessageId live = this->repository().add(message);
  EXPECT_TRUE(this->repository().add_all(std::vector{imported(live.value() - 1, "older", "price")}).at(0).repeated);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("live"));
  EXPECT_FALSE(this->repository().add_all(std::vector{imported(live.value() + 10, "younger", "price")}).at(0).repeated);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("younger"));
  // By the age it has, not by that of its import.
  EXPECT_TRUE(this->repository().add_all(std::vector{imported(live.value() + 9, "between", "price")}).at(0).repeated);
  EXPECT_FALSE(
      this->repository().add_all(std::vector{imported(live.value() + 11, "youngest", "price")}).at(0).repeated);
  EXPECT_FALSE(this->repository().add_all(std::vector{imported(5, "another key", "weight")}).at(0).repeated);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("youngest", "another key"));
  // What is sent now is the youngest of all.
  message.data = "sent";
  this->repository().add(message);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("another key", "sent"));
}

TYPED_TEST(RepositoryContract, KeepsTheDeadLettersOfAnotherStoreAsTheyAreAndOnce) {
  const auto letter = [](std::uint64_t id, const char* name, std::string data) {
    DeadLetter made;
    made.message.id = MessageId(id);
    made.message.service = kService;
    made.message.recipient = user(name);
    made.message.listening = true;
    made.message.event = "note";
    made.message.data_size = data.size();
    made.message.data = std::move(data);
    made.message.created = kNow;
    made.message.expires = kNow + std::chrono::minutes(5);
    made.message.collapse = "price";
    made.message.attempts = 7;
    made.died = kNow + std::chrono::minutes(6);
    return made;
  };
  const MessageId own = this->repository().add(to_users({"1"}, "died here"));
  this->repository().expire(kNow + std::chrono::hours(2));
  const std::vector<DeadLetter> letters{letter(300, "1", "x"), letter(200, "1", ""), letter(200, "2", "y"),
                                        letter(own.value(), "1", "died here"), letter(400, "1", "no room")};
  using Outcome = LetterOutcome;
  EXPECT_THAT(this->repository().add_dead(letters), ElementsAre(Outcome::kStored, Outcome::kStored, Outcome::kStored,
                                                                Outcome::kKnown, Outcome::kLimitReached));
  EXPECT_THAT(this->repository().add_dead(letters),
              ElementsAre(Outcome::kKnown, Outcome::kKnown, Outcome::kKnown, Outcome::kKnown, Outcome::kLimitReached));
  ASSERT_EQ(this->repository().count_dead({}), kDeadLimit);
  // By their ids, those of one message together.
  const auto page = this->repository().page_dead({}, 1);
  ASSERT_THAT(page, SizeIs(2));
  EXPECT_EQ(page[0].message.recipient, user("1"));
  EXPECT_EQ(page[1].message.recipient, user("2"));
  MessageFilter behind;
  behind.after = MessageId(200);
  const auto rest = this->repository().page_dead(behind, 10);
  ASSERT_THAT(rest, SizeIs(2));
  EXPECT_EQ(rest[0].message.id, MessageId(300));
  EXPECT_EQ(rest[1].message.id, own);
  const DeadLetter& kept = rest[0];
  EXPECT_EQ(kept.message.service, kService);
  EXPECT_TRUE(kept.message.listening);
  EXPECT_EQ(kept.message.event, "note");
  EXPECT_EQ(kept.message.data, "x");
  EXPECT_EQ(kept.message.created, kNow);
  EXPECT_EQ(kept.message.expires, kNow + std::chrono::minutes(5));
  EXPECT_EQ(kept.message.collapse, "price");
  EXPECT_EQ(kept.message.attempts, 7u);
  EXPECT_EQ(kept.died, kNow + std::chrono::minutes(6));
  // One that is pending again is known, too, by the id it had first.
  const auto fresh = this->repository().requeue(MessageId(300), {}, kNow + std::chrono::hours(3));
  ASSERT_THAT(fresh, SizeIs(1));
  EXPECT_EQ(this->repository().find(fresh[0]).at(0).original, MessageId(300));
  EXPECT_THAT(this->repository().add_dead(std::span(letters).first(1)), ElementsAre(Outcome::kKnown));
  EXPECT_EQ(this->repository().purge_dead(MessageId(200), {}), 2u);
  EXPECT_THAT(this->repository().add_dead(std::span(letters).subspan(1, 1)), ElementsAre(Outcome::kStored));
}

TYPED_TEST(RepositoryContract, RequeuesAllOrNothing) {
  for (int i = 0; i < 3; ++i) this->repository().add(to_users({"1"}, "dead"));
  this->repository().expire(kNow + std::chrono::hours(2));
  for (std::size_t i = 0; i < kLimit - 2; ++i) this->repository().add(to_users({"1"}, "alive"));
  const Error error = error_of([&] { this->repository().requeue({}, {}, kNow); });
  EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
  EXPECT_EQ(this->repository().count_dead({}), 3u);
  EXPECT_EQ(this->repository().size(), kLimit - 2);
}

// A letter with a collapse key may take the place of an older message; the next one then finds no room.
TYPED_TEST(RepositoryContract, LosesNothingWhereNotAllLettersHaveRoom) {
  NewMessage price = to_users({"1"}, "price 2");
  price.collapse = "price";
  const MessageId newer = this->repository().add(price);
  this->repository().add(to_users({"1"}, "dead 1"));
  this->repository().add(to_users({"1"}, "dead 2"));
  this->repository().expire(kNow + std::chrono::hours(2));
  ASSERT_EQ(this->repository().count_dead({}), 3u);
  const MessageId older =
      this->repository().add_all(std::vector{imported(newer.value() - 1, "price 1", "price")}).at(0).id;
  for (std::size_t i = 0; i < kLimit - 2; ++i) this->repository().add(to_users({"1"}, "alive"));
  const std::uint64_t before = this->repository().size();
  int reported = 0;
  this->repository().report_withdrawn(kService, [&](const std::vector<Withdrawn>&) { ++reported; });

  EXPECT_EQ(error_of([&] { this->repository().requeue({}, {}, kNow); }).code(), ErrorCode::kLimitExceeded);
  EXPECT_EQ(this->repository().size(), before);
  EXPECT_EQ(this->repository().count_dead({}), 3u);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("price 1", "alive", "alive", "alive"));
  EXPECT_EQ(reported, 0);
  EXPECT_EQ(this->repository().find(older).at(0).collapse, "price");
  // Room enough, and the key is known again.
  EXPECT_THAT(this->repository().requeue(newer, {}, kNow), SizeIs(1));
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("alive", "alive", "alive", "price 2"));
  EXPECT_EQ(reported, 1);
  EXPECT_EQ(this->repository().size(), before);
  this->repository().report_withdrawn(kService, {});
}

TYPED_TEST(RepositoryContract, KnowsARequeuedMessageByTheIdItHadFirst) {
  const MessageId first = this->repository().add(to_users({"1"}, "x"));
  NewMessage again = imported(first.value(), "x");
  again.key = import_key(first, user("1"));
  WallTime now = kNow;
  for (int round = 0; round < 2; ++round) {
    now += std::chrono::hours(2);
    EXPECT_EQ(this->repository().expire(now), 1u);
    EXPECT_EQ(first_id(this->repository().list_dead({}, 0, 1).at(0).message), first);
    const auto fresh = this->repository().requeue({}, {}, now);
    ASSERT_THAT(fresh, SizeIs(1));
    EXPECT_EQ(this->repository().find(fresh[0]).at(0).original, first);
    // An export from before it died is read.
    again.created = now;
    again.expires = now + std::chrono::hours(1);
    const AddOutcome outcome = this->repository().add_all(std::vector{again}).at(0);
    EXPECT_TRUE(outcome.repeated);
    EXPECT_EQ(outcome.id, fresh[0]);
    EXPECT_EQ(this->repository().size(), 1u);
  }
}

TYPED_TEST(RepositoryContract, RequeuesTheYoungestOfTheLettersWithOneCollapseKey) {
  const auto add = [&](std::string data, std::chrono::minutes ttl, std::string collapse) {
    NewMessage message = to_users({"1"}, std::move(data));
    message.expires = message.created + ttl;
    message.collapse = std::move(collapse);
    return this->repository().add(message);
  };
  add("price 1", std::chrono::minutes(10), "price");
  this->repository().expire(kNow + std::chrono::minutes(10));
  add("price 2", std::chrono::minutes(5), "price");
  const MessageId other = add("weight 1", std::chrono::minutes(20), "weight");
  this->repository().expire(kNow + std::chrono::minutes(30));
  const auto dead = this->repository().list_dead({}, 0, 10);
  ASSERT_THAT(dead, SizeIs(3));
  EXPECT_EQ(dead[0].message.collapse, "price");
  // A younger one is pending, and stays.
  add("weight 2", std::chrono::minutes(60), "weight");
  EXPECT_THAT(this->repository().requeue(other, {}, kNow), IsEmpty());
  EXPECT_THAT(this->repository().requeue({}, {}, kNow), SizeIs(1));
  EXPECT_EQ(this->repository().count_dead({}), 0u);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("weight 2", "price 2"));
  // It has its key again.
  add("price 3", std::chrono::minutes(60), "price");
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("weight 2", "price 3"));
}

TYPED_TEST(RepositoryContract, LetsAYoungerLetterReplaceAnOlderOneThatWasRequeuedBefore) {
  const auto add = [&](std::string data, std::chrono::minutes ttl) {
    NewMessage message = to_users({"1"}, std::move(data));
    message.expires = message.created + ttl;
    message.collapse = "price";
    return this->repository().add(message);
  };
  const MessageId one = add("price 1", std::chrono::minutes(10));
  this->repository().expire(kNow + std::chrono::minutes(10));
  const MessageId two = add("price 2", std::chrono::minutes(10));
  this->repository().expire(kNow + std::chrono::minutes(10));
  EXPECT_THAT(this->repository().requeue(two, {}, kNow), SizeIs(1));
  // Its new id is greater than that of the first, but it was not sent later.
  EXPECT_THAT(this->repository().requeue(one, {}, kNow), IsEmpty());
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("price 2"));
}

TYPED_TEST(RepositoryContract, TellsWhatExpires) {
  std::vector<std::string> reported;
  this->repository().report_withdrawn(kService, [&](const std::vector<Withdrawn>& gone) {
    for (const Withdrawn& one : gone) {
      EXPECT_EQ(one.why, Withdrawn::Why::kExpired);
      reported.push_back(one.recipient.name + " " + one.id.str());
    }
  });
  const MessageId id = this->repository().add(to_users({"1", "2:x"}, "x"));
  NewMessage later = to_users({"3"}, "y");
  later.expires += std::chrono::hours(2);
  this->repository().add(later);
  EXPECT_EQ(this->repository().expire(kNow + std::chrono::hours(2)), 2u);
  EXPECT_THAT(reported, ::testing::UnorderedElementsAre("1 " + id.str(), "2:x " + id.str()));
  this->repository().report_withdrawn(kService, {});
}

TEST(MemoryRepositoryGrowth, LooksOnlyAtWhatHasExpired) {
  IdGenerator ids{1};
  StoreLimits limits;
  limits.per_recipient = 0;
  MemoryRepository repository(ids, limits);
  for (int i = 0; i < 2000; ++i) {
    NewMessage message = to_users({std::to_string(i)}, "x");
    message.key = std::to_string(i);
    if (i % 1000 == 0) message.expires = kNow + std::chrono::minutes(1);
    repository.add(message);
  }
  std::uint64_t before = steps_counted();
  EXPECT_EQ(repository.expire(kNow + std::chrono::minutes(2)), 2u);
  EXPECT_LE(steps_counted() - before, 4u);
  // A page of an export begins where the last one ended.
  before = steps_counted();
  MessageFilter filter;
  const auto page = repository.list(filter, 0, 1990);
  filter.after = page.back().id;
  before = steps_counted();
  EXPECT_THAT(repository.list(filter, 0, 1000), SizeIs(8));
  EXPECT_EQ(repository.count(filter), 8u);
  EXPECT_EQ(repository.count({}), 1998u);
  EXPECT_LE(steps_counted() - before, 20u);
}

TYPED_TEST(RepositoryContract, TellsWhatIsWithdrawn) {
  std::vector<std::string> reported;
  this->repository().report_withdrawn(kService, [&](const std::vector<Withdrawn>& gone) {
    for (const Withdrawn& one : gone) {
      const char* why = one.why == Withdrawn::Why::kReplaced ? "replaced" : "deleted";
      if (one.why != Withdrawn::Why::kExpired) reported.push_back(one.recipient.name + " " + why + " " + one.id.str());
    }
  });
  NewMessage price = to_users({"1", "2:x"}, "price 1");
  price.collapse = "price";
  const MessageId first = this->repository().add(price);
  EXPECT_THAT(reported, IsEmpty());
  this->repository().add(price);
  EXPECT_THAT(reported, ::testing::UnorderedElementsAre("1 replaced " + first.str(), "2:x replaced " + first.str()));
  reported.clear();
  const MessageId second = this->repository().add(to_users({"3"}, "x"));
  const MessageId third = this->repository().add(to_users({"4"}, "x"));
  this->repository().erase(second);
  EXPECT_THAT(reported, ElementsAre("3 deleted " + second.str()));
  MessageFilter filter;
  filter.recipient = "4";
  this->repository().purge(filter);
  EXPECT_THAT(reported, ElementsAre("3 deleted " + second.str(), "4 deleted " + third.str()));
  this->repository().report_withdrawn(kService, {});
  this->repository().purge({});
  EXPECT_THAT(reported, SizeIs(2));
}

TYPED_TEST(RepositoryContract, GivesFurtherIdsAroundThoseOfItsMessages) {
  std::vector<NewMessage> messages{to_users({"1"}, "a"), to_users({"1"}, "b")};
  messages[0].ids_before = 2;
  messages[1].ids_before = 1;
  messages[1].ids_behind = 2;
  const auto kept = this->repository().add_all(messages);
  ASSERT_THAT(kept[0].before, SizeIs(2));
  ASSERT_THAT(kept[1].before, SizeIs(1));
  ASSERT_THAT(kept[1].behind, SizeIs(2));
  const std::vector<MessageId> all{kept[0].before[0], kept[0].before[1], kept[0].id,       kept[1].before[0],
                                   kept[1].id,        kept[1].behind[0], kept[1].behind[1]};
  EXPECT_TRUE(std::ranges::is_sorted(all, std::less_equal<>())) << ::testing::PrintToString(all.size());
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("a", "b"));
}

TYPED_TEST(RepositoryContract, WithdrawsWhatIsOlderThanAMessageOfAnotherStore) {
  auto* const partial = ability<PartialStore>(this->repository());
  // Where all nodes have one store there is no other.
  EXPECT_EQ(ability<SharedStore>(this->repository()) != nullptr, TypeParam::kShared);
  ASSERT_EQ(partial == nullptr, TypeParam::kShared);
  if (partial == nullptr) return;
  NewMessage message = to_users({"1", "2"}, "price");
  message.collapse = "price";
  const MessageId id = this->repository().add(message);
  const auto replace_older = [&](const char* name, const char* collapse, std::uint64_t than) {
    const PartialStore::Replaced replaced = partial->replace_older(kService, user(name), collapse, MessageId(than));
    return std::pair(replaced.count, replaced.newer);
  };
  EXPECT_EQ(replace_older("1", "weight", id.value() + 1), std::pair(std::uint64_t{0}, MessageId()));
  EXPECT_EQ(replace_older("1", "price", id.value()), std::pair(std::uint64_t{0}, MessageId()));
  EXPECT_EQ(replace_older("1", "price", id.value() - 1), std::pair(std::uint64_t{0}, id));
  EXPECT_EQ(replace_older("3", "price", id.value() + 1), std::pair(std::uint64_t{0}, MessageId()));
  EXPECT_EQ(this->repository().size(), 2u);
  EXPECT_EQ(replace_older("1", "price", id.value() + 1), std::pair(std::uint64_t{1}, MessageId()));
  EXPECT_THAT(this->pending(user("1")), IsEmpty());
  EXPECT_THAT(this->pending(user("2")), SizeIs(1));
}

TYPED_TEST(RepositoryContract, ListsTheCollapseKey) {
  NewMessage message = to_users({"1"}, "x");
  message.collapse = "price";
  this->repository().add(message);
  EXPECT_EQ(this->repository().list({}, 0, 10).at(0).collapse, "price");
}

TYPED_TEST(RepositoryContract, PurgesWhatMatches) {
  this->repository().add(to_users({"1", "2"}, "a"));
  NewMessage note = to_users({"1"}, "b");
  note.event = "note";
  this->repository().add(note);
  MessageFilter filter;
  filter.event = "note";
  EXPECT_EQ(this->repository().purge(filter), 1u);
  EXPECT_EQ(this->repository().size(), 2u);
  filter.event.clear();
  filter.recipient = "2";
  EXPECT_EQ(this->repository().purge(filter), 1u);
  EXPECT_THAT(data_of(this->pending(user("1"))), ElementsAre("a"));
  EXPECT_EQ(this->repository().purge({}), 1u);
  EXPECT_EQ(this->repository().purge({}), 0u);
  EXPECT_EQ(this->repository().size(), 0u);
}

TYPED_TEST(RepositoryContract, ListsWhatComesAfterAnId) {
  const MessageId a = this->repository().add(to_users({"1"}, "a"));
  const MessageId b = this->repository().add(to_users({"2"}, "b"));
  MessageFilter filter;
  filter.after = a;
  EXPECT_THAT(ids_of(this->repository().list(filter, 0, 10)), ElementsAre(b));
  EXPECT_EQ(this->repository().count(filter), 1u);
}

}  // namespace
}  // namespace sse::store
