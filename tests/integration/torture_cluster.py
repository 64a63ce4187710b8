#!/usr/bin/env python3
"""torture_cluster.py eviction|oom|rights|pools|frozen|frozen-mesh|upgrade|upgrade-mesh: a cluster of real sse-serve whose
Redis throws keys away, is full or refuses, whose nodes are busy, frozen or of two versions, under load, and what must hold all
the same. Prints figures; exits with 1 and one sentence where something does not hold, with 77 where a program is missing
(for upgrades the old one is SSE_OLD_SERVE). For scripts/torture."""
import os, re, signal, subprocess, sys, time

from torture_nodes import (CTL, SERVE, Node, Producers, Redis, Stream, dead_of, folder, free_port, none_lost, require, run_part,
                           say, started, wait_for)


def answers_at_once(redis):
    at = time.monotonic()
    require(redis.cli("ping") == "PONG", "Redis does not answer")
    require(time.monotonic() - at < 2, "Redis was held up for more than 2 s")


def eviction():
    redis = Redis("--maxmemory", "14mb", "--maxmemory-policy", "allkeys-lru")
    refused = subprocess.run([SERVE, "--listen", "127.0.0.1:0", "--admin", f"unix:{folder}/x.sock", "--cluster", redis.url],
                             capture_output=True, text=True, timeout=30)
    require(refused.returncode != 0 and "--allow-redis-eviction" in refused.stderr, "a Redis that evicts was not refused")
    nodes = [Node(n, "--cluster", redis.url, "--allow-redis-eviction", "--qos-max-per-user", "1000000") for n in ("a", "b")]
    require("evicts pending messages" in nodes[0].said(), "a Redis that evicts was not told of")
    users = [f"u{i}" for i in range(200)]
    producers = Producers(8, nodes, users, 700, ttl="20s")
    end = time.monotonic() + 45
    while time.monotonic() < end:
        answers_at_once(redis)
        for node in nodes:
            node.alive()
        time.sleep(0.5)
    producers.stop()
    evicted = redis.info("evicted_keys")
    require(evicted > 100, f"only {evicted} keys were evicted: this tests nothing")
    say(f"{len(producers.accepted)} accepted, {sum(producers.refused.values())} refused, {evicted} keys evicted")
    require(not [why for why in producers.refused if "timed out" in why], f"sends timed out: {producers.refused}")
    wait_for("word of what was thrown away", lambda: "has evicted" in nodes[0].said() + nodes[1].said(), 30)
    # Room again: counts and lists agree, what has expired is gone, new messages come and go.
    redis.cli("config", "set", "maxmemory", "0")

    def agree():
        status, lines, _ = nodes[0].export()
        counted = nodes[1].pending()
        return status == 0 and counted == len(lines)
    wait_for("counts and lists that agree", agree, 90)
    wait_for("what has expired to be gone", lambda: nodes[0].pending() == 0, 90)
    stream = Stream("u1", nodes[1])
    require(stream.opened.wait(20), "no stream opened after the eviction")
    require(nodes[0].send("u1", "after it")[0] == 200, "nothing can be sent after the eviction")
    wait_for("the message behind it", lambda: "after it" in stream.got)
    wait_for("its confirmation", lambda: nodes[0].pending() == 0)
    for line in sorted(set(re.findall(r'(?:error|warn)[^\n]*', nodes[0].said())))[:8]:
        say(line[:160])
    print(f"{len(producers.accepted)} messages accepted, {evicted} keys evicted, counts and lists agree")


