#include "cluster/mesh/mesh_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "cluster/core/topics.h"
#include "cluster/core/wire.h"
#include "store/memory/memory_repository.h"
#include "store/repository_abilities.h"
#include "support/eventually.h"
#include "support/memory_bus.h"
#include "unit/store/forwarding_repository.h"

namespace sse::cluster {
namespace {

using namespace std::chrono_literals;
using event::TargetKind;
using sse::testing::eventually;
using store::NewMessage;
using store::PendingMessage;
using store::Recipient;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

const ServiceName kService("s");

// Another node comes between what is about to be stored and the store.
class InterruptedRepository final : public testing::ForwardingRepository,
                                    public store::WithdrawalReports,
                                    public store::PartialStore {
 public:
  using ForwardingRepository::ForwardingRepository;
  std::vector<store::AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                              const std::function<void()>& committed) override {
    if (before_add) before_add();
    return real().add_in_order(messages, committed);
  }
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) override {
    if (!late) real().confirm(service, recipient, id);
  }
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override {
    store::ability<store::WithdrawalReports>(real())->report_withdrawn(service, std::move(withdraw));
  }
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages) override {
    return store::ability<store::PartialStore>(real())->known_imports(messages);
  }
  Replaced replace_older(const ServiceName& service, const Recipient& recipient, const std::string& collapse,
                         MessageId than) override {
    return store::ability<store::PartialStore>(real())->replace_older(service, recipient, collapse, than);
  }
  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount max_bytes, WallTime now) override {
    if (unreadable) throw Error(ErrorCode::kIo, "its disk is gone");
    ++asked;
    return real().pending(service, recipients, after, limit, max_bytes, now);
  }

  std::function<void()> before_add;
  bool unreadable = false;
  bool late = false;          // confirmations wait for the disk
  std::atomic<int> asked{0};  // what is pending
};

class UnreadableCatalog final : public store::MessageCatalog {
 public:
  explicit UnreadableCatalog(store::MessageCatalog& store) : store_(store) {}
  std::uint64_t count(const store::MessageFilter& filter) override { return store_.count(filter); }
  std::vector<PendingMessage> list(const store::MessageFilter& filter, std::uint64_t skip, std::size_t limit) override {
    if (unreadable) throw Error(ErrorCode::kIo, "its disk is gone");
    return store_.list(filter, skip, limit);
  }
  std::vector<PendingMessage> find(MessageId id) override {
    if (unreadable) throw Error(ErrorCode::kIo, "its disk is gone");
    return store_.find(id);
  }
  std::uint64_t erase(MessageId id) override { return store_.erase(id); }
  std::uint64_t purge(const store::MessageFilter& filter) override { return store_.purge(filter); }

  bool unreadable = false;

 private:
  store::MessageCatalog& store_;
};

