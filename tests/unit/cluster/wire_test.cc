#include "cluster/core/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cluster/core/topics.h"

namespace sse::cluster {
namespace {

TEST(Wire, CarriesAnEventAsItIs) {
  DeliverCommand sent;
  sent.service = ServiceName("hr");
  sent.kind = event::TargetKind::kChannel;
  sent.name = "a\n\"b\"";
  sent.listening = true;
  sent.event = "note";
  sent.frame = event::Frame::make("id:1\ndata:{\n\n", MessageId(9'000'000'000'000'000'001), sent.kind);
  const auto got = std::get<DeliverCommand>(decode(encode(sent)));
  EXPECT_EQ(got.service, sent.service);
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.name, sent.name);
  EXPECT_TRUE(got.listening);
  EXPECT_EQ(got.event, sent.event);
  EXPECT_EQ(got.frame->bytes(), sent.frame->bytes());
  EXPECT_EQ(got.frame->message(), sent.frame->message());
  EXPECT_EQ(got.frame->recipient(), sent.kind);
  EXPECT_EQ(got.frame->channel(), sent.name);
  EXPECT_FALSE(got.several);
  sent.several = true;
  EXPECT_TRUE(std::get<DeliverCommand>(decode(encode(sent))).several);
}

TEST(Wire, CarriesForWhomElseAnEventIsAndForWhomNot) {
  DeliverCommand sent{ServiceName("hr"),
                      event::TargetKind::kChannel,
                      "news",
                      false,
                      "note",
                      event::Frame::make("id:1\ndata:x\n\n"),
                      false,
                      true,
                      true,
                      "a cme\n=%",
                      "except=\n tab"};
  const auto got = std::get<DeliverCommand>(decode(encode(sent)));
  EXPECT_TRUE(got.in_union);
  EXPECT_EQ(got.of_tenant, sent.of_tenant);
  EXPECT_EQ(got.except, sent.except);
  EXPECT_EQ(got.frame->bytes(), sent.frame->bytes());
  sent.except.assign(1025, 'x');
  EXPECT_THROW(decode(encode(sent)), Error);
}

TEST(Wire, IgnoresATraceThatIsInvalid) {
  const auto got =
      std::get<DeliverCommand>(decode("deliver user 0 0 2 3 4 trace=00-x future=1 \nhrannnoteid:1\ndata:x\n\n"));
  EXPECT_FALSE(got.trace);
  EXPECT_EQ(got.frame->bytes(), "id:1\ndata:x\n\n");
}

TEST(Wire, RefusesAnEventThatDoesNotAddUp) {
  for (const std::string bytes :
       {"deliver ", "deliver \n", "deliver user 0 0 1 1 1 \n", "deliver user 0 0 2 18446744073709551615 1 \nhr1e",
        "deliver user 0 0 2 1 9 \nhr1edata", "deliver user 0 0 2 1 \nhr1edata", "deliver user x 0 2 1 1 \nhr1edata",
        "deliver user 0 0 2 1 -1 \nhr1edata", "deliver nobody 0 0 2 1 1 \nhr1edata"})
    EXPECT_THROW(decode(bytes), Error) << bytes;
  const auto got = std::get<DeliverCommand>(decode("deliver user 1 0 2 1 1 \nhr1edata"));
  EXPECT_EQ(got.frame->bytes(), "data");
  EXPECT_FALSE(got.frame->message().valid());
}

TEST(Wire, CarriesWhereAPendingMessageIs) {
  const DeliveryStateCommand sent{ServiceName("hr"), event::TargetKind::kUser, "1\n2", MessageId(77), "note", true};
  const auto got = std::get<DeliveryStateCommand>(decode(encode(sent)));
  EXPECT_EQ(got.service, sent.service);
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.name, sent.name);
  EXPECT_EQ(got.message, sent.message);
  EXPECT_EQ(got.event, sent.event);
  EXPECT_TRUE(got.listening);
  // Of one that is not in flight.
  ASSERT_TRUE(decode_place(encode_place({2, ConnectionId()})));
  EXPECT_EQ(decode_place(encode_place({2, ConnectionId()}))->state, 2U);
  EXPECT_TRUE(decode_place(encode_place({})));
  const Place place = *decode_place(encode_place({3, ConnectionId(99)}));
  EXPECT_EQ(place.state, 3U);
  EXPECT_EQ(place.connection, ConnectionId(99));
  for (const char* nonsense : {"", "3", "x 1", "3 x", "-1 1"}) EXPECT_FALSE(decode_place(nonsense)) << nonsense;
}

