#pragma once

#include <functional>

#include "cli/app.h"
#include "ssectl/context/context.h"

namespace sse::ctl {

/// Runs a command and returns the exit code; throws Error.
using Run = std::function<int(Context&)>;

Run declare_status(cli::App& app);
Run declare_send(cli::App& app);
Run declare_listen(cli::App& app);
Run declare_conformance(cli::App& app);
Run declare_console(cli::App& app);
Run declare_doctor(cli::App& app);
Run declare_top(cli::App& app);
Run declare_completion(cli::App& app);
Run declare_bench(cli::App& app);
Run declare_connections_list(cli::App& app);
Run declare_connections_show(cli::App& app);
Run declare_connections_set(cli::App& app);
Run declare_connections_close(cli::App& app);
Run declare_connections_duration(cli::App& app);
Run declare_users_list(cli::App& app);
Run declare_users_show(cli::App& app);
Run declare_users_online(cli::App& app);
Run declare_users_duration(cli::App& app);
Run declare_tenants_list(cli::App& app);
Run declare_channels_list(cli::App& app);
Run declare_channels_show(cli::App& app);
Run declare_tokens_list(cli::App& app);
Run declare_tokens_duration(cli::App& app);
Run declare_explain(cli::App& app);
Run declare_events(cli::App& app);
Run declare_nodes_list(cli::App& app);
Run declare_nodes_show(cli::App& app);
Run declare_nodes_drain(cli::App& app);
Run declare_nodes_undrain(cli::App& app);
Run declare_token_create(cli::App& app);
Run declare_token_check(cli::App& app);
Run declare_key_create(cli::App& app);
Run declare_ticket_create(cli::App& app);
Run declare_messages_list(cli::App& app);
Run declare_messages_show(cli::App& app);
Run declare_messages_delete(cli::App& app);
Run declare_messages_purge(cli::App& app);
Run declare_messages_retry(cli::App& app);
Run declare_messages_trace(cli::App& app);
Run declare_messages_export(cli::App& app);
Run declare_messages_import(cli::App& app);
Run declare_messages_dead_list(cli::App& app);
Run declare_messages_dead_requeue(cli::App& app);
Run declare_messages_dead_purge(cli::App& app);

}  // namespace sse::ctl
