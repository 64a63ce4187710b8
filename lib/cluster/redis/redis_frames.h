#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The messages that RedisBus publishes, as bytes. Pure functions.
///
/// A message to a topic is one line of words `NAME=VALUE`, followed by the commands, concatenated:
///
///     wire=2 node=a~17 first=5 sizes=3,4     the commands 5 and 6, of 3 and 4 bytes
///     wire=2 node=a~17 fence=9               a fence, see RedisBus
///
/// A message to the channel for replies to a node is such a line, too, then for each reply a line with the number of
/// its command and its size, and its bytes. A reply to number 0 is a fence that was passed; its bytes are the fence's
/// number.
///
/// Readers ignore words that they do not know, and words after those of a line of a reply. The first two words have
/// this form in every version.
namespace sse::cluster {

/// A message to a topic. Views are into the message.
struct CommandFrame {
  std::string_view node;                   ///< bus name of the sender
  std::uint64_t first = 0;                 ///< number of the first command; the others follow consecutively
  std::vector<std::string_view> commands;  ///< none: the message is a fence, or of an unknown kind
  std::optional<std::uint64_t> fence;
};

/// A message with replies. Views are into the message.
struct ReplyFrame {
  struct Reply {
    std::uint64_t number = 0;
    std::string_view bytes;
  };
  std::string_view node;  ///< bus name of the sender
  std::vector<Reply> replies;
};

/// Throws WireRefusal, and Error(kInvalidArgument) for bytes that no node writes. Reuses the memory of `into`.
void read_frame(std::string_view message, CommandFrame& into);
ReplyFrame read_reply_frame(std::string_view message);

/// The first words of all messages of a node.
std::string frame_begin(const std::string& node);
/// The rest of the line of a message with commands; `sizes`: comma-separated.
std::string commands_head(std::uint64_t first, std::string_view sizes);
/// The rest of a fence.
std::string fence_head(std::uint64_t number);
/// Appends a reply to a message that begins with frame_begin() and a line feed.
void append_reply(std::string& message, std::uint64_t number, std::string_view bytes);

/// Appends a PUBLISH command whose channel and message consist of these pieces.
void append_publish(std::string& out, std::initializer_list<std::string_view> channel,
                    std::initializer_list<std::string_view> message);

/// Before the topic in the name of a channel, after the prefix of all.
inline constexpr std::string_view kTopicPrefix = "topic:";

}  // namespace sse::cluster
