#include "store/memory/memory_dead_letters.h"

#include <string>

#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MemoryDeadLettersTest : public ::testing::Test {
 protected:
  static PendingMessage message(std::uint64_t id, const std::string& recipient, const Payload& data = Payload("data")) {
    PendingMessage m;
    m.id = MessageId(id);
    m.service = kService;
    m.recipient = user(recipient);
    m.event = "e";
    m.data = data;
    m.created = kNow - std::chrono::hours(1);
    m.expires = kNow;
    return m;
  }
  std::vector<std::string> recipients() const {
    std::vector<std::string> names;
    for (const DeadLetter& letter : letters_.list({}, 0, 100)) names.push_back(letter.message.recipient.name);
    return names;
  }
  static bool knows_nothing(const NewMessage&) { return false; }

  StoreLimits limits_;
  MemoryDeadLetters letters_{limits_};
};

TEST_F(MemoryDeadLettersTest, DeletesTheOldestForAnExpiredMessage) {
  limits_.dead = 2;
  for (const char* name : {"1", "2", "3"}) letters_.add_expired(message(1, name), kNow);
  EXPECT_THAT(recipients(), ElementsAre("2", "3"));
}

TEST_F(MemoryDeadLettersTest, LettersOfOneMessageShareItsData) {
  limits_.dead_bytes = ByteCount(10);
  letters_.add_expired(message(1, "1", Payload("eightlet")), kNow);
  letters_.add_expired(message(1, "2", Payload("eightlet")), kNow);
  EXPECT_THAT(recipients(), ElementsAre("1", "2"));
  EXPECT_TRUE(letters_.list({}, 0, 1).front().message.data.shares(letters_.list({}, 1, 1).front().message.data));
  letters_.add_expired(message(2, "3", Payload("eightlet")), kNow);
  EXPECT_THAT(recipients(), ElementsAre("3")) << "another message";
  letters_.add_expired(message(3, "4", Payload(std::string(11, 'x'))), kNow);
  EXPECT_THAT(recipients(), ElementsAre("3")) << "larger than all letters may be";
}

TEST_F(MemoryDeadLettersTest, RefusesImportedLettersThatItKnowsOrHasNoRoomFor) {
  limits_.dead = 2;
  const auto knows_four = [](const NewMessage& import) { return import.original == MessageId(4); };
  const std::vector<DeadLetter> letters{{message(1, "1"), kNow},
                                        {message(1, "1"), kNow},
                                        {message(4, "1"), kNow},
                                        {message(2, "1"), kNow},
                                        {message(3, "1"), kNow}};
  EXPECT_THAT(letters_.add(letters, knows_four),
              ElementsAre(LetterOutcome::kStored, LetterOutcome::kKnown, LetterOutcome::kKnown, LetterOutcome::kStored,
                          LetterOutcome::kLimitReached));
  EXPECT_THAT(letters_.add(std::vector<DeadLetter>{{message(2, "1"), kNow}}, knows_nothing),
              ElementsAre(LetterOutcome::kKnown));
}

TEST_F(MemoryDeadLettersTest, OfLettersWithOneCollapseKeyTheYoungestIsSentAgain) {
  for (const std::uint64_t id : {3U, 2U, 4U}) {
    PendingMessage m = message(id, "1", Payload("data " + std::to_string(id)));
    m.collapse = id == 4 ? "" : "k";
    letters_.add_expired(std::move(m), kNow);
  }
  const std::vector<SharedMessage> again = letters_.as_new_messages({}, {}, kNow + std::chrono::seconds(5));
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_EQ(again[0].data, "data 3");
  EXPECT_EQ(again[0].message.original, MessageId(3));
  EXPECT_EQ(again[0].message.created, kNow + std::chrono::seconds(5));
  EXPECT_EQ(again[0].message.expires - again[0].message.created, std::chrono::hours(1));
  EXPECT_THAT(again[0].message.target.names, ElementsAre("1"));
  EXPECT_EQ(again[1].message.original, MessageId(4));
}

TEST_F(MemoryDeadLettersTest, CountsListsAndDropsWhatMatches) {
  for (const std::uint64_t id : {1U, 2U, 3U}) letters_.add_expired(message(id, id == 2 ? "2" : "1"), kNow);
  MessageFilter filter;
  filter.recipient = "1";
  EXPECT_EQ(letters_.count(filter), 2U);
  EXPECT_THAT(letters_.list(filter, 1, 10), SizeIs(1));
  filter.after = MessageId(1);
  EXPECT_THAT(letters_.younger(filter), SizeIs(1));
  EXPECT_EQ(letters_.drop(MessageId(2), {}), 1U);
  EXPECT_EQ(letters_.drop({}, {}), 2U);
  EXPECT_THAT(letters_.list({}, 0, 10), IsEmpty());
}

}  // namespace
}  // namespace sse::store