TEST(Wire, CarriesThatAnEventIsSentOnceMore) {
  for (const bool again : {false, true}) {
    for (const bool listening : {false, true}) {
      DeliverCommand sent{ServiceName("hr"),
                          event::TargetKind::kUser,
                          "1",
                          listening,
                          "note",
                          event::Frame::make("data:x\n\n", MessageId(5), event::TargetKind::kUser),
                          again};
      const auto got = std::get<DeliverCommand>(decode(encode(sent)));
      EXPECT_EQ(got.again, again);
      EXPECT_EQ(got.listening, listening);
    }
  }
}

TEST(Wire, CarriesARequestAsItIs) {
  const RequestCommand sent{RequestEntry::kPages, "192.0.2.1", std::string("POST /x HTTP/1.1\r\n\r\n\0body", 25)};
  const auto got = std::get<RequestCommand>(decode(encode(sent)));
  EXPECT_EQ(got.entry, RequestEntry::kPages);
  EXPECT_EQ(got.peer, sent.peer);
  EXPECT_EQ(got.request, sent.request);
  EXPECT_EQ(got.body, "");
  EXPECT_EQ(std::get<RequestCommand>(decode(encode(RequestCommand{RequestEntry::kPages, "", "x", "a~1-7"}))).body,
            "a~1-7");
}

TEST(Wire, CarriesAnOperationOfTheAdminApiWithRepeatedParametersInTheirOrder) {
  const AdminCommand sent{"connections",
                          "7",
                          "192.0.2.1",
                          {{"user", "b & \"c\"\n"}, {"user", "a"}, {"empty", ""}},
                          std::string("{}\0\n", 4)};
  const auto got = std::get<AdminCommand>(decode(encode(sent)));
  EXPECT_EQ(got.operation, sent.operation);
  EXPECT_EQ(got.id, sent.id);
  EXPECT_EQ(got.peer, sent.peer);
  EXPECT_EQ(got.parameters, sent.parameters);
  EXPECT_EQ(got.document, sent.document);
}

TEST(Wire, CarriesAPieceOfABodyAsItIs) {
  const BodyCommand sent{"a~12-3", 262'144, 5'000'000'000, std::string("\0\n{}\r\n", 6)};
  const auto got = std::get<BodyCommand>(decode(encode(sent)));
  EXPECT_EQ(got.transfer, sent.transfer);
  EXPECT_EQ(got.offset, sent.offset);
  EXPECT_EQ(got.total, sent.total);
  EXPECT_EQ(got.bytes, sent.bytes);
}

TEST(Wire, CarriesWhoseStreamsAreCountedAndEnded) {
  const ClientCommand sent{ServiceName("hr"), "u\n1", "tab", "https://a.example", "acme"};
  const auto got = std::get<ClientCommand>(decode(encode(sent)));
  EXPECT_EQ(got.service, sent.service);
  EXPECT_EQ(got.user, sent.user);
  EXPECT_EQ(got.client, sent.client);
  EXPECT_EQ(got.origin, sent.origin);
  EXPECT_EQ(got.tenant, sent.tenant);
  const std::vector<ConnectionId> ids{ConnectionId(847140540416), ConnectionId(9'000'000'000'000'000'001)};
  const auto replace = std::get<ReplaceCommand>(decode(encode(ReplaceCommand{ServiceName("hr"), ids})));
  EXPECT_EQ(replace.service, ServiceName("hr"));
  EXPECT_EQ(replace.ids, ids);
  EXPECT_EQ(decode_ids(""), std::vector<ConnectionId>());
}

TEST(Wire, RefusesWhatNoNodeSends) {
  for (const char* bytes : {"", "x", "\n", "[]\n", "{}\n", "{\"do\":\"dance\"}\n", "{\"do\":1}\n",
                            "{\"do\":\"deliver\",\"kind\":\"planet\"}\nx", "{\"do\":\"request\",\"door\":\"back\"}\n",
                            "{\"do\":\"request\",\"door\":\"admin\"}\nGET / HTTP/1.1\r\n\r\n", "{\"do\":\"admin\"}\n",
                            "{\"do\":\"admin\",\"operation\":\"users\",\"parameters\":{\"a\":\"b\"}}\n"}) {
    EXPECT_THROW(decode(bytes), Error) << bytes;
  }
}

TEST(Topics, TellServicesKindsAndNamesApart) {
  using event::TargetKind;
  EXPECT_NE(receiver_topic(ServiceName("a:user"), TargetKind::kUser, "x"),
            receiver_topic(ServiceName("a"), TargetKind::kUser, "user:x"));
  EXPECT_NE(receiver_topic(ServiceName("a"), TargetKind::kUser, "x"),
            receiver_topic(ServiceName("a"), TargetKind::kToken, "x"));
  EXPECT_NE(receiver_topic(ServiceName("a"), TargetKind::kAll, ""),
            receiver_topic(ServiceName("b"), TargetKind::kAll, ""));
}

}  // namespace
}  // namespace sse::cluster
