#!/usr/bin/env bash
# A small disk runs full while messages are sent: the sender is told, what was accepted is kept over kill -9 and
# delivered once there is room, and nothing else of the server suffers. Then a disk that may only be read.
if [[ -z ${SSE_OWN_MOUNTS-} ]]; then
  own=(unshare -m)
  [[ $(id -u) == 0 ]] || own=(unshare -rm)
  "${own[@]}" true 2>/dev/null || { echo "needs a mount namespace of its own (unshare -m)"; exit 77; }
  SSE_OWN_MOUNTS=1 exec "${own[@]}" bash "${BASH_SOURCE[0]}"
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

pending_is() { curl -sS --unix-socket "$admin" "http://localhost/api/v1/messages" | grep -q "\"total\":$1}"; }
send_kept() { # USER DATA → its answer's status; the id of one that was accepted goes to $scratch/accepted
  local answer
  answer=$(printf '{"target":{"users":["%s"]},"data":"%s","qos":true}' "$1" "$2" |
    curl -sS -w '\n%{http_code}' --unix-socket "$admin" --data-binary @- http://localhost/api/v1/send)
  sed -n 's/.*"id":"\([0-9]*\)".*/\1/p' <<<"$answer" >>"$scratch/accepted"
  status=${answer##*$'\n'} problem=${answer%$'\n'*}
}

disk=$scratch/disk
mkdir "$disk"
mount -t tmpfs -o size=3m tmpfs "$disk" || { echo "cannot mount a tmpfs here"; exit 77; }
db=$disk/pending.db
start_server
open_stream "$scratch/other" "userId=2"
filler=$(head -c 20000 /dev/zero | tr '\0' x)
accepted=0
while send_kept 1 "$filler" && [[ $status == 200 ]]; do
  accepted=$((accepted + 1))
  ((accepted < 1000)) || fail "3 MB took 20 MB"
done
check_equal 500 "$status"
check_contains "free some space on that disk" "$problem"
check_contains "$db" "$problem"
for _ in 1 2 3; do send_kept 1 "$filler"; done
accepted=$(wc -l <"$scratch/accepted")

# Who is there gets what needs no disk; what was accepted is delivered from it.
check_exit 0 "$SSECTL" send --user 2 "no disk needed"
wait_for 10 "it" grep -qx "data:no disk needed" "$scratch/other"
pending_is "$accepted" || fail "not all that was accepted is pending"
kill_server

# The power comes back, the disk is larger.
mount -o remount,size=30m "$disk"
start_server
pending_is "$accepted" || fail "not all that was accepted survived kill -9 on a full disk"
send_kept 1 last
check_equal 200 "$status"
open_stream "$scratch/one" "userId=1"
wait_for 20 "the last" grep -qx 'data:last' "$scratch/one"
check_equal "$(cat "$scratch/accepted")" "$(grep -B2 '^data:\(x*\|last\)$' "$scratch/one" | sed -n 's/^id://p')"
wait_for 20 "an empty repository" pending_is 0
stop_server
echo "$accepted messages accepted until the disk was full, 0 lost"

# Read-only from the start: refused with the reason, and the file stays as it is.
before=$(sha256sum <"$db")
mount -o remount,ro "$disk"
check_exit 1 "$SSE_SERVE" --listen 127.0.0.1:0 --admin "unix:$scratch/ro.sock" --db "$db"
check_contains "Read-only file system" "$errors"
check_contains "$disk" "$errors"
check_equal "$before" "$(sha256sum <"$db")"
umount -l "$disk"
