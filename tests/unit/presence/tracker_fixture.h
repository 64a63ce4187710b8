#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "event/json.h"
#include "presence/tracker.h"
#include "unit/hub/hub_fixture.h"

namespace sse::presence {

using hub::Page;
using hub::PageOptions;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A hub whose presence a tracker follows, and pages.
class TrackerTest : public hub::HubTest {
 protected:
  void start_all(std::size_t loops = 2) {
    tracker_ = std::make_unique<Tracker>(
        tracking_, clock_, metrics_,
        occupied_ ? [this](const ServiceName&, const std::string& channel, bool is) {
          const MutexLock lock(mutex_);
          occupied_story_.push_back((is ? "+" : "-") + channel);
        } : Occupancy::Report());
    options_.presence = tracker_.get();
    options_.reports_occupied = occupied_;
    create(loops);
    tracker_->add(*hub_, loops);
    tracker_->start();
    for (const auto& loop : loops_) loop->start();
  }
  void TearDown() override {
    for (const auto& loop : loops_) loop->stop();
    if (tracker_) tracker_->stop();
  }

  Page open_in(const std::string& user, const std::string& channel, const std::string& profile = "") {
    return open({.user = user, .channel = channel, .profile = profile});
  }
  Page watch(const std::string& user, const std::string& channel) {
    return open({.user = user, .channel = channel, .presence = {channel}});
  }
  bool close(const Page& page, const std::string& user, const std::string& note = "") {
    return hub_->disconnect(page.id, {UserId(user)}, note);
  }
  void subscribe(const Page& page, const std::string& user, const std::string& channel) {
    hub_->subscribe(page.id, {UserId(user)}, {{ChannelName(channel), hub::ChannelSource::kRule}}, 0);
  }
  void unsubscribe(const Page& page, const std::string& user, const std::string& channel) {
    hub_->unsubscribe(page.id, {UserId(user)}, {ChannelName(channel)});
  }

  static void drain(Page& page) {
    while (page.client.receive_some(milliseconds(0))) {
    }
  }
  // `sse-join 2 bob`: the type, the number and the members.
  static std::vector<std::string> story(const Page& page) {
    std::vector<std::string> all;
    for (const testing::ReceivedEvent& one : page.events()) {
      if (one.type != "sse-presence" && one.type != "sse-join" && one.type != "sse-leave") continue;
      const event::Json data = event::parse_json(one.data, "an event");
      if (data.contains("refused")) {
        all.push_back("refused " + data.at("channel").get<std::string>() + " " + data.at("refused").get<std::string>());
        continue;
      }
      std::string text = one.type + " " + event::dump_json(data.at("count"));
      if (data.contains("members")) {
        for (const event::Json& member : data.at("members")) text += " " + member.at("user").get<std::string>();
      }
      all.push_back(std::move(text));
    }
    return all;
  }
  // The story once the page has that line in it; time goes on until then.
  std::vector<std::string> story_with(Page& page, const std::string& line) {
    settle_all();
    EXPECT_TRUE(eventually([&] {
      drain(page);
      return std::ranges::count(story(page), line) > 0;
    })) << line
        << " is not in what came: " << page.client.received();
    return story(page);
  }
  // Everything that was under way at the call has had its effect, without a move of the clock.
  void settle_all() {
    for (int i = 0; i < 4; ++i) {
      settle();
      std::promise<void> reached;
      tracker_->loop().post([&] { reached.set_value(); });
      reached.get_future().wait();
    }
  }
  void advance(milliseconds time) {
    settle_all();
    clock_.advance(time);
    settle_all();
  }
  std::vector<std::string> occupied_story() {
    const MutexLock lock(mutex_);
    return occupied_story_;
  }
  double metric(const std::string& name) { return metrics_.snapshot()[name]; }

  TrackerOptions tracking_;
  bool occupied_ = false;
  std::unique_ptr<Tracker> tracker_;
  Mutex mutex_;
  std::vector<std::string> occupied_story_ GUARDED_BY(mutex_);
};

}  // namespace sse::presence
