#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hub/connection.h"
#include "support/event_parser.h"
#include "unit/net/loopback.h"

namespace sse::testing {

/// What a page connects with. The meanings are those of hub::NewConnection.
struct PageOptions {
  std::string user{};
  std::string tenant{};
  std::string token{};
  std::string channel{};
  std::vector<std::string> more_channels{};
  hub::ChannelSource channel_source = hub::ChannelSource::kLasting;  ///< of all of them
  std::vector<hub::RefusedChannel> refused{};
  std::vector<std::string> presence{};  ///< channels that it watches
  std::string profile{};
  std::vector<std::string> listeners{};
  std::string query{};
  std::chrono::milliseconds keepalive{0};
  int send_buffer = 0;  ///< bytes of SO_SNDBUF at the server; 0: the default
  int receive_buffer = 0;
  bool chunked = false;
  bool with_token = false;  ///< the lifetime is that of the token
  bool confirms = false;
  bool marks = false;
  bool channel_marks = false;
  bool pings = false;
  bool ends = false;
  std::uint64_t last_event = 0;
  std::string last_event_id{};
  std::string head{};  ///< of the response
};

/// A page with an open stream: what it is to the hub, and its end of the connection.
struct Page {
  ConnectionId id;
  Client client;

  /// Everything received, up to and with an event with this data.
  std::string until(const std::string& data) {
    return client.receive_until("data:" + data + "\n\n") ? client.received() : "nothing, after: " + client.received();
  }
  /// The events received, without connect-finish, up to and with one with this data.
  std::vector<ReceivedEvent> events_until(const std::string& data) {
    EXPECT_TRUE(client.receive_until("data:" + data + "\n\n")) << client.received();
    return events();
  }
  std::vector<std::string> data_until(const std::string& data) { return data_of(events_until(data)); }

  /// The events received, without connect-finish, once there are `count`; fewer when the stream ends before.
  std::vector<ReceivedEvent> events(std::size_t count) {
    for (;;) {
      // The end of every event; connect-finish has one, too.
      std::size_t ends = 0;
      const std::string& all = client.received();
      for (std::size_t at = all.find("\n\n"); at != std::string::npos; at = all.find("\n\n", at + 2)) ++ends;
      if (ends > count || !client.receive_some()) return events();
    }
  }
  std::vector<std::string> data(std::size_t count) { return data_of(events(count)); }

  /// The events received so far, without connect-finish.
  std::vector<ReceivedEvent> events() const {
    std::vector<ReceivedEvent> all = parse_events(client.received());
    std::erase_if(all, [](const ReceivedEvent& event) { return event.type == "connect-finish"; });
    return all;
  }
};

/// Connects a page to a Hub or a Sender, without waiting for anything.
template <class HubOrSender>
Page connect_page(HubOrSender& to, const PageOptions& options) {
  TcpPair pair = tcp_pair(options.send_buffer, options.receive_buffer);
  hub::NewConnection connection;
  connection.identity = {UserId(options.user), TenantId(options.tenant), AccessToken(options.token)};
  if (!options.channel.empty()) connection.channels.push_back({ChannelName(options.channel), options.channel_source});
  for (const std::string& channel : options.more_channels)
    connection.channels.push_back({ChannelName(channel), options.channel_source});
  connection.refused_channels = options.refused;
  for (const std::string& channel : options.presence) connection.presence.emplace_back(channel);
  connection.attributes.profile = options.profile;
  connection.listeners = options.listeners;
  connection.attributes.query = options.query;
  connection.keepalive = options.keepalive;
  connection.ends_with_token = options.with_token;
  connection.confirms = options.confirms;
  connection.marks = options.marks;
  connection.channel_marks = options.channel_marks;
  connection.pings = options.pings;
  connection.ends = options.ends;
  connection.last_event = options.last_event;
  connection.last_event_id = options.last_event_id;
  connection.socket = std::move(pair.server);
  connection.response_head = options.head;
  connection.chunked = options.chunked;
  return {to.connect(std::move(connection)), std::move(pair.client)};
}

/// Connects a page and waits for connect-finish: no message is being replayed any more, and what is sent now goes
/// straight into the stream.
template <class HubOrSender>
Page open_page(HubOrSender& to, const PageOptions& options) {
  Page page = connect_page(to, options);
  if (options.chunked && page.client.receive_until(options.head)) page.client.decode_chunks(options.head.size());
  EXPECT_TRUE(page.client.receive_until("\n\n"));
  return page;
}

}  // namespace sse::testing
