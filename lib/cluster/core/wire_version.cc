#include "cluster/core/wire_version.h"

#include "base/text.h"

namespace sse::cluster {
namespace {

bool is_understood(std::uint64_t version) {
  return version >= kOldestWireVersion && version <= kWireVersion;
}

}  // namespace

std::string why_refused(std::uint64_t version, const std::string& node) {
  if (is_understood(version)) return "";
  const std::string theirs = "node '" + printable(node.substr(0, node.rfind('~')), 200) + "' speaks version " +
                             std::to_string(version) + " of the protocol between nodes";
  const std::string ours = std::to_string(kWireVersion);
  if (version > kWireVersion) return theirs + ", and this program only version " + ours + ": update this program";
  return theirs + (version == kUnstatedWireVersion ? " (sse-server 0.1)" : "") + ", and version " + ours +
         " is required: update that node";
}

void require_wire(std::uint64_t version, const std::string& node) {
  if (!is_understood(version)) throw WireRefusal(version, node);
}

}  // namespace sse::cluster
