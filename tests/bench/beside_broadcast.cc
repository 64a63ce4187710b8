// Events to one user while events go to all the others.
#include <atomic>
#include <exception>
#include <thread>

#include "pace.h"
#include "sections.h"

namespace sse::bench {
namespace {

// The first streams are in a channel; the others are not.
class ServerWithChannel final : public SseServe {
 public:
  ServerWithChannel(const Settings& settings, std::size_t members)
      : SseServe(settings, "sse-serve", {}), members_(members) {}

  std::string request(std::size_t stream) const override {
    std::string text = SseServe::request(stream);
    if (stream < members_) text.insert(text.find(" HTTP/"), "&channel=crowd");
    return text;
  }
  std::string to_channel(std::size_t size) { return message(R"("channels":["crowd"])", data(size)); }

 private:
  const std::size_t members_;
};

// Sends to one stream at a steady rate, on a connection and a thread of its own, until it is told to stop.
class SteadySender {
 public:
  SteadySender(SseServe& server, std::size_t stream, std::size_t size)
      : poster_(server.admin(), "/api/v1/send", "application/json"), thread_([this, &server, stream, size] {
          try {
            at_rate(kRate, SIZE_MAX, [&](std::size_t, SteadyTime due) {
              if (stop_) throw Stopped{};
              SseServe::require_accepted(poster_.post(server.unicast_body(stream, size, due)));
              ++sent_;
            });
          } catch (const Stopped&) {
          } catch (...) {
            failure_ = std::current_exception();
          }
        }) {}
  // Returns how many it has sent; throws what stopped it before.
  std::size_t stop() {
    stop_ = true;
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return sent_;
  }

 private:
  struct Stopped {};
  static constexpr double kRate = 500;

  load::Poster poster_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> sent_{0};
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

void beside_broadcast(const Settings& settings, Table& table) {
  ServerWithChannel serve(settings, settings.streams);
  Attached crowd(serve, settings.streams);
  Attached one(serve, 1, settings.streams);
  load::Poster poster(serve.admin(), "/api/v1/send", "application/json");
  std::vector<double> alone;
  std::vector<double> beside;
  std::vector<double> broadcasts;
  const std::size_t events = settings.quick ? 5 : 25;
  constexpr double kRate = 5;
  for (int round = 0; round < settings.rounds; ++round) {
    for (const bool with_broadcasts : {false, true}) {
      one.clients.take();
      crowd.clients.take();
      const std::uint64_t before = one.clients.events();
      const std::uint64_t crowd_before = crowd.clients.events();
      SteadySender sender(serve, settings.streams, settings.size);
      at_rate(kRate, events, [&](std::size_t, SteadyTime) {
        if (with_broadcasts) SseServe::require_accepted(poster.post(serve.to_channel(settings.size)));
      });
      if (with_broadcasts) crowd.clients.wait_events(crowd_before + events * settings.streams);
      one.clients.wait_events(before + sender.stop());
      (with_broadcasts ? beside : alone).push_back(one.clients.take().p99_ms);
      if (with_broadcasts) broadcasts.push_back(crowd.clients.take().p50_ms);
    }
  }
  table.add({"l", "500 sends/s to one user, 5 broadcasts/s to others", "p99 ms", median(beside), median(broadcasts),
             "the broadcasts' p50", Bar::ratio_at_most(0.1)});
  table.add({"l", "500 sends/s to one user, 5 broadcasts/s to others", "p99 ms", median(beside), median(alone),
             "without broadcasts", std::nullopt});
}

}  // namespace sse::bench
