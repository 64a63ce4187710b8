#!/usr/bin/env bash
# What monitoring sees: metrics that Prometheus accepts and that agree with status, health and readiness.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

start_server
scrape() { curl -sS --unix-socket "$admin" "http://localhost$1"; }
check_equal ok "$(scrape /healthz)"
check_equal ready "$(scrape /readyz)"
open_stream "$scratch/1" userId=1
check_exit 0 "$SSECTL" send --user 1 one
check_exit 0 "$SSECTL" send --user 1 --qos two
wait_for 10 "the second event" grep -qx data:two "$scratch/1"
check_exit 0 "$SSECTL" send --user nobody --qos three

scrape /metrics >"$scratch/metrics"
service='service="defaultConnectionService"'
for line in "sse_streams_open{$service} 1" "sse_streams_opened_total{$service} 1" "sse_backlog_bytes{$service} 0" \
  "sse_send_seconds_count{$service} 3" "sse_commit_seconds_count{$service} 2" \
  "sse_streams_closed_total{reason=\"slow-consumer\",$service} 0" "sse_dropped_total{$service} 0"; do
  check_file "$line" "$scratch/metrics"
done
for name in sse_build_info sse_expired_total sse_pending_messages sse_deliveries_total sse_delivered_bytes_total \
  sse_http_request_seconds_bucket sse_http_requests_total sse_sends_total sse_confirmed_total; do
  grep -qE "^$name[{ ]" "$scratch/metrics" || fail "no $name in: $(<"$scratch/metrics")"
done

# What every process says of itself, as the kernel has it.
metric() { sed -nE "s/^$1 //p" "$scratch/metrics"; }
check_equal "$(ulimit -Sn)" "$(metric process_max_fds)"
(($(metric process_open_fds) >= 5)) || fail "process_open_fds $(metric process_open_fds)"
(($(metric process_threads) >= 3)) || fail "process_threads $(metric process_threads)"
resident=$(metric process_resident_memory_bytes)
python3 -c '
import os, sys, time
resident, virtual, cpu, start = map(float, sys.argv[1:5])
assert 1e6 < resident < virtual, "resident {} virtual {}".format(resident, virtual)
assert 0 < cpu < 60, "CPU {}".format(cpu)
# Both are rounded to seconds or clock ticks.
began = os.stat("/proc/" + sys.argv[5]).st_mtime
assert abs(start - began) < 3, "start {}, the process began at {}".format(start, began)
' "$resident" "$(metric process_virtual_memory_bytes)" "$(metric process_cpu_seconds_total)" \
  "$(metric process_start_time_seconds)" "$server_pid" || fail "the process metrics are wrong"

# Responses, by the class of their status: the stream, a page that is not there, a bad request.
check_equal 404 "$(curl -sS -o /dev/null -w '%{http_code}' "$url/none")"
check_equal 400 "$(curl -sS -o /dev/null -w '%{http_code}' -X POST -d '{' "$url/my-sse/connect/ack.do")"
scrape /metrics >"$scratch/metrics"
check_file 'sse_http_responses_total{class="2xx",listener="public"} 1' "$scratch/metrics"
check_file 'sse_http_responses_total{class="4xx",listener="public"} 2' "$scratch/metrics"
check_file 'sse_http_responses_total{class="5xx",listener="public"} 0' "$scratch/metrics"

# Status shows the same counters.
check_exit 0 "$SSECTL" status -o json
check_contains '"sse_streams_opened_total{service=\"defaultConnectionService\"}"' "$output"

if command -v promtool >/dev/null; then
  promtool check metrics <"$scratch/metrics" >"$scratch/promtool" 2>&1 || fail "promtool: $(<"$scratch/promtool")"
  [[ ! -s $scratch/promtool ]] || fail "promtool: $(<"$scratch/promtool")"
fi
# Health at the public listener only where it is wanted: it is a path of the site otherwise.
check_equal 404 "$(curl -sS -o /dev/null -w '%{http_code}' "$url/readyz")"
stop_server
start_server --public-health --server-id push1
check_equal ok "$(curl -sS "$url/healthz")"
check_equal ready "$(curl -sS "$url/readyz")"
check_equal 405 "$(curl -sS -o /dev/null -w '%{http_code}' -X POST "$url/readyz")"
check_equal 200 "$(curl -sS -o /dev/null -w '%{http_code}' -I "$url/healthz")"
# A page without a goodbye keeps the drain under way.
open_stream "$scratch/2" userId=1
"$SSECTL" nodes drain push1 --rate 1 --yes >"$scratch/drain" 2>&1 &
children+=($!)
not_ready() { [[ $(curl -sS -w ' %{http_code}' "$url/readyz") == $'draining\n 503' ]]; }
wait_for 30 "a node that is not ready" not_ready
check_equal ok "$(curl -sS "$url/healthz")"
check_exit 0 "$SSECTL" nodes undrain push1
is_ready() { [[ $(curl -sS "$url/readyz") == ready ]]; }
wait_for 30 "a node that is ready again" is_ready
stop_server