class Node final : public Bus::Receiver {
 public:
  Node(const std::shared_ptr<MemoryExchange>& exchange, const std::string& name, unsigned number)
      : ids_(number), own_(ids_, {}), bus_(exchange, name), interest_(bus_) {
    bus_.start(*this);
    interest_.acquire({broadcast_topic()}, [] {});
    open();
  }
  ~Node() { bus_.stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void received(std::vector<Bus::Incoming> commands, Bus::ReplyBatch) override {
    for (const Bus::Incoming& command : commands) {
      const std::string asked = std::get<StoreCommand>(decode(command.bytes)).bytes;
      if (asked.find("\"look\"") == std::string::npos) ++received_;
      const MutexLock lock(mutex_);
      command.answer(fails_ ? "!its disk is gone" : mesh_ ? mesh_->handle(asked) : "");
    }
  }

  // As after a restart, with what is in the store.
  void open() {
    auto mesh =
        std::make_unique<MeshRepository>(MeshRepository::Own{interrupted_, catalog_, own_, own_}, bus_, interest_,
                                         MeshRepository::Options{sse::testing::kTimeout, [this] { ++looks_; }});
    {
      const MutexLock lock(mutex_);
      mesh_.swap(mesh);
    }
    mesh.reset();
    mesh_->start();
  }
  MessageId add(const std::string& user, const std::string& data) {
    return mesh_->add({kService, {TargetKind::kUser, {user}, false}, "e", data, wall_now(), wall_now() + 1h});
  }
  std::vector<PendingMessage> pending(const std::vector<std::string>& users, std::size_t limit = 100,
                                      MessageId after = MessageId(), ByteCount max_bytes = mebibytes(1)) {
    std::vector<Recipient> recipients;
    for (const std::string& user : users) recipients.push_back({TargetKind::kUser, user});
    try {
      unread_.clear();
      return mesh_->pending(kService, recipients, after, limit, max_bytes, wall_now());
    } catch (store::PartialRead& part) {
      unread_ = part.what();
      return part.take();
    }
  }
  /// Why the last pending() may lack something; empty: it does not.
  const std::string& unread() const { return unread_; }
  void fail(bool fails) { fails_ = fails; }
  std::vector<std::string> data(const std::vector<std::string>& users) {
    std::vector<std::string> data;
    for (const PendingMessage& message : pending(users)) data.push_back(message.data);
    return data;
  }
  MeshRepository& mesh() { return *mesh_; }
  IdGenerator& ids() { return ids_; }
  store::MemoryRepository& own() { return own_; }
  InterruptedRepository& interrupted() { return interrupted_; }
  UnreadableCatalog& catalog() { return catalog_; }
  int received() const { return received_; }
  int looks() const { return looks_; }

 private:
  IdGenerator ids_;
  store::MemoryRepository own_;
  InterruptedRepository interrupted_{own_};
  UnreadableCatalog catalog_{own_};
  MemoryBus bus_;
  Interest interest_;
  Mutex mutex_;  // open() may come between; all else is done by the thread that does that
  std::unique_ptr<MeshRepository> mesh_;
  std::string unread_;
  std::atomic<bool> fails_{false};
  std::atomic<int> received_{0};
  std::atomic<int> looks_{0};
};

class MeshRepositoryTest : public ::testing::Test {
 protected:
  const std::shared_ptr<MemoryExchange> exchange_ = std::make_shared<MemoryExchange>();
  Node a_{exchange_, "a", 1};
  Node b_{exchange_, "b", 2};
  Node c_{exchange_, "c", 3};
};

TEST_F(MeshRepositoryTest, FindsWhatOtherNodesAccepted) {
  a_.add("1", "one");
  b_.add("1", "two");
  a_.add("1", std::string("three\n\0x", 8));
  a_.add("2", "other");
  // What several nodes accept in one millisecond has no order.
  EXPECT_THAT(c_.data({"1"}), UnorderedElementsAre("one", "two", std::string("three\n\0x", 8)));
  EXPECT_THAT(b_.data({"1"}), UnorderedElementsAre("one", "two", std::string("three\n\0x", 8)));
  EXPECT_THAT(c_.data({"1", "2"}), SizeIs(4));
  const PendingMessage message = c_.pending({"2"}).front();
  EXPECT_EQ(message.recipient, (Recipient{TargetKind::kUser, "2"}));
  EXPECT_EQ(message.event, "e");
  EXPECT_EQ(message.service, kService);
}

TEST_F(MeshRepositoryTest, CountsDeliveriesWhereTheMessageIs) {
  const MessageId id = a_.add("1", "one");
  const store::AttemptCount attempted{{TargetKind::kUser, "1"}, id, 2};
  b_.mesh().note_attempts(kService, {&attempted, 1});
  a_.mesh().note_attempts(kService, {&attempted, 1});
  c_.mesh().settle_attempts();
  EXPECT_EQ(a_.own().find(id).at(0).attempts, 4u);
}

TEST_F(MeshRepositoryTest, OfMessagesWithOneCollapseKeyAtSeveralNodesTheYoungestStays) {
  const auto add = [](Node& node, const std::string& data, MessageId after) {
    node.ids().raise_floor(after.value());
    NewMessage message{kService, {TargetKind::kUser, {"1"}, false}, "e", data, wall_now(), wall_now() + 1h};
    message.collapse = "price";
    return node.mesh().add(message);
  };
  const MessageId first = add(a_, "price 1", MessageId(1));
  const MessageId second = add(b_, "price 2", first);
  EXPECT_EQ(a_.own().size(), 0u);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("price 2"));
  add(c_, "price 3", second);
  EXPECT_EQ(b_.own().size(), 0u);
  EXPECT_THAT(a_.data({"1"}), ElementsAre("price 3"));
}

