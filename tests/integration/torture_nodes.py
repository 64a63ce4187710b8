"""A Redis, nodes of a cluster, streams and senders, and what must hold of what was sent; for torture_cluster.py and
torture_matrix.py."""
import http.client, json, os, random, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

import free_ports

SERVE, CTL = os.environ["SSE_SERVE"], os.environ["SSECTL"]
folder = tempfile.mkdtemp(prefix="sse-torture-", dir="/tmp")
started = []
begin = time.monotonic()


class Broken(Exception):
    pass


def require(holds, sentence):
    if not holds:
        raise Broken(sentence)


def say(sentence):
    print(f"{time.monotonic() - begin:6.1f}s  {sentence}", flush=True)


def wait_for(what, holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        require(time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


def free_port():
    return free_ports.reserve(1)[0]


class Place:
    """Where a program runs: on this machine, or in a network of torture_network.py."""
    address = "127.0.0.1"

    def command(self, words):
        return words


HERE = Place()


class Redis:
    def __init__(self, *options, place=HERE):
        if not shutil.which("redis-server"):
            print("redis-server is not installed (scripts/setup --tests)")
            sys.exit(77)
        self.options, self.place, self.port = options, place, free_port()
        self.url = f"redis://{place.address}:{self.port}/0"
        self.start()

    def start(self):
        data = tempfile.mkdtemp(prefix="redis-", dir=folder)
        self.process = subprocess.Popen(self.place.command(
            ["redis-server", "--port", str(self.port), "--bind", self.place.address, "--protected-mode", "no", "--dir", data,
             "--save", "", "--logfile", folder + "/redis.log", *self.options]))
        started.append(self.process)
        wait_for("Redis", lambda: self.cli("ping") == "PONG")

    def cli(self, *words):
        return subprocess.run(["redis-cli", "-h", self.place.address, "-p", str(self.port), *words], capture_output=True,
                              text=True, timeout=30).stdout.strip()

    def info(self, name):
        found = re.search(rf"^{name}:(\S+)", self.cli("info"), re.M)
        return int(found[1]) if found else 0

    def kill(self):
        self.process.kill()
        self.process.wait()


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Node:
    default_program = SERVE

    def __init__(self, name, *options, place=HERE):
        self.name, self.options, self.place, self.program = name, options, place, Node.default_program
        self.admin_path = f"{folder}/{name}.sock"
        self.log = f"{folder}/{name}.log"
        self.start()

    def start(self):
        if os.path.exists(self.admin_path):
            os.unlink(self.admin_path)
        self.begin = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.place.command(
                [self.program, "--listen", self.place.address + ":0", "--admin", "unix:" + self.admin_path, "--server-id",
                 self.name, "--db", f"{folder}/{self.name}.db", "--insecure", *self.options]), stdout=log, stderr=log)
        started.append(self.process)
        wait_for(f"node {self.name}", self.is_up)

    def is_up(self):
        require(self.process.poll() is None, f"node {self.name} ended: {self.said()[-500:]}")
        found = re.search(r"http://([0-9.]+):(\d+)", self.said()[self.begin:])
        if not found or not os.path.exists(self.admin_path):
            return False
        self.host, self.port = found[1], int(found[2])
        return True

    def said(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def admin(self, method, path, body=None, timeout=30.0):
        connection = UnixConnection(self.admin_path, timeout)
        try:
            connection.request(method, "/api/v1/" + path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"} if body is not None else {})
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def send(self, user, data, timeout=30.0, **more):
        return self.admin("POST", "send", {"target": {"users": [user]}, "data": data, "qos": True, **more}, timeout)

    def pending(self):
        return self.admin("GET", "messages?pageSize=1")[1]["total"]

    def export(self):
        done = subprocess.run([CTL, "--server", "unix:" + self.admin_path, "messages", "export"], capture_output=True,
                              text=True, timeout=300)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def alive(self):
        require(self.process.poll() is None, f"node {self.name} died: {self.said()[-800:]}")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()


class Stream(threading.Thread):
    """A page's stream, open until the end; it comes again when it is closed. All it was ever given, by data: how often, and
    when first."""

    def __init__(self, user, *nodes):
        super().__init__(daemon=True)
        self.user, self.nodes, self.got, self.over, self.opened = user, nodes, {}, False, threading.Event()
        self.first = {}
        self.start()

    def run(self):
        while not self.over:
            node = random.choice(self.nodes)
            try:
                connection = http.client.HTTPConnection(node.host, node.port, timeout=20)
                connection.request("GET", f"/my-sse/connect?userId={self.user}&clientId={self.user}")
                response = connection.getresponse()
                event = None
                while not self.over:
                    line = response.readline()
                    if not line:
                        break
                    line = line.decode(errors="replace").rstrip("\r\n")
                    if line.startswith("event:"):
                        event = line[6:]
                        if event == "connect-finish":
                            self.opened.set()
                    elif line.startswith("data:") and event == "server-push":
                        self.first.setdefault(line[5:], time.monotonic())
                        self.got[line[5:]] = self.got.get(line[5:], 0) + 1
            except (OSError, http.client.HTTPException):
                time.sleep(0.2)


class Producers:
    """Threads that send until they are told to stop, with a pause in seconds after each send. What was accepted, when, and
    what was said to what was not."""

    def __init__(self, count, nodes, users, size=100, pause=0.0, **more):
        self.accepted, self.refused, self.slowest, self.over, self.pause = {}, {}, 0.0, False, pause
        self.when = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(n, nodes, users, size, more), daemon=True) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number, nodes, users, size, more):
        i = 0
        while not self.over:
            i += 1
            user, data = users[(i * 7 + number) % len(users)], f"{number}-{i}-" + "x" * size
            at = time.monotonic()
            try:
                status, answer = nodes[(i + number) % len(nodes)].send(user, data, **more)
            except (OSError, http.client.HTTPException, ValueError) as e:  # also half an answer of a node that ends
                status, answer = 0, {"detail": str(e)}
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - at)
                if status == 200:
                    self.accepted[data] = user
                    self.when[data] = at
                else:
                    why = str(answer.get("detail"))[:200]
                    self.refused[why] = self.refused.get(why, 0) + 1
            if status != 200 or self.pause:
                time.sleep(max(self.pause, 0.01))

    def stop(self):
        self.over = True
        for thread in self.threads:
            thread.join(60)
        return self


