#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/client.h"

namespace sse::ctl {

/// The sse-serve that is examined, reached through its admin API: sends events to the streams of an examination alone,
/// and says what it knows about them. One thread. All calls block and throw Error as api::Client.
class OwnServer {
 public:
  /// `client` must outlive this.
  OwnServer(api::Client& client, ServiceName service);

  /// The query of a new stream: it is opened with a ticket, as a user of this examination alone, and listens to
  /// event().
  std::string stream_query(std::string_view client_id);
  /// Sends an event to the streams; `name`: empty for `ssectl-doctor`. Returns how many took it.
  std::uint64_t send(const std::string& data, const std::string& name = {});
  /// What the server knows about the open stream of this client id; empty when there is none.
  std::optional<api::Json> find(std::string_view client_id);

 private:
  std::string client_of(std::string_view client_id) const;

  api::Client& client_;
  const ServiceName service_;
  const std::string user_;
};

}  // namespace sse::ctl
