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
for name in sse_build_info sse_pending_messages sse_deliveries_total sse_delivered_bytes_total \
  sse_http_request_seconds_bucket sse_http_requests_total sse_sends_total sse_confirmed_total; do
  check_file "$name{" <(sed -E 's/^(sse_pending_messages) /\1{} /' "$scratch/metrics")
done

# Status shows the same counters.
check_exit 0 "$SSECTL" status -o json
check_contains '"sse_streams_opened_total{service=\"defaultConnectionService\"}"' "$output"

if command -v promtool >/dev/null; then
  promtool check metrics <"$scratch/metrics" >"$scratch/promtool" 2>&1 || fail "promtool: $(<"$scratch/promtool")"
  [[ ! -s $scratch/promtool ]] || fail "promtool: $(<"$scratch/promtool")"
fi
stop_server
