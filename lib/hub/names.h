#pragma once

#include <string>
#include <utility>
#include <vector>

#include "event/target.h"

namespace sse::hub {

struct Connection;
struct NewConnection;

/// The target kinds and names by which sends reach a connection.
using Names = std::vector<std::pair<event::TargetKind, std::string>>;

Names names_of(const NewConnection& connection);
Names names_of(const Connection& connection);
/// The name by which a message of that kind was addressed to the connection, also in the channel that it has left.
std::string recipient_name(const Connection& connection, event::TargetKind kind);

}  // namespace sse::hub
