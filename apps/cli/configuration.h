#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace CLI {
class App;
class Config;
}  // namespace CLI

namespace sse::cli {

/// The configuration file that was read.
struct FileSettings {
  std::string file;                          ///< its name as given; empty before it is read
  std::map<std::string, std::size_t> lines;  ///< the line, from 1, of each `name` or `command.name`
};

/// Creates the reader of the configuration file of `app`: lines `name = value`, where a value is a word, a text in
/// quotes or a list, and sections `[command]`. It is a subset of TOML that also accepts the bare words of INI files.
///
/// Reading throws CLI::ConfigError whose text begins with the file and the line: for text that cannot be read, a name
/// that is no option (with the nearest that is) and a flag that is neither true nor false. At most 1 MiB is read. The
/// reader fills `settings`; `app` must outlive it.
std::shared_ptr<CLI::Config> make_configuration(CLI::App& app, std::shared_ptr<FileSettings> settings);

}  // namespace sse::cli