def dead_of(node):
    letters, page = [], 1
    while True:
        part = node.admin("GET", f"dead?pageSize=1000&pageNum={page}")[1]["list"]
        letters += [letter["data"] for letter in part]
        if len(part) < 1000:
            return letters
        page += 1


def none_lost(node, producers, streams):
    """Every accepted message was given, is pending, or is a dead letter; none was given to another user."""
    status, lines, said = node.export()
    require(status == 0, f"the export failed: {said}")
    kept = {line["data"] for line in lines} | set(dead_of(node))
    by_user = {stream.user: stream for stream in streams}
    lost = [data for data, user in producers.accepted.items()
            if data not in kept and not (user in by_user and data in by_user[user].got)]
    require(not lost, f"{len(lost)} of {len(producers.accepted)} accepted messages are lost, one of them {lost[:1]!r:.80}")
    for stream in streams:
        for data in stream.got:
            require(producers.accepted.get(data, stream.user) == stream.user, f"{stream.user} got another user's {data:.60}")
    return len(lines)


def run_part(part):
    """Runs it, ends all that it has started and the process: with 0, with 1 and a sentence on stderr, or as the part does."""
    status = 0
    try:
        part()
    except (Broken, subprocess.TimeoutExpired) as e:
        print(f"FAILED: {e}", file=sys.stderr)
        status = 1
    finally:
        for process in started:
            try:
                process.send_signal(signal.SIGCONT)
                process.kill()
            except OSError:
                pass
        for process in started:
            process.wait()
        if status == 0 or not os.environ.get("SSE_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept {folder}", file=sys.stderr)
    sys.stdout.flush()
    os._exit(status)  # streams may be in the middle of a read
