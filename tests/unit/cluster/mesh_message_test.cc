#include "cluster/mesh/mesh_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace sse::cluster {
namespace {

using ::testing::ElementsAre;

TEST(MeshMessage, ComesBackAsItWas) {
  MeshMessage message;
  message.from = "a~1";
  message.address = "127.0.0.1:7600";
  message.secret = "secret";
  message.hello = {{"id", "a"}};
  message.session = "5-6";
  message.number = 7;
  message.hold = std::chrono::milliseconds(250);
  message.reset = message.complete = message.resync = message.stopping = true;
  message.topics = {{true, "to:1:x:user:1\n+ 3"}, {false, ""}};
  message.excused = {8, 9};
  message.commands = {{10, "topic\n", std::string("\0\n a", 4)}, {11, "", ""}};
  message.answers = {{12, "c 1 2 3\n"}};
  const MeshMessage back = decode_mesh_message(encode(message));
  EXPECT_EQ(back.from, "a~1");
  EXPECT_EQ(back.address, "127.0.0.1:7600");
  EXPECT_EQ(back.secret, "secret");
  EXPECT_EQ(back.hello, message.hello);
  EXPECT_EQ(back.session, "5-6");
  EXPECT_EQ(back.number, 7u);
  EXPECT_EQ(back.hold, std::chrono::milliseconds(250));
  EXPECT_TRUE(back.reset && back.complete && back.resync && back.stopping);
  ASSERT_EQ(back.topics.size(), 2u);
  EXPECT_EQ(back.topics[0].name, "to:1:x:user:1\n+ 3");
  EXPECT_FALSE(back.topics[1].wanted);
  EXPECT_THAT(back.excused, ElementsAre(8u, 9u));
  ASSERT_EQ(back.commands.size(), 2u);
  EXPECT_EQ(back.commands[0].number, 10u);
  EXPECT_EQ(back.commands[0].topic, "topic\n");
  EXPECT_EQ(back.commands[0].bytes, std::string("\0\n a", 4));
  ASSERT_EQ(back.answers.size(), 1u);
  EXPECT_EQ(back.answers[0].bytes, "c 1 2 3\n");
}

TEST(MeshMessage, RefusesWhatNoNodeWrites) {
  for (const std::string_view bytes :
       {"", "{}", "[]\n", "{\"wire\":2}\nc", "{\"wire\":2}\nc 1\n", "{\"wire\":2}\n+ 5\nabc", "{\"wire\":2}\nz 1\n",
        "{\"wire\":2}\n+ -1\n", "{\"wire\":2}\na 1 99999999999999999999\n", "{\"wire\":2}\nc 1 2 9\nab", "hello\n"}) {
    EXPECT_THROW(decode_mesh_message(bytes), Error) << bytes;
  }
}

}  // namespace
}  // namespace sse::cluster
