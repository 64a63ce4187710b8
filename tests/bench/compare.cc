// Measures sse-serve and reference programs in the same run, in turns (A B A B), and reports medians and ratios:
// absolute figures vary on shared machines, ratios hardly. scripts/bench runs it; its --help lists the sections.
//
//   compare --sse-serve FILE --bare FILE --folder DIR [--nginx FILE [--nchan MODULE]] [--streams N] [--idle N]
//           [--rounds N] [--quick] [--output FILE] [SECTION…]
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptors.h"
#include "base/error.h"
#include "sections.h"

namespace {

using namespace sse;         // NOLINT(google-build-using-namespace): a program's main file
using namespace sse::bench;  // NOLINT(google-build-using-namespace)

struct Section {
  std::string_view name;
  void (*run)(const Settings&, Table&);
};
constexpr Section kSections[] = {{"a", single_events}, {"b", bursts},           {"c", unicast},    {"d", connect_storm},
                                 {"e", idle_memory},   {"f", durable},          {"f", comeback},   {"g", beside_nchan},
                                 {"h", stuck_streams}, {"i", reconnect_storm},  {"j", cross_node}, {"k", five_nodes},
                                 {"k", cluster_cost},  {"l", beside_broadcast}, {"m", in_channels}};

template <class Number>
Number to_number(const std::string& option, const std::string& text) {
  Number value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < 1)
    throw Error(ErrorCode::kInvalidArgument, option + " '" + text + "' is not a number");
  return value;
}

std::vector<std::string> parse(int argc, char** argv, Settings& settings) {
  const std::map<std::string, std::string*> texts{{"--sse-serve", &settings.sse_serve}, {"--bare", &settings.bare},
                                                  {"--nginx", &settings.nginx},         {"--nchan", &settings.nchan},
                                                  {"--folder", &settings.folder},       {"--output", &settings.output}};
  std::vector<std::string> sections;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--quick") {
      settings.quick = true;
    } else if (!name.starts_with("--")) {
      sections.push_back(name);
    } else if (i + 1 == argc) {
      throw Error(ErrorCode::kInvalidArgument, name + " needs a value");
    } else if (const auto text = texts.find(name); text != texts.end()) {
      *text->second = argv[++i];
    } else if (name == "--streams") {
      settings.streams = to_number<std::size_t>(name, argv[++i]);
    } else if (name == "--idle") {
      settings.idle = to_number<std::size_t>(name, argv[++i]);
    } else if (name == "--rounds") {
      settings.rounds = to_number<int>(name, argv[++i]);
    } else {
      throw Error(ErrorCode::kInvalidArgument, "unknown option " + name + "; run scripts/bench");
    }
  }
  return sections;
}

int run(const Settings& settings, const std::vector<std::string>& wanted) {
  if (settings.sse_serve.empty() || settings.bare.empty() || settings.folder.empty())
    throw Error(ErrorCode::kInvalidArgument, "--sse-serve, --bare and --folder are needed; run scripts/bench");
  constexpr std::size_t kOthers = 200;
  const std::size_t limit = raise_descriptor_limit();
  if (std::max(settings.streams, settings.idle) + kOthers > limit) {
    throw Error(ErrorCode::kInvalidArgument, "a process may open " + std::to_string(limit) +
                                                 " descriptors (RLIMIT_NOFILE): raise it with 'ulimit -n', or take "
                                                 "fewer --streams and --idle");
  }
  for (const std::string& name : wanted) {
    if (std::ranges::find(kSections, name, &Section::name) == std::end(kSections))
      throw Error(ErrorCode::kInvalidArgument, "there is no section '" + name + "'");
  }
  Table table;
  for (const Section& section : kSections) {
    if (wanted.empty() || std::ranges::find(wanted, section.name) != wanted.end()) section.run(settings, table);
  }
  std::printf("%s\n", table.summary().c_str());
  if (!settings.output.empty()) {
    nlohmann::ordered_json json{{"streams", settings.streams}, {"rounds", settings.rounds}, {"size", settings.size}};
    json.update(table.json());
    std::ofstream file(settings.output);
    file << json.dump(2) << "\n";
    if (!file.flush()) throw Error(ErrorCode::kIo, "cannot write " + settings.output);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  try {
    Settings settings;
    const std::vector<std::string> sections = parse(argc, argv, settings);
    return run(settings, sections);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "compare: %s\n", e.what());
    return 1;
  }
}
