// Runs fuzz targets over files: replay NAME FOLDER-OR-FILE…
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);

Target target_called(const char* name) {
#define FUZZ_TARGET(known) \
  if (std::strcmp(name, #known) == 0) return fuzz_##known;
#include "fuzz_targets.inc"
#undef FUZZ_TARGET
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const Target target = argc > 2 ? target_called(argv[1]) : nullptr;
  if (target == nullptr) {
    std::fprintf(stderr, "usage: fuzz_replay NAME FILE-OR-FOLDER...\n");
    return 2;
  }
  std::vector<std::string> files;
  for (int i = 2; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
    } else {
      files.emplace_back(argv[i]);
    }
  }
  std::ranges::sort(files);
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      return 1;
    }
    // Print the file name first, so that an abort shows its input.
    std::fprintf(stderr, "%s\n", file.c_str());
    target(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  if (files.empty()) {
    std::fprintf(stderr, "there is nothing to run\n");
    return 1;
  }
  return 0;
}
