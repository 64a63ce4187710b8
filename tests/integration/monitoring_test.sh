#!/usr/bin/env bash
# What scripts/packaging/monitoring has for Prometheus and Grafana, with a real Prometheus that scrapes two real nodes under
# load: every query of the dashboard returns data, and alerts fire when there is a reason. When each fires otherwise is
# in alerts.yml, for promtool.
# ctest: COST 100 TIMEOUT 400
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v prometheus >/dev/null || { echo "prometheus is not installed (scripts/setup --tests)"; exit 77; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
monitoring=$here/../../scripts/packaging/monitoring

check_exit 0 promtool check rules "$monitoring/sse-server.rules.yml"
sed "s#RULES#$monitoring/sse-server.rules.yml#" "$here/alerts.yml" >"$scratch/alerts.yml"
promtool test rules "$scratch/alerts.yml" >"$scratch/promtool" 2>&1 || fail "promtool: $(<"$scratch/promtool")"
# Each alert is tried.
for alert in $(sed -nE 's/^ +- alert: //p' "$monitoring/sse-server.rules.yml"); do
  grep -q "alertname: $alert\$" "$here/alerts.yml" || fail "alerts.yml does not try $alert"
done

# Two nodes of a cluster, with an application behind them.
mkdir "$scratch/hook"
python3 "$here/hook_server.py" "$scratch/hook" &
children+=($!)
wait_for 30 "the port of the application" test -s "$scratch/hook/port"
(umask 077 && echo "the-token-of-the-operators" >"$scratch/token" && echo "the nodes' secret" >"$scratch/secret")
read -r port_a port_b admin_a admin_b public_a public_b prometheus < <(free_ports 7 | xargs)
admin=''  # a port, for Prometheus
node() { # NAME PORT ADMIN_PORT PUBLIC_PORT
  server_log=$scratch/server-$1.log
  "$SSE_SERVE" --listen "127.0.0.1:$4" --canary 1s --canary-url "http://127.0.0.1:$4/my-sse" --admin "127.0.0.1:$3" --admin-token-file "$scratch/token" --db "$scratch/$1.db" \
    --server-id "$1" --cluster-secret-file "$scratch/secret" --cluster-listen "127.0.0.1:$2" \
    --discovery "static:127.0.0.1:$port_a,127.0.0.1:$port_b" --hook "http://127.0.0.1:$(<"$scratch/hook/port")/" \
    >"$server_log" 2>&1 &
  server_pid=$!
  servers[$server_pid]=$server_log
  wait_for 30 "the address that node $1 prints" _printed_address
}
node a "$port_a" "$admin_a" "$public_a"
url_a=$url pid_a=$server_pid
node b "$port_b" "$admin_b" "$public_b"

# Seconds instead of minutes, and no waiting before an alert.
sed -E 's/\[((5|10|15|30)m|1h)\]/[10s]/g; s/^( +for: ).*/\10s/' "$monitoring/sse-server.rules.yml" >"$scratch/rules.yml"
cat >"$scratch/prometheus.yml" <<END
global: {scrape_interval: 500ms, evaluation_interval: 500ms}
rule_files: [$scratch/rules.yml]
scrape_configs:
  - job_name: sse-server
    authorization: {credentials_file: $scratch/token}
    static_configs: [{targets: ["127.0.0.1:$admin_a", "127.0.0.1:$admin_b"]}]
END
prometheus --config.file="$scratch/prometheus.yml" --storage.tsdb.path="$scratch/tsdb" \
  --web.listen-address="127.0.0.1:$prometheus" >"$scratch/prometheus.log" 2>&1 &
children+=($!)
ask=(python3 "$here/monitoring.py" "http://127.0.0.1:$prometheus")
both_scraped() { "${ask[@]}" query 'count(up{job="sse-server"} == 1) == 2' >/dev/null 2>&1; }
wait_for 60 "Prometheus, which has scraped both nodes" both_scraped

# Load of every kind until everything has been seen: events, messages, refused pages, refused connections to the API.
export SSECTL_SERVER=http://127.0.0.1:$admin_a
bench() { "$SSECTL" --token-file "$scratch/token" bench --url "$url_a/my-sse" --rate 100 --drain 1s "$@" || true; }
load() {
  while :; do
    bench --streams 20 --events 100 --to all
    bench --streams 5 --events 20 --to each --qos
    curl -sS -m 30 -o /dev/null -H "Host: elsewhere.example" "$url_a/my-sse/connect?userId=1" || true
    curl -sS -m 30 -o /dev/null "$url_a/none" -o /dev/null "http://127.0.0.1:$admin_a/api/v1/status" || true
  done
}
load >"$scratch/load" 2>&1 &
children+=($!)
load_pid=$!
status=0
"${ask[@]}" panels "$monitoring/sse-server.dashboard.json" >"$scratch/panels" 2>&1 || status=$?
[[ $status -eq 0 ]] || fail "panels without data: $(<"$scratch/panels"); the load: $(tail -n 5 "$scratch/load")"
grep -qE '^[0-9]{2} panels' "$scratch/panels" || fail "no panels: $(<"$scratch/panels")"

# Pages under a name that is not the server's are refused, again and again.
refusals() {
  while :; do
    curl -sS -m 30 -o /dev/null -H "Host: elsewhere.example" "$url_a/my-sse/connect?userId=1" || true
    sleep 0.05
  done
}
kill "$load_pid" && wait "$load_pid" 2>/dev/null || true
refusals &
children+=($!)
fires() { "${ask[@]}" firing "$1" "127.0.0.1:$2"; }
wait_for 60 "an alert for refused pages" fires SseLoginsFail "$admin_a"
kill_server
wait_for 60 "an alert for the node that is gone" fires SseServerDown "$admin_b"
if fires SseServerDown "$admin_a"; then fail "the node that answers is said to be down"; fi
stop_server "$pid_a"
