#include "ssectl/input/headers.h"

#include "base/error.h"
#include "base/text.h"
#include "ssectl/input/files.h"

namespace sse::ctl {
namespace {

std::pair<std::string, std::string> header_in(const std::string& line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || colon == 0 || line.find_first_of(" \t") < colon ||
      line.find_first_of("\r\n") != std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument, "--header must be 'NAME: VALUE', or @FILE with such lines, not '" +
                                                 printable(line.substr(0, colon), 40) + "'");
  }
  return {line.substr(0, colon), std::string(trim_blanks(line.substr(colon + 1)))};
}

}  // namespace

void declare_headers(cli::App& app, std::vector<std::string>& given) {
  app.add_option("-H,--header", given, "Header of each request, 'NAME: VALUE', or @FILE with such lines; repeatable")
      .type_name("HEADER")
      .one_value_each();
}

std::vector<std::pair<std::string, std::string>> read_headers(const std::vector<std::string>& given) {
  std::vector<std::pair<std::string, std::string>> headers;
  for (const std::string& one : given) {
    if (!one.starts_with('@')) {
      headers.push_back(header_in(one));
      continue;
    }
    for (std::string line : split_list(read_file(one.substr(1)), '\n')) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) headers.push_back(header_in(line));
    }
  }
  return headers;
}

}  // namespace sse::ctl
