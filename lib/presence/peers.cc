#include "presence/peers.h"

#include <utility>

#include "base/error.h"
#include "observe/log.h"

namespace sse::presence {

void Peers::start() {
  look();
  loop_.run_every(kInterval, [this] { look(); });
}

void Peers::look() {
  const std::vector<std::string> listed = remote_.other_nodes();
  const std::set<std::string> now(listed.begin(), listed.end());
  const std::set<std::string> before = std::exchange(alive_, now);
  for (const std::string& node : before) {
    if (now.contains(node)) continue;
    behind_.erase(node);
    refused_.erase(node);
    forget_watches(node);
    lost_.emplace(node, loop_.now() + grace_);
  }
  for (const std::string& node : now) {
    if (!before.contains(node)) meet(node);
  }
  for (auto lost = lost_.begin(); lost != lost_.end();) {
    if (lost->second > loop_.now()) {
      ++lost;
      continue;
    }
    const std::string node = lost->first;
    lost = lost_.erase(lost);
    owner_.peer_lost(node);
  }
  for (const std::string& node : std::exchange(behind_, {})) send_all(node);
}

// It does not know what this node watches, nor the other way round.
void Peers::meet(const std::string& node) {
  alive_.insert(node);
  lost_.erase(node);
  behind_.insert(node);
}

void Peers::synchronize() {
  behind_ = alive_;
  for (const std::string& node : std::exchange(behind_, {})) send_all(node);
}

void Peers::send_all(const std::string& node) {
  send(node, encode(WatchMessage{.all = true, .ask = true, .channels = owner_.watched_channels()}),
       [this, node] { behind_.insert(node); });
}

void Peers::tell(const ChannelKey& channel, bool watches) {
  const std::string bytes = encode(WatchMessage{.watches = watches, .channels = {channel}});
  for (const std::string& node : alive_) send(node, bytes, [this, node] { behind_.insert(node); });
}

void Peers::send(const std::string& node, const MembersMessage& message, std::function<void()> failed) {
  send(node, encode(message), std::move(failed));
}

void Peers::send(const std::string& node, std::string bytes, std::function<void()> failed) {
  remote_.send_presence(node, std::move(bytes), [this, failed = std::move(failed)](bool arrived) {
    if (!arrived) loop_.post(failed);
  });
}

void Peers::received(const std::string& node, const std::string& bytes) {
  // The list of nodes may have it later than this.
  if (!alive_.contains(node)) meet(node);
  try {
    const PeerMessage message = decode_peer_message(bytes);
    if (const auto* watch = std::get_if<WatchMessage>(&message)) {
      take(node, *watch);
    } else {
      owner_.peer_members(node, std::get<MembersMessage>(message));
    }
  } catch (const Error& e) {
    observe::log_warn("a message about presence was dropped", {{"node", node}, {"error", e.what()}});
  }
}

void Peers::take(const std::string& node, const WatchMessage& message) {
  std::set<ChannelKey>& known = watches_[node];
  const std::set<ChannelKey> named(message.channels.begin(), message.channels.end());
  if (message.all) {
    std::erase_if(known, [&](const ChannelKey& channel) {
      if (named.contains(channel)) return false;
      owner_.peer_watches(node, channel, false);
      return true;
    });
  }
  for (const ChannelKey& channel : named) {
    if (!message.watches) {
      if (known.erase(channel) != 0) owner_.peer_watches(node, channel, false);
    } else if (owner_.peer_watches(node, channel, true)) {
      known.insert(channel);
    } else {
      known.erase(channel);
      refused_.insert(node);
    }
  }
  if (message.ask) {
    send(node, encode(WatchMessage{.all = true, .channels = owner_.watched_channels()}),
         [this, node] { behind_.insert(node); });
  }
}

void Peers::can_take_more() {
  behind_.merge(refused_);
  refused_.clear();
}

void Peers::forget_watches(const std::string& node) {
  const auto watches = watches_.find(node);
  if (watches == watches_.end()) return;
  for (const ChannelKey& channel : watches->second) owner_.peer_watches(node, channel, false);
  watches_.erase(watches);
}

}  // namespace sse::presence
