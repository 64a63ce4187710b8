#!/usr/bin/env bash
# Python's requests, which its event stream clients are built on: every event reaches the program at once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python3 -c 'import requests' 2>/dev/null || { echo "python3-requests is not installed (scripts/setup --tests)"; exit 77; }

cat >"$scratch/client.py" <<'END'
import requests, sys
with requests.get(sys.argv[1], stream=True, headers={"Accept": "text/event-stream"}) as answer:
    answer.raise_for_status()
    for line in answer.iter_lines():
        print(line.decode(), flush=True)
print("ended", flush=True)
END
start_server
python3 "$scratch/client.py" "$url/my-sse/connect?userId=1" >"$scratch/seen" 2>&1 &
children+=($!)
wait_for 20 "connect-finish" grep -qx 'event:connect-finish' "$scratch/seen"
for i in 1 2 3; do
  "$SSECTL" send --user 1 "event $i" >/dev/null
  wait_for 20 "event $i" grep -qx "data:event $i" "$scratch/seen"
done
"$SSECTL" connections close --user 1 --yes >/dev/null
# The end of the stream is one: no exception of a body that was cut.
wait_for 20 "the end" grep -qx ended "$scratch/seen"
stop_server
