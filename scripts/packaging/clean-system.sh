# Sourced by scripts that test in clean Debian systems made with debootstrap, after `cd` to the checkout. They need root,
# the network, and the programs of scripts/setup --package.
#
#   . scripts/packaging/clean-system.sh
#   enter_namespaces "$@"                          # before anything that has to be undone
#   root NAME                                      # a clean system in $root
#   inside COMMAND…                                # runs there, as does "${inside[@]}" COMMAND… with its own pid
cache=$PWD/build/package-roots
suite=bookworm

fail() {
  echo "FAIL $0:${BASH_LINENO[0]}: $*" >&2
  exit 1
}
((EUID == 0)) || fail "debootstrap and chroot need root"
for tool in debootstrap unshare systemd-analyze python3 curl; do
  command -v "$tool" >/dev/null || fail "$tool is missing; run scripts/setup --package"
done

# enter_namespaces ARGUMENT…: runs the script again with these, in namespaces of its own: its mounts and processes end with
# it, whatever ends it. Returns there only, with the folder $work for what is made.
enter_namespaces() {
  if [[ -z ${SSE_CLEAN_SYSTEM_FOLDER-} ]]; then
    SSE_CLEAN_SYSTEM_FOLDER=$(mktemp -d /tmp/sse-package-XXXXXX)
    export SSE_CLEAN_SYSTEM_FOLDER
    trap 'rm -rf --one-file-system "$SSE_CLEAN_SYSTEM_FOLDER"' EXIT
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
    exit
  fi
  work=$SSE_CLEAN_SYSTEM_FOLDER
  trap 'exit 130' INT TERM
}

step() { echo "── $*"; }
wait_for() { # SECONDS WHAT COMMAND…
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    ((SECONDS < deadline)) || fail "waited in vain for $what"
    sleep 0.1
  done
}
check_contains() { [[ $2 == *"$1"* ]] || fail "expected something with '$1', got '$2'"; }
check_equal() { [[ $1 == "$2" ]] || fail "expected '$1', got '$2'"; }

# root NAME: a clean system in $root.
root() {
  if [[ ! -e $cache/$suite.tar ]]; then
    step "a clean $suite, once"
    mkdir -p "$cache"
    debootstrap --variant=minbase "$suite" "$work/base" http://deb.debian.org/debian >"$cache/debootstrap.log" 2>&1 ||
      fail "debootstrap: $(tail -n 3 "$cache/debootstrap.log")"
    tar -C "$work/base" -cf "$cache/$suite.tar.new" . && mv "$cache/$suite.tar.new" "$cache/$suite.tar"
    rm -rf --one-file-system "$work/base"
  fi
  root=$work/$1
  mkdir -p "$root"
  tar -C "$root" -xf "$cache/$suite.tar"
  chmod 755 "$root"
  inside=(chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    DEBIAN_FRONTEND=noninteractive ${NODE_EXTRA_CA_CERTS:+"NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS"})
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # Which the installer of Debian writes.
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost ip6-loopback\n' "$(uname -n)" >"$root/etc/hosts"
  # Authorities of a network that inspects TLS; the package ca-certificates takes them in.
  mkdir -p "$root/usr/local/share/ca-certificates"
  cp -t "$root/usr/local/share/ca-certificates" /usr/local/share/ca-certificates/*.crt 2>/dev/null || true
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  # What the tests start here is ended here.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # Downloaded once for all of them.
  mkdir -p "$cache/archives/partial"
  mount --bind "$cache/archives" "$root/var/cache/apt/archives"
  printf 'Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n' >"$root/etc/apt/apt.conf.d/keep"
  rm -f "$root/etc/apt/apt.conf.d/docker-clean"
}
# This machine's compiler cache, for the system in $root.
share_ccache() {
  local folder
  folder=$(ccache -k cache_dir)
  mkdir -p "$root/root/.cache/ccache"
  mount --bind "$folder" "$root/root/.cache/ccache"
}
inside() { "${inside[@]}" "$@"; }
quiet() { "$@" >"$work/log" 2>&1 || fail "'$*': $(tail -n 15 "$work/log")"; }