TEST_F(MeshRepositoryTest, WhatIsImportedOrRequeuedYieldsToAYoungerMessageOfAnotherNode) {
  const auto price = [](const std::string& data, std::chrono::hours ttl) {
    NewMessage message{kService, {TargetKind::kUser, {"1"}, false}, "e", data, wall_now(), wall_now() + ttl};
    message.collapse = "price";
    return message;
  };
  const MessageId first = a_.mesh().add(price("price 1", -1h));
  a_.mesh().expire(wall_now());
  b_.ids().raise_floor(first.value());
  const MessageId second = b_.mesh().add(price("price 2", 1h));
  NewMessage old = price("price 0", 1h);
  old.original = MessageId(first.value() - 1);
  const store::AddOutcome outcome = a_.mesh().add_all({&old, 1}).at(0);
  EXPECT_TRUE(outcome.repeated);
  EXPECT_THAT(a_.mesh().requeue(MessageId(), {}, wall_now()), IsEmpty());
  EXPECT_EQ(a_.own().size(), 0u);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("price 2"));
  // One that is younger still takes its place.
  NewMessage young = price("price 3", 1h);
  young.original = MessageId(second.value() + 1);
  EXPECT_FALSE(a_.mesh().add_all({&young, 1}).at(0).repeated);
  EXPECT_EQ(b_.own().size(), 0u);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("price 3"));
}

TEST_F(MeshRepositoryTest, KnowsWhatWasImportedAtAnotherNode) {
  const MessageId own = a_.add("1", "own");
  const auto import = [](Node& node, MessageId original, const std::string& key) {
    NewMessage message{kService, {TargetKind::kUser, {"1"}, false}, "e", "x", wall_now(), wall_now() + 1h};
    message.original = original;
    message.key = key;
    message.ids_before = 2;
    return node.mesh().add_all({&message, 1}).at(0);
  };
  const store::AddOutcome first = import(a_, MessageId(77), "import/77/user/1");
  EXPECT_FALSE(first.repeated);
  const store::AddOutcome again = import(b_, MessageId(77), "import/77/user/1");
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.id, first.id);
  EXPECT_THAT(again.before, SizeIs(2));
  EXPECT_TRUE(import(b_, own, "import/own/user/1").repeated);
  EXPECT_FALSE(import(b_, MessageId(78), "import/78/user/1").repeated);
  EXPECT_THAT(c_.data({"1"}), SizeIs(3));
}

TEST_F(MeshRepositoryTest, RefusesAnImportWhereANodeDoesNotSayWhetherItHasTheMessage) {
  const MessageId id = a_.add("1", "one");
  NewMessage message{kService, {TargetKind::kUser, {"1"}, false}, "e", "one", wall_now(), wall_now() + 1h};
  message.original = id;
  message.key = "import/own/user/1";
  a_.fail(true);
  EXPECT_THAT(
      [&] {
        b_.mesh().add_all({&message, 1});
      },
      ThrowsMessage<Error>(
          AllOf(HasSubstr("node 'a' cannot read its messages: its disk is gone"), HasSubstr("import it again later"))));
  EXPECT_EQ(b_.own().size(), 0U);
  EXPECT_EQ(b_.mesh().held(), 0U);
  a_.fail(false);
  EXPECT_TRUE(b_.mesh().add_all({&message, 1}).at(0).repeated);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("one"));
}

TEST_F(MeshRepositoryTest, IsAskedForWhatWasRequeuedThoughItCouldNotBeReadAtFirst) {
  a_.own().add({kService, {TargetKind::kUser, {"1"}, false}, "e", "one", wall_now() - 2h, wall_now() - 1h});
  a_.own().expire(wall_now());
  a_.catalog().unreadable = true;
  EXPECT_THAT(a_.mesh().requeue(MessageId(), {}, wall_now()), SizeIs(1));
  EXPECT_THROW(a_.mesh().expire(wall_now()), Error);
  EXPECT_THAT(c_.data({"1"}), IsEmpty());
  a_.catalog().unreadable = false;
  const int looks = c_.looks();
  a_.mesh().expire(wall_now());
  // Its streams are told to look.
  EXPECT_TRUE(eventually([&] { return c_.looks() > looks; }));
  EXPECT_THAT(c_.data({"1"}), ElementsAre("one"));
}

