#include "cluster/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cluster/topics.h"

namespace sse::cluster {
namespace {

TEST(Wire, CarriesAnEventAsItIs) {
  DeliverCommand sent;
  sent.service = ServiceName("hr");
  sent.kind = event::TargetKind::kChannel;
  sent.name = "a\n\"b\"";
  sent.listening = true;
  sent.event = "note";
  sent.message = MessageId(9'000'000'000'000'000'001);
  sent.frame = "id:1\ndata:{\n\n";
  const auto got = std::get<DeliverCommand>(decode(encode(sent)));
  EXPECT_EQ(got.service, sent.service);
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.name, sent.name);
  EXPECT_TRUE(got.listening);
  EXPECT_EQ(got.event, sent.event);
  EXPECT_EQ(got.message, sent.message);
  EXPECT_EQ(got.frame, sent.frame);
}

TEST(Wire, CarriesARequestAsItIs) {
  const RequestCommand sent{Door::kPages, "192.0.2.1", std::string("POST /x HTTP/1.1\r\n\r\n\0body", 25)};
  const auto got = std::get<RequestCommand>(decode(encode(sent)));
  EXPECT_EQ(got.door, Door::kPages);
  EXPECT_EQ(got.peer, sent.peer);
  EXPECT_EQ(got.request, sent.request);
}

TEST(Wire, RefusesWhatNoNodeSends) {
  for (const char* bytes :
       {"", "x", "\n", "[]\n", "{}\n", "{\"do\":\"dance\"}\n", "{\"do\":1}\n",
        "{\"do\":\"deliver\",\"kind\":\"planet\"}\nx", "{\"do\":\"request\",\"door\":\"back\"}\n"}) {
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
