#!/usr/bin/env python3
"""torture_matrix.py [WORD]: a cluster of three real sse-serve under load, to which one fault after the other is done; WORD:
only those with it in their name. Prints a table: of the messages that were accepted with qos how many were lost; left pending a
minute later, although the stream of their user was open; given twice; and late, by more than a second; and how long it
took until a send at each node reached a stream at each other node again, after the end of the fault, or after the death
of what does not come back. Exits with 1 where more is lost than the servers say, something is left, or healing takes a
minute."""
import itertools, os, signal, subprocess, sys, time

import torture_network
from torture_nodes import Broken, Node, Producers, Redis, Stream, dead_of, folder, free_port, require, run_part, wait_for

LATE = 1.0  # seconds
USERS = [f"u{i}" for i in range(24)]
COLUMNS = "{:<50}|{:>9} |{:>8} |{:>5} |{:>5} |{:>8} |{:>6} |{:>7} |{:>7} |"


class Load:
    """Streams at all nodes, one at each node for probes, and senders."""

    def __init__(self, nodes, senders=None):
        self.nodes = nodes
        self.streams = [Stream(user, *nodes) for user in USERS]
        self.probes = [Stream(f"probe-{node.name}", node) for node in nodes]
        for stream in self.streams + self.probes:
            require(stream.opened.wait(30), "a stream did not open")
        self.producers = Producers(6, senders or nodes, USERS, pause=0.02, timeout=10.0)

    def reaches_all(self):
        """A send at each node reaches the stream at each other one at once."""
        for node in self.nodes:
            try:
                if node.admin("GET", "status", timeout=2.0)[1]["cluster"]["degraded"]:
                    return False
                for other, probe in zip(self.nodes, self.probes):
                    if other is node:
                        continue
                    status, answer = node.send(probe.user, "probe", timeout=2.0)
                    if status != 200 or answer["delivered"] != 1 or answer.get("missing"):
                        return False
            except OSError:
                return False
        return True

    def healed_after(self, begin):
        while not self.reaches_all():
            require(time.monotonic() < begin + 60, "a minute after the fault the nodes do not reach each other: " +
                    " / ".join(node.said()[-300:] for node in self.nodes))
            time.sleep(0.05)
        return time.monotonic() - begin

    def end(self):
        self.producers.stop()
        accepted, by_user = self.producers.accepted, {stream.user: stream for stream in self.streams}

        def missing():
            return [data for data, user in accepted.items() if data not in by_user[user].got]
        try:
            wait_for("what was accepted", lambda: not missing(), 60)
        except Broken:
            pass
        status, lines, said = self.nodes[0].export()
        require(status == 0, f"the export failed: {said}")
        kept = {line["data"] for line in lines} | set(dead_of(self.nodes[0]))
        for stream in self.streams + self.probes:
            stream.over = True
        delays = [by_user[user].first[data] - self.producers.when[data] for data, user in accepted.items()
                  if data in by_user[user].first]
        return {"accepted": len(accepted), "refused": sum(self.producers.refused.values()),
                "lost": sum(data not in kept for data in missing()), "left": sum(data in kept for data in missing()),
                "doubled": sum(times > 1 for stream in self.streams for times in stream.got.values()),
                "late": sum(delay > LATE for delay in delays), "latest": max(delays)}


class Cluster:
    """Three nodes, over the Redis at `url`, or in a mesh without one."""
    numbers = itertools.count(1)

    def __init__(self, network, url=None, options=()):
        places = [network.place() for _ in range(3)]
        if url:
            each = [["--cluster", url] for _ in places]
        else:
            with open(folder + "/secret", "w") as secret:
                secret.write("the secret of these nodes\n")
            os.chmod(folder + "/secret", 0o600)
            ports = [free_port() for _ in places]
            addresses = ",".join(f"{place.address}:{port}" for place, port in zip(places, ports))
            each = [["--discovery", "static:" + addresses, "--cluster-listen", f"{place.address}:{port}",
                     "--cluster-secret-file", folder + "/secret"] for place, port in zip(places, ports)]
        number = next(Cluster.numbers)
        self.nodes = [Node(f"{'abc'[i]}{number}", *each[i], "--qos-max-per-user", "1000000", *options, place=places[i])
                      for i in range(3)]
        wait_for("the cluster", lambda: all(len(node.admin("GET", "nodes")[1]["list"]) == 3 for node in self.nodes))

    def end(self):
        for node in self.nodes:
            node.signal(signal.SIGCONT)
            node.kill()

    def not_replicated(self):
        return sum(node.admin("GET", "status")[1]["counters"].get("sse_qos_not_replicated_total", 0) for node in self.nodes)


