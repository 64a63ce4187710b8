#include "soak/visitors.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <stdexcept>

namespace sse::soak {
namespace {

constexpr std::size_t kMax = 150;
constexpr std::size_t kMaxSlow = 10;
constexpr std::size_t kUsers = 20;

}  // namespace

Visitors::Visitors(std::vector<testing::Endpoint> pages, testing::HttpClient& admin, const Tokens& tokens,
                   std::mt19937& random)
    : pages_(std::move(pages)),
      admin_(admin),
      page_(pages_.front()),
      tokens_(tokens),
      random_(random),
      streams_(std::make_unique<testing::Streams>(pages_)) {}

void Visitors::act() {
  const auto what = random_() % 100;
  if (what < 45) {
    open();
  } else if (what < 80) {
    close_one();
  } else if (what < 92) {
    page_request();
  } else if (what < 96) {
    misbehave();
  } else {
    open_slow();
  }
}

void Visitors::run() {
  streams_->run(std::chrono::milliseconds(0));
}

void Visitors::open() {
  if (open_.size() >= kMax) return;
  const std::string user = tokens_.of("v" + std::to_string(random_() % kUsers), "t" + std::to_string(random_() % 3));
  // A fourth stream of a user replaces the oldest one.
  const std::size_t number =
      streams_->open(user + "&clientId=device&channel=c" + std::to_string(random_() % 5) + "&listeners=news,e" +
                     std::to_string(random_() % 4) + "&keepaliveTime=" + (random_() % 5 == 0 ? "200" : "0") +
                     (random_() % 3 == 0 && !last_id_.empty() ? "&lastEventId=" + last_id_ : ""));
  open_.emplace_back(number, user);
  ++opened_;
}

void Visitors::close_one() {
  if (open_.empty()) return;
  const std::size_t pick = random_() % open_.size();
  const auto [number, user] = open_[pick];
  testing::ClientStream& stream = (*streams_)[number];
  // Only streams that the server has certainly counted as opened.
  if (!stream.connected && !stream.ended) return;
  open_[pick] = open_.back();
  open_.pop_back();
  if (stream.ended) return;
  if (!stream.events.empty()) last_id_ = stream.events.back().id;
  switch (random_() % 5) {
    case 0:
      testing::reset_on_close(stream.fd.get());
      break;
    case 1:
      admin_.post("/api/v1/connections/close", {{"ids", {stream.connection_id}}});
      break;
    case 2:
      page_.request("POST", "/my-sse/connect/disconnect.do?" + user,
                    "connectionId=" + stream.connection_id + "&reason=soak", "application/x-www-form-urlencoded");
      break;
    case 3:
      vanish(stream);
      break;
    default:
      break;
  }
  streams_->close(number);
}

// Simulates a pulled cable: no FIN, no RST. The server notices at its next write.
void Visitors::vanish(testing::ClientStream& stream) {
  const int on = 1;
  if (setsockopt(stream.fd.get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0) ++vanished_;
}

void Visitors::page_request() {
  if (open_.empty()) return;
  const auto [number, user] = open_[random_() % open_.size()];
  const testing::ClientStream& stream = (*streams_)[number];
  if (!stream.connected || stream.ended) return;
  const std::string action = random_() % 2 == 0 ? "addListener" : "removeListener";
  page_.request("POST", "/my-sse/connect/" + action + ".do?" + user,
                R"({"connectionId":")" + stream.connection_id + R"(","listener":["more","e1"]})");
}

void Visitors::open_slow() {
  if (slow_.size() >= kMaxSlow) slow_.pop_front();
  testing::ConnectOptions options;
  options.receive_buffer = 1;
  UniqueFd fd = testing::connect_to(some_node(), options);
  testing::write_all(fd.get(), "GET /my-sse/connect?" + tokens_.of("slow" + std::to_string(random_() % 1000)) +
                                   "&channel=flood&keepaliveTime=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string head =
      testing::read_until(fd.get(), [](const std::string& text) { return text.find("connect-finish") != text.npos; });
  if (head.find("connect-finish") == std::string::npos) throw std::runtime_error("a slow stream did not open: " + head);
  ++opened_;
  slow_.push_back(std::move(fd));
}

void Visitors::misbehave() {
  static const char* const kBeginnings[] = {"GET /my-sse/conn",
                                            "POST /my-sse/connect HTTP/1.1\r\nContent-Length: 99\r\n\r\n{",
                                            "\r\n\r\n\r\n\x01\x02\x03", "GET / HTTP/9.9\r\n\r\n", ""};
  if (halves_.size() >= 20) halves_.pop_front();
  halves_.push_back(testing::connect_to(some_node()));
  testing::write_all(halves_.back().get(), kBeginnings[random_() % 5]);
  if (random_() % 2 == 0) testing::reset_on_close(halves_.back().get());
}

void Visitors::clear() {
  const bool all = streams_->run_until([&] {
    for (const auto& [number, user] : open_) {
      const testing::ClientStream& stream = (*streams_)[number];
      if (!stream.connected && !stream.ended) return false;
    }
    return true;
  });
  if (!all) throw std::runtime_error("a stream was neither opened nor refused");
  opened_ -= streams_->refused();  // closed streams that reconnected and got 204
  streams_ = std::make_unique<testing::Streams>(pages_);
  open_.clear();
  slow_.clear();
  halves_.clear();
}

}  // namespace sse::soak
