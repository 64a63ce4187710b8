"""A network of namespaces in which what one program sends to another can be lost, and a Redis with a replica and sentinels in
it; for torture_matrix.py."""
import os, shutil, subprocess, sys, time

from torture_nodes import HERE, Place, Redis, folder, free_port, require, started, wait_for


def enter():
    """Starts this program again in a network namespace of its own, if the machine allows one; it becomes the router."""
    if "SSE_TORTURE_ROUTER" in os.environ:
        return
    for options in (["-n"], ["-rn"]):
        if shutil.which("unshare") and subprocess.run(["unshare", *options, "true"], capture_output=True).returncode == 0:
            shutil.rmtree(folder)
            os.environ["SSE_TORTURE_ROUTER"] = "1"
            os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
    os.environ["SSE_TORTURE_ROUTER"] = ""


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    require(done.returncode == 0, f"'{' '.join(words)}' failed: {done.stderr.strip()}")


class Namespace(Place):
    def __init__(self, number):
        self.address = f"10.9.{number}.2"
        router, name = f"10.9.{number}.1", f"sse{number}"
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"],
                                       stdout=subprocess.PIPE, text=True)
        started.append(self.holder)
        require(self.holder.stdout.readline() == "ready\n", "a network namespace cannot be used")
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "inner", "netns", str(self.holder.pid))
        run("ip", "addr", "add", router + "/24", "dev", name)
        run("ip", "link", "set", name, "up")
        run(*self.command(["ip", "addr", "add", self.address + "/24", "dev", "inner"]))
        run(*self.command(["ip", "link", "set", "inner", "up"]))
        run(*self.command(["ip", "route", "add", "default", "via", router]))

    def command(self, words):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "--", *words]


class Network:
    """Places with addresses of their own behind a router. Without namespaces all are HERE, and nothing can be cut."""

    def __init__(self):
        self.isolated = os.environ.get("SSE_TORTURE_ROUTER") == "1"
        self.count, self.rules = 0, []
        if self.isolated:
            run("ip", "link", "set", "lo", "up")
            with open("/proc/sys/net/ipv4/ip_forward", "w") as forward:
                forward.write("1")

    def place(self):
        self.count += 1
        return Namespace(self.count) if self.isolated else HERE

    def lose(self, sender, receiver):
        """What one sends to the other is lost from now on, without a word to either."""
        require(self.isolated, "there is no network to cut")
        rule = ["from", sender.address, "to", receiver.address, "pref", "5", "blackhole"]
        run("ip", "rule", "add", *rule)
        self.rules.append(rule)

    def cut(self, one_side, other_side):
        for one in one_side:
            for other in other_side:
                self.lose(one, other)
                self.lose(other, one)

    def restore(self):
        for rule in self.rules:
            run("ip", "rule", "del", *rule)
        self.rules = []


class SentinelGroup:
    """A primary, its replica and three sentinels, each at a place of its own."""

    def __init__(self, network):
        self.primary = Redis(place=network.place())
        self.replica = Redis("--replicaof", self.primary.place.address, str(self.primary.port), place=network.place())
        wait_for("the replica", lambda: "connected" in self.replica.cli("role"))
        self.places, self.ports = [network.place() for _ in range(3)], [free_port() for _ in range(3)]
        for number, (place, port) in enumerate(zip(self.places, self.ports)):
            file = f"{folder}/sentinel{number}-{time.monotonic_ns()}.conf"
            with open(file, "w") as out:
                out.write(f"port {port}\nbind {place.address}\nprotected-mode no\ndir {folder}\nlogfile {folder}/sentinel.log\n"
                          f"sentinel monitor main {self.primary.place.address} {self.primary.port} 2\n"
                          "sentinel down-after-milliseconds main 2000\nsentinel failover-timeout main 5000\n")
            started.append(subprocess.Popen(place.command(["redis-server", file, "--sentinel"])))
        for number in range(3):
            wait_for("the sentinels", lambda: "slaves=1,sentinels=3" in self.ask(number, "info", "sentinel"))
        self.url = ("redis-sentinel://" + ",".join(f"{place.address}:{port}" for place, port in zip(self.places, self.ports))
                    + "/main/0")

    def ask(self, number, *words):
        return subprocess.run(["redis-cli", "-h", self.places[number].address, "-p", str(self.ports[number]), *words],
                              capture_output=True, text=True, timeout=30).stdout
