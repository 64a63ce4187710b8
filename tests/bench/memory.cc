// Memory of an idle stream.
#include <string>
#include <thread>
#include <vector>

#include "sections.h"

namespace sse::bench {
namespace {

// Counts only streams after the first thousand: what a server allocates once does not belong to a stream.
double bytes_per_stream(Server& server, const Settings& settings) {
  const std::size_t warm = std::max<std::size_t>(1, settings.idle / 19);
  Clients clients(server, settings.idle);
  const auto settled = [&](std::size_t count) {
    clients.open(count);
    std::this_thread::sleep_for(std::chrono::milliseconds(settings.quick ? 300 : 1500));
    return server.process().memory_bytes();
  };
  const double before = settled(warm);
  return (settled(settings.idle) - before) / static_cast<double>(settings.idle - warm);
}

}  // namespace

void idle_memory(const Settings& settings, Table& table) {
  const std::string count = std::to_string(settings.idle);
  // Of the descriptors it reserves more than 1,000 for other uses by default.
  const std::vector<std::string> room{"--max-connections", std::to_string(settings.idle + 100)};
  std::vector<double> bare;
  std::vector<double> page;
  std::vector<double> reference;
  // Each round uses a fresh server, because a used one has free heap memory. The figure hardly varies.
  for (int round = 0; round < (settings.quick ? 1 : 3); ++round) {
    {
      SseServe serve(settings, "sse-serve", room);
      bare.push_back(bytes_per_stream(serve, settings));
    }
    {
      SseServe serve(settings, "sse-serve", room, page_parameters());
      page.push_back(bytes_per_stream(serve, settings));
    }
    if (!settings.nchan.empty()) {
      Nginx nchan(settings, Nginx::Channels::kShared);
      reference.push_back(bytes_per_stream(nchan, settings));
    }
  }
  const std::string name = settings.nchan.empty() ? "" : "nchan";
  table.add({"e", "an idle stream, only its user known, " + count + " open", "bytes", median(bare), median(reference),
             name, Bar::at_most(400)});
  table.add({"e", "an idle stream with a page's full parameters", "bytes", median(page), median(reference), name,
             Bar::at_most(1024)});
}

}  // namespace sse::bench