def measure(cluster, begin_fault, end_fault, seconds, senders=None, heals_from_begin=False):
    """Three quiet seconds, the fault for so many seconds, and the time until all is well again."""
    load = Load(cluster.nodes, senders)
    time.sleep(3)
    begin = time.monotonic()
    begin_fault()
    if heals_from_begin:
        healed = load.healed_after(begin)
        time.sleep(1)
    else:
        time.sleep(seconds)
        end_fault()
        healed = load.healed_after(time.monotonic())
    return {**load.end(), "heal": healed}


def nothing():
    pass


def primary_killed(network):
    group = torture_network.SentinelGroup(network)
    cluster = Cluster(network, group.url)
    row = measure(cluster, group.primary.kill, nothing, 0, heals_from_begin=True)
    return cluster, {**row, "said": cluster.not_replicated()}


def primary_killed_replicated(network):
    group = torture_network.SentinelGroup(network)
    cluster = Cluster(network, group.url, ["--qos-replicas", "1"])
    return cluster, measure(cluster, group.primary.kill, group.primary.start, 8)


def replica_lags(network):
    group = torture_network.SentinelGroup(network)
    cluster = Cluster(network, group.url, ["--qos-replicas", "1"])
    replica = group.replica.process
    return cluster, measure(cluster, lambda: replica.send_signal(signal.SIGSTOP),
                            lambda: replica.send_signal(signal.SIGCONT), 8)


def replica_lags_then_primary_killed(network):
    group = torture_network.SentinelGroup(network)
    cluster = Cluster(network, group.url)

    def fault():
        group.replica.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        group.primary.kill()
        group.replica.process.send_signal(signal.SIGCONT)
    row = measure(cluster, fault, nothing, 0, heals_from_begin=True)
    return cluster, {**row, "said": cluster.not_replicated()}


def sentinel_split(network):
    group = torture_network.SentinelGroup(network)
    cluster = Cluster(network, group.url, ["--qos-replicas", "1"])
    old, new = [group.primary.place, group.places[0]], [group.replica.place, *group.places[1:]]
    return cluster, measure(cluster, lambda: network.cut(old, new), network.restore, 12)


def certificate(name, address, days_ago):
    """A certificate for the address that lasts two days, from so many days ago."""
    before = ["faketime", "-f", f"-{days_ago}d"] if days_ago else []
    subprocess.run([*before, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=redis", "-addext", f"subjectAltName=IP:{address}", "-keyout", f"{folder}/{name}.key",
                    "-out", f"{folder}/{name}.pem"], check=True, capture_output=True)
    return f"{folder}/{name}.pem", f"{folder}/{name}.key"


def tls_expired(network):
    place, port = network.place(), free_port()
    good, expired = certificate("good", place.address, 0), certificate("expired", place.address, 10)
    with open(folder + "/both.pem", "w") as both:
        for pem, _ in (good, expired):
            with open(pem) as one:
                both.write(one.read())
    redis = Redis("--tls-port", str(port), "--tls-cert-file", good[0], "--tls-key-file", good[1], "--tls-ca-cert-file", good[0],
                  "--tls-auth-clients", "no", place=place)
    cluster = Cluster(network, f"rediss://{place.address}:{port}/0", ["--cluster-ca", folder + "/both.pem"])

    def use(pair):
        said = redis.cli("config", "set", "tls-cert-file", pair[0], "tls-key-file", pair[1])
        require(said == "OK", f"Redis does not take the certificate: {said}")
        redis.cli("client", "kill", "type", "pubsub")
        redis.cli("client", "kill", "type", "normal")
    return cluster, measure(cluster, lambda: use(expired), lambda: use(good), 8)


