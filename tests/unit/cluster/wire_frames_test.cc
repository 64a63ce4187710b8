// The exact bytes between nodes. If one of these has to change, nodes of the previous release misunderstand it unless
// they ignore the new part: then kWireVersion changes, too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cluster/core/wire.h"
#include "cluster/core/wire_version.h"
#include "cluster/mesh/mesh_message.h"
#include "cluster/mesh/store_query.h"
#include "cluster/redis/redis_frames.h"

namespace sse::cluster {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Writes the command, and reads it and writes it again.
template <class Command>
void expect_recorded(const Command& command, const std::string& recorded) {
  EXPECT_EQ(encode(command), recorded);
  EXPECT_EQ(encode(std::get<Command>(decode(recorded))), recorded);
}

TEST(WireFrames, CommandsHaveTheirRecordedBytes) {
  expect_recorded(DeliverCommand{ServiceName("hr"), event::TargetKind::kUser, "ann", true, "note",
                                 event::Frame::make("id:1\ndata:x\n\n", MessageId(77), event::TargetKind::kUser), true},
                  "deliver user 3 77 2 3 4 \nhrannnoteid:1\ndata:x\n\n");
  expect_recorded(DeliverCommand{ServiceName("hr"), event::TargetKind::kChannel, "a", false, "note",
                                 event::Frame::make("id:1\ndata:x\n\n"), false, true, true, "acme", "tab 1"},
                  "deliver channel 12 0 2 1 4 tenant=acme except=tab%201 \nhranoteid:1\ndata:x\n\n");
  DeliverCommand traced{
      ServiceName("hr"), event::TargetKind::kUser, "ann", false, "note", event::Frame::make("id:1\ndata:x\n\n")};
  traced.trace = parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  expect_recorded(traced,
                  "deliver user 0 0 2 3 4 trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 "
                  "\nhrannnoteid:1\ndata:x\n\n");
  expect_recorded(RequestCommand{RequestEntry::kCluster, "192.0.2.1", "GET /x HTTP/1.1\r\n\r\n"},
                  "{\"do\":\"request\",\"door\":\"cluster\",\"peer\":\"192.0.2.1\"}\nGET /x HTTP/1.1\r\n\r\n");
  expect_recorded(AdminCommand{"users"}, "{\"do\":\"admin\",\"operation\":\"users\"}\n");
  expect_recorded(AdminCommand{"retry-message", "77", "192.0.2.1", {{"service", "hr"}}, "{\"x\":1}"},
                  "{\"do\":\"admin\",\"id\":\"77\",\"operation\":\"retry-message\","
                  "\"parameters\":[{\"name\":\"service\",\"value\":\"hr\"}],\"peer\":\"192.0.2.1\"}\n{\"x\":1}");
  expect_recorded(RequestCommand{RequestEntry::kPages, "", "POST /x HTTP/1.1\r\n\r\n", "a~1-7"},
                  "{\"body\":\"a~1-7\",\"do\":\"request\",\"door\":\"pages\"}\nPOST /x HTTP/1.1\r\n\r\n");
  expect_recorded(BodyCommand{"a~1-7", 262'144, 300'000, "bytes"},
                  "{\"do\":\"body\",\"offset\":262144,\"total\":300000,\"transfer\":\"a~1-7\"}\nbytes");
  expect_recorded(ClientCommand{ServiceName("hr"), "ann", "tab", "https://a.example", "acme"},
                  "{\"client\":\"tab\",\"do\":\"client\",\"origin\":\"https://a.example\",\"service\":\"hr\","
                  "\"tenant\":\"acme\",\"user\":\"ann\"}\n");
  expect_recorded(ReplaceCommand{ServiceName("hr"), {ConnectionId(847140540416), ConnectionId(9)}},
                  "{\"do\":\"replace\",\"service\":\"hr\"}\n847140540416,9");
  expect_recorded(PresenceCommand{"{\"watch\":true}"}, "{\"do\":\"presence\"}\n{\"watch\":true}");
  expect_recorded(DeliveryStateCommand{ServiceName("hr"), event::TargetKind::kUser, "ann", MessageId(77), "note", true},
                  "{\"do\":\"locate\",\"event\":\"note\",\"id\":\"77\",\"kind\":\"user\",\"listening\":true,"
                  "\"name\":\"ann\",\"service\":\"hr\"}\n");
}

template <class Query>
void expect_recorded_query(const Query& query, const std::string& recorded) {
  EXPECT_EQ(encode(query), recorded);
  EXPECT_EQ(encode(std::get<Query>(decode_store_query(recorded))), recorded);
  expect_recorded(StoreCommand{recorded}, "{\"do\":\"store\"}\n" + recorded);
}

TEST(WireFrames, QueriesOfStoresHaveTheirRecordedBytes) {
  const ServiceName service("hr");
  const store::Recipient ann{event::TargetKind::kUser, "ann"};
  expect_recorded_query(ConfirmQuery{service, ann, MessageId(77)},
                        "{\"do\":\"confirm\",\"id\":\"77\",\"kind\":\"user\",\"name\":\"ann\",\"service\":\"hr\"}");
  expect_recorded_query(PendingQuery{service, ann, MessageId(76), 500, kibibytes(4)},
                        "{\"after\":\"76\",\"do\":\"pending\",\"kind\":\"user\",\"limit\":500,\"most\":4096,"
                        "\"name\":\"ann\",\"service\":\"hr\"}");
  expect_recorded_query(ReplaceQuery{service, ann, "price", MessageId(77)},
                        "{\"collapse\":\"price\",\"do\":\"replace\",\"id\":\"77\",\"kind\":\"user\","
                        "\"name\":\"ann\",\"service\":\"hr\"}");
  expect_recorded_query(AttemptsQuery{service, ann, MessageId(77), 3},
                        "{\"attempts\":3,\"do\":\"attempts\",\"id\":\"77\",\"kind\":\"user\","
                        "\"name\":\"ann\",\"service\":\"hr\"}");
  expect_recorded_query(
      KnownImportsQuery{service, ann, {{"k", MessageId(5), "c", from_millis(1000)}}},
      "{\"do\":\"known\",\"kind\":\"user\",\"list\":[{\"collapse\":\"c\",\"created\":1000,\"id\":\"5\","
      "\"key\":\"k\"}],\"name\":\"ann\",\"service\":\"hr\"}");
  expect_recorded_query(RefreshQuery{}, "{\"do\":\"look\"}");
  expect_recorded_query(SettleQuery{}, "{\"do\":\"settle\"}");
}

TEST(WireFrames, RepliesOfStoresHaveTheirRecordedBytes) {
  const ServiceName service("hr");
  const store::Recipient ann{event::TargetKind::kUser, "ann"};
  store::PendingMessage message;
  message.id = MessageId(77);
  message.event = "note";
  message.data = std::string("x\ny");
  message.collapse = "price";
  message.listening = true;
  message.created = from_millis(1000);
  message.expires = from_millis(2000);
  message.attempts = 3;
  const std::string recorded =
      "{\"attempts\":3,\"collapse\":\"price\",\"created\":1000,\"event\":\"note\",\"expires\":2000,\"id\":\"77\","
      "\"listening\":true,\"size\":3}\nx\ny";
  EXPECT_EQ(encode(PendingReply{{message}}), recorded);
  EXPECT_EQ(encode(decode_pending_reply(recorded, service, ann)), recorded);
  EXPECT_EQ(decode_pending_reply(recorded, service, ann).messages.at(0).recipient.name, "ann");
  EXPECT_THROW(decode_pending_reply(recorded.substr(0, recorded.size() - 1), service, ann), Error);
  EXPECT_EQ(encode(ReplaceReply{MessageId(78)}), "78");
  EXPECT_EQ(encode(ReplaceReply{}), "");
  EXPECT_EQ(decode_replace_reply("78").newer, MessageId(78));
  EXPECT_FALSE(decode_replace_reply("").newer.valid());
  EXPECT_EQ(encode(KnownImportsReply{{MessageId(7), MessageId()}}), "7,0");
  EXPECT_EQ(decode_known_imports_reply("7,0").ids, (std::vector<MessageId>{MessageId(7), MessageId()}));
}

TEST(WireFrames, RefusesQueriesOfStoresThatNoNodeSends) {
  for (const char* bytes : {"", "[]", "{}", "{\"do\":\"pending\"}", "{\"do\":\"dance\"}",
                            "{\"do\":\"known\",\"kind\":\"user\",\"list\":[7]}"})
    EXPECT_THROW(decode_store_query(bytes), Error) << bytes;
  EXPECT_EQ(std::get<ConfirmQuery>(decode_store_query("{\"do\":\"confirm\",\"kind\":\"all\",\"id\":\"7\",\"x\":1}")).id,
            MessageId(7));
}

TEST(WireFrames, RepliesOfTheAdminApiHaveTheirRecordedBytes) {
  const AdminReply list = decode_admin_reply("{\"status\":200}\n{\"total\":0}");
  EXPECT_EQ(list.status, 200);
  EXPECT_EQ(list.document, "{\"total\":0}");
  EXPECT_FALSE(list.export_end);
  EXPECT_EQ(encode(list), "{\"status\":200}\n{\"total\":0}");
  const std::string exported = "{\"export\":{\"complete\":true,\"last\":\"77\",\"total\":3},\"status\":200}\n77 {}\n";
  const AdminReply page = decode_admin_reply(exported);
  ASSERT_TRUE(page.export_end);
  EXPECT_TRUE(page.export_end->complete);
  EXPECT_EQ(page.export_end->last, 77U);
  EXPECT_EQ(page.export_end->total, 3U);
  EXPECT_EQ(page.document, "77 {}\n");
  EXPECT_EQ(encode(page), exported);
  EXPECT_EQ(encode(refusal_reply(ErrorCode::kNotFound, "no such message")),
            "{\"status\":404}\n{\"code\":\"not_found\",\"detail\":\"no such message\",\"status\":404,"
            "\"title\":\"Error\",\"type\":\"about:blank\"}");
  EXPECT_EQ(decode_admin_reply("{\"status\":404,\"colour\":\"red\"}\n").status, 404);
  for (const char* bytes : {"", "\n", "[]\n", "{}\n", "{\"status\":200}", "{\"status\":99}\n", "{\"status\":\"200\"}\n",
                            "{\"status\":70000}\n", "HTTP/1.1 200 OK\r\n\r\n"})
    EXPECT_EQ(decode_admin_reply(bytes).status, 0) << bytes;
}

TEST(WireFrames, RepliesHaveTheirRecordedBytes) {
  EXPECT_EQ(encode_taken(3), "3");
  EXPECT_EQ(decode_taken("3"), 3U);
  EXPECT_EQ(decode_taken(""), 0U);
  EXPECT_EQ(encode_ids({ConnectionId(7), ConnectionId(9)}), "7,9");
  EXPECT_EQ(encode_place({3, ConnectionId(99)}), "3 99");
}

TEST(WireFrames, MessagesOnRedisHaveTheirRecordedBytes) {
  const std::string begin = frame_begin("a~17");
  EXPECT_EQ(begin + commands_head(5, "3,4") + "onefour", "wire=2 node=a~17 first=5 sizes=3,4\nonefour");
  EXPECT_EQ(begin + fence_head(9), "wire=2 node=a~17 fence=9\n");
  std::string replies = begin + '\n';
  append_reply(replies, 5, "1");
  append_reply(replies, 6, "");
  EXPECT_EQ(replies, "wire=2 node=a~17\n5 1\n16 0\n");

  CommandFrame frame;
  read_frame("wire=2 node=a~17 first=5 sizes=3,4\nonefour", frame);
  EXPECT_EQ(frame.node, "a~17");
  EXPECT_EQ(frame.first, 5U);
  EXPECT_THAT(frame.commands, ElementsAre("one", "four"));
  EXPECT_FALSE(frame.fence);
  read_frame("wire=2 node=b~1 fence=9\n", frame);
  EXPECT_EQ(frame.node, "b~1");
  EXPECT_THAT(frame.commands, IsEmpty());
  EXPECT_EQ(frame.fence, 9U);
  const ReplyFrame answers = read_reply_frame(replies);
  EXPECT_EQ(answers.node, "a~17");
  ASSERT_EQ(answers.replies.size(), 2U);
  EXPECT_EQ(answers.replies[0].number, 5U);
  EXPECT_EQ(answers.replies[0].bytes, "1");
  EXPECT_EQ(answers.replies[1].bytes, "");
}

TEST(WireFrames, PostsOfAMeshHaveTheirRecordedBytes) {
  MeshMessage message;
  message.from = "a~1";
  message.address = "127.0.0.1:7600";
  message.secret = "secret";
  message.hello = {{"id", "a"}};
  message.session = "5-6";
  message.number = 7;
  message.hold = std::chrono::milliseconds(250);
  message.reset = message.complete = message.resync = message.stopping = true;
  message.topics = {{true, "nodes"}, {false, "x"}};
  message.excused = {8};
  message.commands = {{10, "topic", "bytes"}};
  message.answers = {{12, "1"}};
  const std::string recorded =
      "{\"address\":\"127.0.0.1:7600\",\"bye\":true,\"complete\":true,\"from\":\"a~1\",\"hello\":{\"id\":\"a\"},"
      "\"hold\":250,\"number\":7,\"reset\":true,\"resync\":true,\"secret\":\"secret\",\"session\":\"5-6\",\"wire\":2}\n"
      "+ 5\nnodes- 1\nxx 8\nc 10 5 5\ntopicbytesa 12 1\n1";
  EXPECT_EQ(encode(message), recorded);
  EXPECT_EQ(encode(decode_mesh_message(recorded)), recorded);
}

TEST(WireFrames, ReadersIgnoreWhatTheyDoNotKnow) {
  CommandFrame frame;
  read_frame("wire=2 node=a~17 colour=red first=5 sizes=3 flag\none", frame);
  EXPECT_THAT(frame.commands, ElementsAre("one"));
  EXPECT_EQ(read_reply_frame("wire=2 node=a~17 colour=red\n5 1 7 late\n1").replies.at(0).bytes, "1");
  // A kind of message that is neither commands nor a fence.
  read_frame("wire=2 node=a~17 gossip=5\nanything", frame);
  EXPECT_THAT(frame.commands, IsEmpty());
  EXPECT_FALSE(frame.fence);
  const MeshMessage post =
      decode_mesh_message("{\"wire\":2,\"from\":\"a~1\",\"colour\":\"red\"}\nc 10 1 1 9 9\ntba 12 1 5\n1");
  EXPECT_EQ(post.commands.at(0).bytes, "b");
  EXPECT_EQ(post.answers.at(0).bytes, "1");
  EXPECT_EQ(std::get<DeliverCommand>(decode("deliver user 0 0 2 3 1 9 x \nhrannedata")).name, "ann");
  const auto admin = std::get<AdminCommand>(
      decode("{\"do\":\"admin\",\"operation\":\"users\",\"colour\":1,\"parameters\":[{\"name\":\"user\",\"value\":"
             "\"ann\",\"colour\":1}]}\n"));
  EXPECT_EQ(admin.operation, "users");
  EXPECT_THAT(admin.parameters, ElementsAre(::testing::Pair("user", "ann")));
  EXPECT_EQ(std::get<BodyCommand>(decode("{\"do\":\"body\",\"transfer\":\"t\",\"colour\":1}\nb")).bytes, "b");
}

template <class Read>
std::string why(Read read) {
  try {
    read();
  } catch (const WireRefusal& refusal) {
    return refusal.what();
  } catch (const Error& e) {
    return std::string("not a refusal: ") + e.what();
  }
  return "not refused";
}

TEST(WireFrames, RefusesAnotherVersionWithASentenceThatNamesBothVersionsAndTheNode) {
  CommandFrame frame;
  const auto old = AllOf(HasSubstr("node 'b' speaks version 1 "), HasSubstr("0.1"), HasSubstr("version 2 is required"));
  EXPECT_THAT(why([&] { read_frame("b~17 5 3 4 \nonefour", frame); }), old);
  EXPECT_THAT(why([&] { read_frame("b~17 0 \n", frame); }), old);
  EXPECT_THAT(why([&] { read_reply_frame("b~17\n5 1\n1"); }), old);
  EXPECT_THAT(why([&] { decode_mesh_message("{\"from\":\"b~17\"}\n"); }), old);
  const auto later = AllOf(HasSubstr("node 'b' speaks version 3 "), HasSubstr("only version 2"));
  EXPECT_THAT(why([&] { read_frame("wire=3 node=b~17 anything", frame); }), HasSubstr("not a refusal"));
  EXPECT_THAT(why([&] { read_frame("wire=3 node=b~17 anything\n", frame); }), later);
  EXPECT_THAT(why([&] { read_reply_frame("wire=3 node=b~17\n?"); }), later);
  EXPECT_THAT(why([&] { decode_mesh_message("{\"wire\":3,\"from\":\"b~17\"}\n?"); }), later);
}

TEST(WireFrames, ReadersRefuseWhatNoNodeWrites) {
  CommandFrame frame;
  for (const std::string_view bytes :
       {"", "\n", "wire=2\n", "wire=2 node=\n", "wire=x node=a\n", "wire=2 node=a first=x sizes=1\nb",
        "wire=2 node=a first=1 sizes=2\nb", "wire=2 node=a first=1 sizes=1\nbc", "wire=2 node=a first=1 sizes=1,,1\nbc",
        "wire=2 node=a fence=-1\n", "junk\n", "{}\n"})
    EXPECT_THROW(read_frame(bytes, frame), Error) << bytes;
  for (const std::string_view bytes :
       {"", "\n", "wire=2 node=a\n1\n", "wire=2 node=a\n1 2\nb", "wire=2 node=a\nx 1\nb"})
    EXPECT_THROW(read_reply_frame(bytes), Error) << bytes;
}

}  // namespace
}  // namespace sse::cluster