def oom():
    redis = Redis("--maxmemory", "12mb", "--maxmemory-policy", "noeviction")
    nodes = [Node(n, "--cluster", redis.url, "--qos-max-per-user", "1000000") for n in ("a", "b")]
    users = [f"u{i}" for i in range(40)]
    streams = [Stream(user, *nodes) for user in users[:20]]
    producers = Producers(6, nodes, users, 600)
    wait_for("refusals", lambda: sum(producers.refused.values()) > 200, 120)
    require(all("maxmemory" in why for why in producers.refused), f"refused for something else: {producers.refused}")
    say(f"full after {len(producers.accepted)} messages")
    # Nodes begin and end while it is full.
    nodes[1].kill()
    nodes[1].start()
    require(nodes[1].pending() >= 0, "")
    wait_for("the other node", lambda: len(nodes[0].admin("GET", "nodes")[1]["list"]) == 2, 30)
    time.sleep(2)
    producers.stop()
    kept = none_lost(nodes[0], producers, streams)
    say(f"{len(producers.accepted)} accepted, {sum(producers.refused.values())} refused, {kept} pending")
    # The others come, and take what is theirs; then there is room.
    streams += [Stream(user, *nodes) for user in users[20:]]
    wait_for("all to be confirmed", lambda: nodes[0].pending() == 0, 120)
    none_lost(nodes[1], producers, streams)
    wait_for("room", lambda: nodes[0].send("u1", "room again")[0] == 200, 30)
    # Full of what expires, without room for its dead letters.
    producers = Producers(6, nodes, ["gone"], 600, ttl="3s")
    wait_for("refusals", lambda: sum(producers.refused.values()) > 200, 120)
    producers.stop()
    wait_for("what has expired to be gone", lambda: nodes[0].pending() == 0, 60)
    wait_for("room", lambda: nodes[0].send("u1", "room at last")[0] == 200, 30)
    wait_for("the last message", lambda: "room at last" in streams[1].got, 30)
    print(f"{len(producers.accepted)} messages accepted by a full Redis, none lost")


def rights():
    redis = Redis()
    node = Node("a", "--cluster", redis.url)
    for i in range(30):
        require(node.send(f"u{i}", f"kept {i}", ttl="1h")[0] == 200, "a send failed")
    require(node.send("dies", "dead", ttl="1ms")[0] == 200, "a send failed")
    wait_for("the dead letter", lambda: len(dead_of(node)) == 1)
    ctl = [CTL, "--server", "unix:" + node.admin_path]
    reads = {
        "messages list": lambda out: len(out.splitlines()) == 30,
        "messages export": lambda out: len(out.splitlines()) == 30,
        "messages dead list": lambda out: len(out.splitlines()) == 1,
        "nodes list": lambda out: len(out.splitlines()) == 1,
        "messages list --recipient u3": lambda out: len(out.splitlines()) == 1,
    }
    commands = ["eval", "evalsha", "zrangebylex", "zrangebyscore", "zrange", "zcard", "zadd", "zrem", "zscore", "hmget",
                "hget", "hgetall", "hset", "hdel", "hincrby", "get", "set", "del", "exists", "smembers", "scard", "sadd",
                "srem", "incr", "incrby", "decrby", "time", "publish", "subscribe", "unsubscribe", "info", "scan",
                "persist", "mget", "expire", "pexpire", "keys", "ping"]
    said, wrong = 0, []
    for missing in commands:
        redis.cli("acl", "setuser", "default", "-" + missing)
        try:
            for command, right in reads.items():
                words = command.split() if command == "messages export" else [*command.split(), "-o", "ndjson"]
                done = subprocess.run([*ctl, *words], capture_output=True, text=True, timeout=60)
                if done.returncode != 0:
                    said += 1
                    if not done.stderr.strip():
                        wrong.append(f"without '{missing}' {command} failed without a word")
                elif not right(done.stdout):
                    wrong.append(f"without '{missing}' {command} printed {len(done.stdout.splitlines())} lines with exit 0")
            status, answer = node.send("new", f"without {missing}", timeout=30)
            if status == 200:
                # Then it is there.
                redis.cli("acl", "setuser", "default", "+@all")
                if not any(m["recipient"] == "new" for m in node.admin("GET", "messages?recipient=new")[1]["list"]):
                    wrong.append(f"without '{missing}' a send was accepted and is not there")
            redis.cli("acl", "setuser", "default", "+@all")
            purged = subprocess.run([*ctl, "messages", "purge", "--recipient", "new", "--yes"], capture_output=True, text=True)
            if purged.returncode != 0:
                wrong.append(f"after '{missing}' came back a purge failed: {purged.stderr}")
        finally:
            redis.cli("acl", "setuser", "default", "+@all")
        node.alive()
    require(not wrong, f"{len(wrong)} wrong answers: " + "; ".join(wrong[:6]))
    wait_for("the cluster", lambda: node.admin("GET", "status")[1]["cluster"]["degraded"] is None, 60)
    require(node.pending() == 30, f"{node.pending()} of 30 messages are left")
    stream = Stream("u3", node)
    wait_for("what was kept", lambda: "kept 3" in stream.got, 30)
    wait_for("its confirmation", lambda: node.pending() == 29, 30)
    print(f"{len(commands)} rounds without a right, {said} commands said so, none took it for nothing")