def acl_taken_away(network):
    redis = Redis(place=network.place())
    allow = ["acl", "setuser", "sse", "on", ">secret", "~*", "&*", "+@all"]
    redis.cli(*allow)
    cluster = Cluster(network, f"redis://sse:secret@{redis.place.address}:{redis.port}/0")

    def take():
        redis.cli("acl", "setuser", "sse", "-@all")
        time.sleep(4)
        redis.cli("acl", "deluser", "sse")
    return cluster, measure(cluster, take, lambda: redis.cli(*allow), 4)


def over(network, kind):
    """Three nodes over Redis or in a mesh, and the places that a node reaches the others by."""
    if kind == "mesh":
        cluster = Cluster(network)
        return cluster, [node.place for node in cluster.nodes[:2]]
    redis = Redis(place=network.place())
    return Cluster(network, redis.url), [redis.place]


def node_frozen(network, kind):
    cluster, _ = over(network, kind)
    held = cluster.nodes[2]
    return cluster, measure(cluster, lambda: held.signal(signal.SIGSTOP), lambda: held.signal(signal.SIGCONT), 10,
                            senders=cluster.nodes[:2])


def node_killed(network, kind):
    cluster, _ = over(network, kind)
    held = cluster.nodes[2]
    return cluster, measure(cluster, held.kill, held.start, 8)


def one_way(network, kind, outwards):
    cluster, others = over(network, kind)
    node = cluster.nodes[2].place

    def fault():
        for other in others:
            network.lose(*((node, other) if outwards else (other, node)))
    return cluster, measure(cluster, fault, network.restore, 12)


FAULTS = [
    ("Redis primary killed", primary_killed),
    ("Redis primary killed, --qos-replicas 1 (away 8 s)", primary_killed_replicated),
    ("replica frozen 8 s, --qos-replicas 1", replica_lags),
    ("replica lags by 1 s, then the primary killed", replica_lags_then_primary_killed),
    ("sentinel split 12 s, --qos-replicas 1", sentinel_split),
    ("TLS certificate of Redis expired for 8 s", tls_expired),
    ("ACL taken away 4 s, user deleted 4 s", acl_taken_away),
] + [(f"{name}, {kind}", lambda network, part=part, kind=kind, more=more: part(network, kind, *more))
     for kind in ("Redis", "mesh")
     for name, part, more in (("node frozen 10 s", node_frozen, ()), ("node killed, back after 8 s", node_killed, ()),
                              ("what a node sends is lost 12 s", one_way, (True,)),
                              ("what a node is sent is lost 12 s", one_way, (False,)))]
NEED_NETWORK = (sentinel_split,)


def matrix():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    network = torture_network.Network()
    print("| " + COLUMNS.format("fault", "accepted", "refused", "lost", "left", "doubled", "late", "latest", "heal"), flush=True)
    wrong = []
    for name, fault in FAULTS:
        if word not in name:
            continue
        if not network.isolated and ("lost" in name or "split" in name):
            print(f"| {name:<50}| SKIPPED: no right to network namespaces (unshare -n)", flush=True)
            continue
        try:
            cluster, row = fault(network)
        except Broken as e:
            wrong.append(f"{name}: {e}")
            print(f"| {name:<50}| FAILED: {e}", flush=True)
            network.restore()
            continue
        print("| " + COLUMNS.format(name, row["accepted"], row["refused"], row["lost"], row["left"], row["doubled"], row["late"],
                                    f"{row['latest']:.1f} s", f"{row['heal']:.1f} s"), flush=True)
        if row["lost"] > row.get("said", 0):
            wrong.append(f"{name}: {row['lost']} accepted messages are lost, and the servers say {row.get('said', 0)}")
        if row["left"]:
            wrong.append(f"{name}: {row['left']} messages have not reached streams that are open")
        for node in cluster.nodes:
            node.alive()
        cluster.end()
    require(not wrong, "; ".join(wrong))


if len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
    print(__doc__, file=sys.stderr)
    sys.exit(2)
torture_network.enter()
run_part(matrix)
