// Streams in 1, 10 and 100 channels: events to one that all of them are in, their memory, and opening them.
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sections.h"

namespace sse::bench {
namespace {

// Names of as many channels; all streams are in the same ones.
std::vector<std::string> channel_names(std::size_t channels) {
  std::vector<std::string> names{"all"};
  while (names.size() < channels) names.push_back("t" + std::to_string(names.size()));
  return names;
}

std::string channel_parameters(std::size_t channels) {
  std::string text;
  for (const std::string& name : channel_names(channels)) text += "&channel=" + name;
  return text;
}

class ServeInChannels final : public SseServe {
 public:
  ServeInChannels(const Settings& settings, std::size_t streams, std::size_t channels)
      : SseServe(settings, "sse-serve", {"--max-connections", std::to_string(streams + 100)},
                 channel_parameters(channels)),
        poster_(admin(), "/api/v1/send", "application/json") {}

  /// To the channel that all streams are in, a call each.
  void broadcast(int events, std::size_t size) override {
    for (int i = 0; i < events; ++i) require_accepted(poster_.post(message(R"("channels":["all"])", data(size))));
  }

 private:
  load::Poster poster_;
};

struct InChannels {
  Figures fan_out;
  std::vector<double> bytes;
  std::vector<double> opened;  // streams a second
};

// A fresh server for each round: a used one has free heap memory.
void measure_round(Server& server, const Settings& settings, InChannels& figures) {
  // What a server allocates once does not belong to a stream.
  const std::size_t warm = std::max<std::size_t>(1, settings.streams / 20);
  Attached attached(server, settings.streams, 0, warm);
  Clients& clients = attached.clients;
  const auto memory = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(settings.quick ? 300 : 1500));
    return server.process().memory_bytes();
  };
  const double before = memory();
  const Clients::Opened opened = clients.open(settings.streams);
  figures.opened.push_back(static_cast<double>(settings.streams - warm) / opened.seconds);
  figures.bytes.push_back((memory() - before) / static_cast<double>(settings.streams - warm));
  Figures warm_up;
  const int events = settings.quick ? 3 : 20;
  for (const auto& [count, into] : {std::pair(1, &warm_up), std::pair(events, &figures.fan_out)}) {
    const std::uint64_t each = settings.streams;
    measure(attached, each * static_cast<std::uint64_t>(count), *into, [&, n = count](std::uint64_t seen) {
      for (int i = 1; i <= n; ++i) {
        server.broadcast(1, settings.size);
        clients.wait_events(seen + each * static_cast<std::uint64_t>(i));
      }
    });
  }
}

}  // namespace

void in_channels(const Settings& settings, Table& table) {
  if (settings.nchan.empty()) table.note("m: without nchan compared with one channel only");
  constexpr std::size_t kCounts[] = {1, 10, 100};
  InChannels ours[3];
  InChannels nchan[3];
  for (int round = 0; round < std::min(settings.rounds, 3); ++round) {
    for (std::size_t i = 0; i < std::size(kCounts); ++i) {
      {
        ServeInChannels serve(settings, settings.streams, kCounts[i]);
        measure_round(serve, settings, ours[i]);
      }
      if (settings.nchan.empty()) continue;
      Nginx server(settings, channel_names(kCounts[i]));
      measure_round(server, settings, nchan[i]);
    }
  }
  const std::string name = settings.nchan.empty() ? "" : "nchan";
  for (std::size_t i = 0; i < std::size(kCounts); ++i) {
    const std::string in = "streams in " + std::to_string(kCounts[i]) + (kCounts[i] == 1 ? " channel" : " channels");
    table.add({"m", in + ", an event to one", "server µs/delivery", median(ours[i].fan_out.cpu),
               median(nchan[i].fan_out.cpu), name, std::nullopt});
    table.add({"m", in + ", idle", "bytes", median(ours[i].bytes), median(nchan[i].bytes), name, std::nullopt});
    table.add({"m", in + ", opened", "streams/s", median(ours[i].opened), median(nchan[i].opened), name, std::nullopt});
    if (i == 0) continue;
    table.add({"m", in + ", an event to one", "server µs/delivery", median(ours[i].fan_out.cpu),
               median(ours[0].fan_out.cpu), "in one channel", Bar::ratio_at_most(1.05)});
    table.add({"m", in + ", each further one", "bytes",
               (median(ours[i].bytes) - median(ours[0].bytes)) / static_cast<double>(kCounts[i] - 1), 0, "",
               Bar::at_most(32)});
  }
}

}  // namespace sse::bench
