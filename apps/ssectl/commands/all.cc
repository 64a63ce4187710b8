#include "ssectl/commands/all.h"

namespace sse::ctl {
namespace {

constexpr Command kCommands[] = {
    {"", "status", "State and totals of the server; exits with 1 unless it is ready",
     "ssectl status\n  ssectl status -o json | jq .connections", declare_status},
    {"", "send", "Send an event to users, tenants, tokens, channels, single or all streams",
     "ssectl send --user 1 --qos\n"
     "  ssectl send --user 1 --user 2 --event note 'Lunch is ready'\n"
     "  date | ssectl send --channel clock --listening\n"
     "  ssectl send --all --qos --ttl 1h --file news.json\n"
     "  ssectl send --ndjson --qos --file messages.ndjson",
     declare_send},
    {"", "listen", "Open a stream as a browser does and print its events",
     "ssectl listen --user 1\n"
     "  ssectl listen --channel news --event breaking -o ndjson | jq -r .data\n"
     "  ssectl listen --url https://push.example.org/my-sse --count 1",
     declare_listen},
    {"", "top", "Live screen of the streams: backlog, age of the oldest unsent event, rate",
     "ssectl top\n  ssectl top --interval 500ms --service hr", declare_top},
    {"", "console", "The admin console in a browser: opens a port of this machine for it until Ctrl-C",
     "ssectl console --open\n"
     "  ssectl --server https://push1:8443 --token-file token.txt console\n"
     "  ssh -t -L 8089:127.0.0.1:8089 push1 ssectl console --port 8089",
     declare_console},
    {"", "bench", "Open streams, send events, measure delivery and latency",
     "ssectl bench --streams 10000 --sources 4 --events 100\n"
     "  ssectl bench --streams 1000 --to random --rate 1000 --events 10000\n"
     "  ssectl bench --qos --senders 64 --to each --events 10000 -o json",
     declare_bench},
    {"", "doctor", "What stands between a page and an event stream; exits with 1 if something must be mended",
     "ssectl doctor https://push.example.org/my-sse\n"
     "  ssectl --server unix:/run/sse-serve/admin.sock doctor https://push.example.org/my-sse\n"
     "  ssectl doctor --origin https://www.example.org --for 2m https://push.example.org/my-sse",
     declare_doctor},
    {"", "conformance", "Tests any server of event streams against the standards; exits with 1 if a case fails",
     "ssectl conformance https://push.example.org/events\n"
     "  ssectl conformance --publish 'http://127.0.0.1:8000/pub?id=1' 'http://127.0.0.1:8000/sub?id=1'\n"
     "  ssectl --server unix:/run/sse-serve/admin.sock conformance http://127.0.0.1:8080/my-sse/connect",
     declare_conformance},
    {"connections", "list", "Open streams, oldest first",
     "ssectl connections list --user 1\n  ssectl connections list -o ndjson | jq -r .clientId",
     declare_connections_list},
    {"connections", "show", "One open stream in full", "ssectl connections show 847140540416",
     declare_connections_show},
    {"connections", "set", "Change the attributes and channels of an open stream",
     "ssectl connections set 847140540416 --attribute plan=gold\n"
     "  ssectl connections set 847140540416 --join team.7 --leave lobby",
     declare_connections_set},
    {"connections", "close", "Close streams from the server's side",
     "ssectl connections close 847140540416\n"
     "  ssectl connections close --user 1\n"
     "  ssectl connections close --all --yes",
     declare_connections_close},
    {"connections", "duration", "Show, set or clear the session duration of a connection",
     "ssectl connections duration 847140540416\n  ssectl connections duration 847140540416 --set 2h",
     declare_connections_duration},
    {"users", "list", "Users who are online",
     "ssectl users list --tenant acme --listening news\n  ssectl users list --ids | wc -l", declare_users_list},
    {"users", "show", "One user who is online, in full", "ssectl users show 1", declare_users_show},
    {"users", "online", "Whether a user is online; exits with 3 if not",
     "ssectl users online 1 || mail -s 'come back' you@example.org", declare_users_online},
    {"users", "duration", "Show, set or clear the session duration of a user",
     "ssectl users duration 1\n  ssectl users duration 1 --set 120 --ttl 1d\n  ssectl users duration 1 --clear",
     declare_users_duration},
    {"tenants", "list", "Tenants with connections", "ssectl tenants list --sort users --reverse", declare_tenants_list},
    {"channels", "list", "Channels with connections",
     "ssectl channels list --listening news\n  ssectl channels list --prefix team. --sort users --reverse",
     declare_channels_list},
    {"channels", "show", "One channel: its members, its rate and what its history has", "ssectl channels show board",
     declare_channels_show},
    {"tokens", "list", "Access tokens, masked, with connections", "ssectl tokens list --user 1", declare_tokens_list},
    {"tokens", "duration", "Show, set or clear the session duration of an access token",
     "ssectl tokens duration k3y --set 120", declare_tokens_duration},
    {"", "explain", "Which connections would get an event, and why others would not",
     "ssectl explain --user 1 --event news --listening\n  ssectl explain --user 1 --tenant acme\n"
     "  ssectl explain --user 1 --channel team.7 --user-token-file token.txt",
     declare_explain},
    {"", "events", "Activity events: connects, disconnects, listeners, requests of pages, sends",
     "ssectl events --follow\n"
     "  ssectl events --last 20 --type disconnect\n"
     "  ssectl events --follow --user 1 -o ndjson | jq .reason",
     declare_events},
    {"nodes", "list", "The servers of the cluster",
     "ssectl nodes list\n  ssectl --cluster redis://127.0.0.1 nodes list", declare_nodes_list},
    {"nodes", "show", "One server of the cluster in full", "ssectl nodes show web1:8080", declare_nodes_show},
    {"nodes", "drain", "Move the streams of a server to other servers, at a limited rate; it accepts no new ones",
     "ssectl nodes drain web1:8080\n  ssectl nodes drain web1:8080 --rate 2000/s --yes", declare_nodes_drain},
    {"nodes", "undrain", "Let a drained server accept streams again", "ssectl nodes undrain web1:8080",
     declare_nodes_undrain},
    {"messages", "list", "Messages sent with --qos that are not confirmed, oldest first",
     "ssectl messages list --kind user --recipient 1\n"
     "  ssectl messages list --db ~/.local/state/sse-serve/pending.db",
     declare_messages_list},
    {"messages", "show", "One pending message with its data", "ssectl messages show 847140540417",
     declare_messages_show},
    {"messages", "delete", "Delete pending messages for all their recipients",
     "ssectl messages delete 847140540417\n  ssectl messages delete --yes 847140540417 847140540418",
     declare_messages_delete},
    {"messages", "purge", "Delete all pending messages that match",
     "ssectl messages purge --recipient 1\n  ssectl messages purge --all --yes", declare_messages_purge},
    {"messages", "retry", "Send pending messages again to the recipients that are connected now",
     "ssectl messages retry 847140540417", declare_messages_retry},
    {"messages", "trace", "The history of a message, step by step", "ssectl messages trace 847140540417",
     declare_messages_trace},
    {"messages", "export", "Write pending messages as lines of JSON, for messages import",
     "ssectl messages export >pending.ndjson\n  ssectl messages export --recipient 1 | jq .data",
     declare_messages_export},
    {"messages", "import", "Import the output of messages export; repeating it is harmless",
     "ssectl messages import pending.ndjson\n"
     "  ssectl messages export | ssectl --server unix:/run/other.sock messages import -",
     declare_messages_import},
    {"messages dead", "list", "Dead letters: messages that expired unconfirmed", "ssectl messages dead list",
     declare_messages_dead_list},
    {"messages dead", "requeue", "Send dead letters again, as new messages with their original time to live",
     "ssectl messages dead requeue 847140540417\n  ssectl messages dead requeue --all", declare_messages_dead_requeue},
    {"messages dead", "purge", "Delete dead letters",
     "ssectl messages dead purge --yes 847140540417\n  ssectl messages dead purge --all", declare_messages_dead_purge},
    {"key", "create", "Create a key that signs tokens, and the public part that sse-serve needs",
     "ssectl key create push.key\n  ssectl key create --algorithm HS256 push.secret", declare_key_create},
    {"token", "create", "Sign a token that lets a user in (--auth jwt)",
     "ssectl token create --key push.key --user ann\n"
     "  ssectl token create --key push.key --user ann --tenant acme --channels 'team.*' --ttl 1h",
     declare_token_create},
    {"token", "check", "Whether a token is accepted, and why not; exits with 5 if not",
     "ssectl token check <token.txt\n"
     "  ssectl token check --url https://push.example.org/my-sse <token.txt\n"
     "  ssectl token check --key push.key.jwks <token.txt",
     declare_token_check},
    {"ticket", "create", "Create a ticket: with it in the URL, one stream is opened as a user",
     "ssectl ticket create --user ann\n"
     "  curl -N \"http://127.0.0.1:8080/my-sse/connect?ticket=$(ssectl ticket create --user ann --ttl 5s)\"",
     declare_ticket_create},
    {"", "completion", "Print a completion script for a shell",
     "ssectl completion bash > ~/.local/share/bash-completion/completions/ssectl\n"
     "  ssectl completion zsh > \"${fpath[1]}/_ssectl\"\n"
     "  ssectl completion fish > ~/.config/fish/completions/ssectl.fish",
     declare_completion},
};

constexpr Group kGroups[] = {
    {"connections", "Open streams: list, show, close, duration", "ssectl connections list"},
    {"users", "Users who are online: list, show, online, duration", "ssectl users list"},
    {"tenants", "Tenants of the open streams: list", "ssectl tenants list"},
    {"channels", "Channels of the open streams: list, show", "ssectl channels list"},
    {"tokens", "Access tokens of the open streams: list, duration", "ssectl tokens list"},
    {"key", "Keys that sign tokens: create", "ssectl key create push.key"},
    {"token", "Tokens that let users in (--auth jwt): create, check", "ssectl token create --key push.key --user ann"},
    {"ticket", "Tickets that open one stream: create", "ssectl ticket create --user ann"},
    {"nodes", "Servers of a cluster: list, show, drain, undrain", "ssectl nodes list"},
    {"messages", "Messages that are not confirmed yet: list, delete, retry, trace", "ssectl messages list"},
    {"messages dead", "Messages that expired unconfirmed: list, requeue, purge", "ssectl messages dead list"},
};

}  // namespace

std::span<const Command> all_commands() {
  return kCommands;
}

std::span<const Group> all_groups() {
  return kGroups;
}

}  // namespace sse::ctl