TEST_F(MeshRepositoryTest, LooksOnlyForRecipientsOfWhatExpired) {
  a_.mesh().report_withdrawn(kService, [](const std::vector<store::Withdrawn>&) {});
  for (int i = 0; i < 100; ++i) a_.add(std::to_string(i), "x");
  a_.mesh().add({kService, {TargetKind::kUser, {"late"}, false}, "e", "x", wall_now() - 2h, wall_now() - 1h});
  a_.mesh().requeue(MessageId(), {}, wall_now());
  for (int i = 0; i < 2; ++i) a_.mesh().expire(wall_now() - 3h);  // looks at what was touched so far, twice
  const int looked = a_.interrupted().asked;
  EXPECT_EQ(a_.mesh().expire(wall_now()), 1u);
  EXPECT_EQ(a_.interrupted().asked - looked, 1);
  EXPECT_EQ(a_.mesh().held(), 100u);
  a_.mesh().report_withdrawn(kService, {});
}

TEST_F(MeshRepositoryTest, AsksOnlyNodesThatHoldSomething) {
  a_.add("1", "one");
  c_.data({"1"});
  c_.data({"nobody"});
  EXPECT_EQ(a_.received(), 1);
  EXPECT_EQ(b_.received(), 0);
}

TEST_F(MeshRepositoryTest, AConfirmationGoesToWhoeverHoldsTheMessage) {
  const MessageId id = a_.add("1", "one");
  c_.mesh().confirm(kService, {TargetKind::kUser, "1"}, id);
  EXPECT_TRUE(eventually([&] { return a_.own().size() == 0; }));
  EXPECT_THAT(c_.data({"1"}), IsEmpty());
}

TEST_F(MeshRepositoryTest, TellsWhoWaitsWhatAnotherNodeConfirmed) {
  std::atomic<std::uint64_t> settled{0};
  a_.mesh().report_settled(kService, [&](const Recipient& recipient, MessageId id) {
    EXPECT_EQ(recipient.name, "1");
    settled = id.value();
  });
  const MessageId id = a_.add("1", "one");
  c_.mesh().confirm(kService, {TargetKind::kUser, "1"}, id);
  EXPECT_TRUE(eventually([&] { return settled == id.value(); }));
  a_.mesh().report_settled(kService, {});
}

TEST_F(MeshRepositoryTest, StopsBeingAskedWhenNothingIsLeft) {
  const MessageId id = a_.add("1", "one");
  EXPECT_EQ(a_.mesh().held(), 1u);
  c_.mesh().confirm(kService, {TargetKind::kUser, "1"}, id);
  ASSERT_TRUE(eventually([&] {
    a_.mesh().expire(wall_now());
    return a_.mesh().held() == 0;
  }));
  a_.add("1", "two");
  EXPECT_EQ(a_.mesh().held(), 1u);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("two"));
}

TEST_F(MeshRepositoryTest, StopsBeingAskedThoughItsStoreCouldNotBeReadAtFirst) {
  const MessageId one = a_.add("1", "one");
  const MessageId two = a_.add("2", "two");
  a_.mesh().confirm(kService, {TargetKind::kUser, "1"}, one);
  a_.mesh().confirm(kService, {TargetKind::kUser, "2"}, two);
  a_.interrupted().unreadable = true;
  EXPECT_THROW(a_.mesh().expire(wall_now()), Error);
  EXPECT_EQ(a_.mesh().held(), 2U);
  a_.interrupted().unreadable = false;
  a_.mesh().expire(wall_now());
  EXPECT_EQ(a_.mesh().held(), 0U);
}

TEST_F(MeshRepositoryTest, StopsBeingAskedForWhatAnOperatorDeleted) {
  a_.mesh().report_withdrawn(kService, [](const std::vector<store::Withdrawn>&) {});
  const MessageId id = a_.add("1", "one");
  a_.mesh().expire(wall_now());
  a_.mesh().expire(wall_now());
  a_.mesh().expire(wall_now());
  EXPECT_EQ(a_.mesh().held(), 1U);
  // The catalog is the store itself.
  EXPECT_EQ(a_.own().erase(id), 1U);
  a_.mesh().expire(wall_now());
  EXPECT_EQ(a_.mesh().held(), 0U);
}

TEST_F(MeshRepositoryTest, StopsBeingAskedThoughAConfirmationWasNotStoredYetWhenItLooked) {
  const MessageId id = a_.add("1", "one");
  a_.mesh().expire(wall_now());
  a_.interrupted().late = true;
  a_.mesh().confirm(kService, {TargetKind::kUser, "1"}, id);
  a_.mesh().expire(wall_now());
  EXPECT_EQ(a_.mesh().held(), 1U);
  a_.own().confirm(kService, {TargetKind::kUser, "1"}, id);
  a_.mesh().expire(wall_now());
  EXPECT_EQ(a_.mesh().held(), 0U);
}