def pools_over(nodes, kind):
    users = [f"u{i}" for i in range(300)]
    streams = [Stream(user, *nodes) for user in users[:50]]
    for stream in streams:
        require(stream.opened.wait(30), "a stream did not open")
    waiting = [subprocess.Popen([CTL, "--server", "unix:" + nodes[i % len(nodes)].admin_path, "--timeout", "150s", "send",
                                 "--user", users[i], "--qos", "--wait", "120s", f"m{i}"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for i in range(50, 300)]
    started.extend(waiting)
    wait_for("all that wait", lambda: nodes[0].pending() >= len(waiting), 120)
    producers = Producers(8, nodes, users[:50])
    slowest = 0.0
    end = time.monotonic() + 15
    while time.monotonic() < end:
        for node in nodes:
            for path in ("connections?pageSize=10", "messages?pageSize=10", "nodes", "users?pageSize=10"):
                at = time.monotonic()
                status, answer = node.admin("GET", path)
                slowest = max(slowest, time.monotonic() - at)
                require(status == 200, f"{path} answered {status}")
                require(not answer.get("missing"), f"{path} misses {answer.get('missing')}")
    producers.stop()
    say(f"{kind}: {len(waiting)} wait, {len(producers.accepted)} sends, slowest send {producers.slowest:.2f} s, list {slowest:.2f} s")
    require(producers.slowest < 3 and slowest < 3, f"{kind}: a send took {producers.slowest:.1f} s, a list {slowest:.1f} s")
    require(not producers.refused, f"{kind}: refused: {producers.refused}")
    more = [Stream(users[i], nodes[(i + 1) % len(nodes)]) for i in range(50, 300)]
    for n, process in enumerate(waiting):
        said = process.communicate(timeout=120)[1]
        require(process.returncode == 0, f"{kind}: one that waited for m{50 + n} got exit {process.returncode}: {said}")
    for n, stream in enumerate(more):
        require(f"m{50 + n}" in stream.got, f"{stream.user} did not get its message")
    wait_for("all confirmed", lambda: nodes[0].pending() == 0, 60)
    none_lost(nodes[0], producers, streams)
    for stream in streams + more:
        stream.over = True


def mesh(count):
    with open(folder + "/secret", "w") as secret:
        secret.write("the secret of these nodes\n")
    ports = [free_port() for _ in range(count)]
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    nodes = [Node(f"m{i}", "--discovery", "static:" + addresses, "--cluster-listen", f"127.0.0.1:{port}",
                  "--cluster-secret-file", folder + "/secret", "--qos-max-per-user", "1000000") for i, port in enumerate(ports)]
    wait_for("the mesh", lambda: all(len(node.admin("GET", "nodes")[1]["list"]) == count for node in nodes))
    return nodes


def over_redis(count):
    redis = Redis()
    nodes = [Node(f"r{i}", "--cluster", redis.url, "--qos-max-per-user", "1000000") for i in range(count)]
    wait_for("the cluster", lambda: all(len(node.admin("GET", "nodes")[1]["list"]) == count for node in nodes))
    return nodes


def pools():
    pools_over(over_redis(2), "Redis")
    pools_over(mesh(2), "mesh")
    print("500 messages accepted and waited for")


def frozen_over(nodes, kind):
    users = [f"u{i}" for i in range(60)]
    streams = [Stream(user, nodes[i % 3]) for i, user in enumerate(users)]
    for stream in streams:
        require(stream.opened.wait(30), "a stream did not open")
    held = nodes[2]
    require(nodes[0].send("away", "kept for one who is away")[0] == 200, "a send failed")
    producers = Producers(4, nodes[:2], users)
    time.sleep(3)
    calm = len(producers.accepted)
    held.signal(signal.SIGSTOP)
    at = time.monotonic()
    say(f"{kind}: node {held.name} is frozen after {calm} messages")
    status, answer = nodes[0].send("u2", "to one there", timeout=30)
    took = time.monotonic() - at
    require(status == 200, f"a send to a user of the frozen node was refused: {answer}")
    status, rows = nodes[0].admin("GET", "messages?recipient=u2&pageSize=5")
    say(f"{kind}: a send there took {took:.1f} s, missing {answer.get('missing')}; listed as "
        f"{sorted({row.get('state') for row in rows['list']})}, missing {rows.get('missing')}")
    require(held.name in (answer.get("missing") or []), f"the frozen node is not named in the answer to a send: {answer}")
    require(not {row.get("state") for row in rows["list"]} & {"offline"}, "a user of a frozen node is said to be offline")
    require(held.name in (rows.get("missing") or []), f"the frozen node is not named in the list: {rows.get('missing')}")
    time.sleep(max(0.0, 10 - (time.monotonic() - at)))
    # Past its time to live it delays no other node.
    slowest = 0.0
    for user in users[:20:3]:
        at = time.monotonic()
        require(nodes[1].send(user, f"late to {user}")[0] == 200, "a send failed")
        slowest = max(slowest, time.monotonic() - at)
        producers.accepted[f"late to {user}"] = user
    away = Stream("away", nodes[1])
    wait_for("a stream that opens meanwhile", lambda: "kept for one who is away" in away.got, 30)
    say(f"{kind}: slowest send past its time to live {slowest:.2f} s")
    require(slowest < 1.5, f"{kind}: a frozen node holds up sends to others for {slowest:.1f} s")
    held.signal(signal.SIGCONT)
    producers.accepted["to one there"] = "u2"
    time.sleep(2)
    producers.stop()
    say(f"{kind}: {len(producers.accepted)} accepted, {sum(producers.refused.values())} refused, slowest {producers.slowest:.1f} s")
    wait_for("the cluster", lambda: all(len(node.admin("GET", "nodes")[1]["list"]) == 3 for node in nodes), 60)
    wait_for("all to be confirmed", lambda: nodes[0].pending() == 0, 90)
    none_lost(nodes[0], producers, streams + [away])
    for stream in streams + [away]:
        stream.over = True
    return len(producers.accepted)


def frozen():
    print(f"{frozen_over(over_redis(3), 'Redis')} messages accepted beside a frozen node, all given")


def frozen_mesh():
    print(f"{frozen_over(mesh(3), 'mesh')} messages accepted beside a frozen node, all given")


def upgraded_over(make_nodes, kind):
    """Three nodes change to the new program one after the other, under load, and two of them back and again."""
    old = os.environ.get("SSE_OLD_SERVE", "")
    if not old:
        print("SSE_OLD_SERVE names no older program")
        sys.exit(77)
    Node.default_program = old
    nodes = make_nodes(3)
    users = [f"u{i}" for i in range(60)]
    streams = [Stream(user, *nodes) for user in users[:40]]  # the others are away until the end
    for stream in streams:
        require(stream.opened.wait(30), "a stream did not open")
    producers = Producers(4, nodes, users)
    for node, program in [(nodes[0], SERVE), (nodes[1], SERVE), (nodes[0], old), (nodes[2], SERVE), (nodes[0], SERVE)]:
        before = len(producers.accepted)
        wait_for("messages", lambda: len(producers.accepted) > before + 200)
        node.signal(signal.SIGTERM)
        require(node.process.wait(60) == 0, f"node {node.name} did not stop: {node.said()[-500:]}")
        node.program = program
        node.start()
        wait_for("the cluster", lambda: all(len(each.admin("GET", "nodes")[1]["list"]) == 3 for each in nodes))
        require(not any("speaks version" in each.said() for each in nodes), f"{kind}: a node refuses another")
    before = len(producers.accepted)
    wait_for("messages", lambda: len(producers.accepted) > before + 200)
    producers.stop()
    streams += [Stream(user, *nodes) for user in users[40:]]
    say(f"{kind}: {len(producers.accepted)} accepted, {sum(producers.refused.values())} refused, slowest {producers.slowest:.1f} s")
    wait_for("all to be confirmed", lambda: sum(node.pending() for node in nodes) == 0, 90)
    none_lost(nodes[0], producers, streams)
    again = sum(times > 1 for stream in streams for times in stream.got.values())
    for stream in streams:
        stream.over = True
    print(f"{len(producers.accepted)} messages accepted over five changes of version, 0 lost, {again} given again")


def upgrade():
    upgraded_over(over_redis, "Redis")


def upgrade_mesh():
    upgraded_over(mesh, "mesh")


def main():
    parts = {"upgrade": upgrade, "upgrade-mesh": upgrade_mesh,
             "eviction": eviction, "oom": oom, "rights": rights, "pools": pools, "frozen": frozen, "frozen-mesh": frozen_mesh}
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        print(__doc__, file=sys.stderr)
        return 2
    run_part(parts[sys.argv[1]])


sys.exit(main())
