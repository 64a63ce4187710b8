#include <optional>

#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "cluster/nacos/nacos_address.h"
#include "cluster/nacos/nacos_client.h"
#include "fuzz/fuzz.h"

// A list of instances from Nacos, and the address of Nacos.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sse::cluster;
  using sse::fuzz::expect;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const std::optional<sse::event::Json> json = read_json(text, size)) {
    const std::vector<NacosInstance> instances = nacos_instances_in(*json);
    expect(instances.size() <= size);
    for (const NacosInstance& instance : instances) expect(instance.port >= 0 && instance.port <= 65535);
  }
  try {
    const NacosAddress address = parse_nacos_address(text);
    expect(!address.servers.empty());
    expect(parse_nacos_address(address.str()).str() == address.str());
  } catch (const sse::Error&) {
    // Refused.
  }
  return 0;
}