TEST_F(MeshRepositoryTest, StillHoldsWhatItHeldBeforeARestart) {
  a_.own().add({kService, {TargetKind::kUser, {"1", "2"}, false}, "e", "kept", wall_now(), wall_now() + 1h});
  EXPECT_THAT(c_.data({"1"}), IsEmpty());
  const int looks = c_.looks();
  a_.open();
  EXPECT_TRUE(eventually([&] { return c_.looks() > looks; }));
  EXPECT_EQ(a_.mesh().held(), 2u);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("kept"));
}

TEST_F(MeshRepositoryTest, PagesOverSeveralNodesMissNothing) {
  for (int i = 0; i < 50; ++i) (i % 3 == 0 ? a_ : i % 3 == 1 ? b_ : c_).add("1", std::to_string(i));
  std::vector<MessageId> seen;
  MessageId after;
  for (;;) {
    const auto page = c_.pending({"1"}, 7, after);
    for (const PendingMessage& message : page) seen.push_back(message.id);
    if (page.size() < 7) break;
    after = seen.back();
  }
  EXPECT_THAT(seen, SizeIs(50));
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

TEST_F(MeshRepositoryTest, GoesOnAloneWhenNoNodeCanBeReached) {
  a_.add("1", "one");
  c_.add("1", "mine");
  exchange_->cut(true);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("mine"));
  EXPECT_NE(c_.unread(), "");
  const MessageId id = c_.add("2", "accepted all the same");
  EXPECT_TRUE(id.valid());
  exchange_->cut(false);
  EXPECT_THAT(a_.data({"1"}), SizeIs(2));
  EXPECT_THAT(a_.data({"2"}), ElementsAre("accepted all the same"));
}

TEST_F(MeshRepositoryTest, IsAskedForWhatIsStoredWhileItLooksWhetherAnythingIsLeft) {
  a_.interrupted().before_add = [&] { a_.mesh().expire(wall_now()); };
  const MessageId id = a_.add("1", "one");
  EXPECT_EQ(a_.mesh().held(), 1u);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("one"));
  a_.mesh().confirm(kService, {TargetKind::kUser, "1"}, id);
  EXPECT_TRUE(eventually([&] {
    a_.mesh().expire(wall_now());
    return a_.mesh().held() == 0;
  }));
}

TEST_F(MeshRepositoryTest, TellsANodeThatCannotReadFromOneThatHasNothing) {
  a_.add("1", "one");
  c_.add("1", "mine");
  EXPECT_THAT(c_.data({"nobody"}), IsEmpty());
  EXPECT_EQ(c_.unread(), "");
  a_.fail(true);
  EXPECT_THAT(c_.data({"1"}), ElementsAre("mine"));
  EXPECT_EQ(c_.unread(), "node 'a' cannot read its messages: its disk is gone");
  a_.fail(false);
  EXPECT_THAT(c_.data({"1"}), SizeIs(2));
  EXPECT_EQ(c_.unread(), "");
}

// Those who wait for a confirmation look often.
TEST_F(MeshRepositoryTest, SaysWithoutOtherNodesWhetherWhatWasSentHereIsPending) {
  const MessageId id = a_.add("1", "one");
  c_.add("1", "mine");
  const Recipient who{TargetKind::kUser, "1"};
  const auto here = [&] {
    return a_.mesh().local().pending(kService, {&who, 1}, MessageId(id.value() - 1), 1, ByteCount(1), WallTime::min());
  };
  const int asked = c_.received();
  ASSERT_EQ(here().size(), 1U);
  EXPECT_EQ(here().front().id, id);
  EXPECT_EQ(c_.received(), asked);
}

TEST_F(MeshRepositoryTest, WhatIsSentOnceMoreIsFoundToo) {
  a_.mesh().add({kService, {TargetKind::kUser, {"1"}, false}, "e", "late", wall_now() - 2h, wall_now() - 1h});
  a_.mesh().expire(wall_now());
  ASSERT_EQ(a_.mesh().held(), 0u);
  EXPECT_THAT(a_.mesh().requeue(MessageId(), {}, wall_now()), SizeIs(1));
  EXPECT_THAT(c_.data({"1"}), ElementsAre("late"));
}

}  // namespace
}  // namespace sse::cluster
