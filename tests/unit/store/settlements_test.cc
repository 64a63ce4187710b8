#include "store/settlements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sse::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Recipient kUser{event::TargetKind::kUser, "u"};

SharedStore::Settled into(std::vector<std::string>& calls) {
  return [&calls](const Recipient& recipient, MessageId message) {
    calls.push_back(message.valid() ? recipient.name + " " + message.str() : "missed some");
  };
}

TEST(Settlements, TellsTheListenerOfTheService) {
  Settlements settlements;
  std::vector<std::string> a;
  std::vector<std::string> b;
  settlements.set(ServiceName("a"), into(a));
  settlements.set(ServiceName("b"), into(b));
  settlements.report(ServiceName("a"), kUser, MessageId(7));
  settlements.report(ServiceName("without a listener"), kUser, MessageId(8));
  EXPECT_THAT(a, ElementsAre("u 7"));
  EXPECT_THAT(b, IsEmpty());
}

TEST(Settlements, TellsEveryServiceThatReportsMayBeMissing) {
  Settlements settlements;
  std::vector<std::string> a;
  std::vector<std::string> b;
  settlements.set(ServiceName("a"), into(a));
  settlements.set(ServiceName("b"), into(b));
  settlements.report_missed();
  EXPECT_THAT(a, ElementsAre("missed some"));
  EXPECT_THAT(b, ElementsAre("missed some"));
}

TEST(Settlements, AnotherListenerTakesThePlaceOfThePreviousAndNoneEndsTheCalls) {
  Settlements settlements;
  std::vector<std::string> first;
  std::vector<std::string> second;
  settlements.set(ServiceName("a"), into(first));
  settlements.set(ServiceName("a"), into(second));
  settlements.report(ServiceName("a"), kUser, MessageId(1));
  settlements.set(ServiceName("a"), {});
  settlements.report(ServiceName("a"), kUser, MessageId(2));
  settlements.report_missed();
  EXPECT_THAT(first, IsEmpty());
  EXPECT_THAT(second, ElementsAre("u 1"));
}

}  // namespace
}  // namespace sse::store
