#pragma once

#include <string>

#include "api/types.h"
#include "ssectl/terminal/output.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {

/// What a node does, and whether its registry hides it.
std::string state_cell(const api::Json& node);

/// Formats the nodes of a response as a table with one row per node, followed by the totals of the cluster.
std::string nodes_table(const api::Json& answer, const TableStyle& style);

/// Writes the nodes of a response: for people as nodes_table().
void write_nodes(const api::Json& answer, Output& out);

/// Prints a note on standard error if the cluster is degraded; returns whether it is.
bool note_degraded(const api::Json& answer, Output& out);

}  // namespace sse::ctl
