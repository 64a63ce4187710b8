"""Requests as pages of the Java library sse-server 1.2.x send them, with what that library answers.

usage: java_wire.py URL   URL: of a service, with --auth demo and --enable-get-json; prints what differs from the table

Each case says which way it went: "as Java", or why not. The answers of Java are those of the library itself (1.2.22 with
Spring Boot 2.7.0), recorded on the wire.
"""

import http.client
import json
import re
import sys
import urllib.parse

URL = urllib.parse.urlsplit(sys.argv[1])
JSON = {"Content-Type": "application/json;charset=UTF-8"}
AS_JAVA = "as Java"
OWN = "a connection belongs to one user"
SAYS_WHY = "a request that cannot be meant is refused with a sentence"


def ask(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
    connection.request(method, URL.path + path, body=body, headers=headers or {})
    answer = connection.getresponse()
    if answer.status == 308:
        target = urllib.parse.urljoin(URL.path + path, answer.getheader("Location"))
        assert target.startswith(URL.path), target
        answer.read()
        connection.close()
        return ask(method, target[len(URL.path):], body, headers)
    if "event-stream" not in (answer.getheader("Content-Type") or ""):
        text = answer.read().decode()
        connection.close()
        return answer.status, text
    # The first event of a stream.
    text = ""
    while not text.endswith("\n\n"):
        text += answer.read(1).decode()
    connection.close()
    return answer.status, text


class Stream:
    """An open stream."""

    def __init__(self, query):
        self.connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
        self.connection.request("GET", f"{URL.path}/connect?{query}")
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.status
        self.id = re.search('"connectionId":"([0-9]+)"', self.event()).group(1)

    def event(self):
        text = ""
        while not text.endswith("\n\n"):
            text += self.answer.read(1).decode()
        return text

    def close(self):
        self.connection.close()


def data(answer):
    """The status and what the envelope holds; of a refusal the status."""
    status, text = answer
    try:
        return status, json.loads(text)["data"] if status == 200 else None
    except (ValueError, KeyError):
        return status, text


def kind(answer):
    status, text = answer
    return status, "module" if "export default" in text else "script" if "Sse" in text else text


def first(answer):
    return answer[0], answer[1].split("\n")[2] if answer[0] == 200 else None


FINISH = "event:connect-finish"
bad = 0


def case(name, got, java, ours=None, why=AS_JAVA):
    """`java`: what the Java library answers. `ours`: what this server answers where it differs, and `why`."""
    global bad
    expected = java if why == AS_JAVA else ours
    assert (why == AS_JAVA) == (ours is None), name
    if got != expected:
        bad += 1
        print(f"{name}: expected {expected} ({why}), got {got}")


# Scripts and paths.
for query, java in {"": "module", "?script-type=module": "module", "?script-type=MODULE": "module", "?script-type=": "module",
                    "?script-type=text": "script", "?access-token=123": "module"}.items():
    case(f"the script {query}", kind(ask("GET", query)), (200, java))
case("the script, with a slash", kind(ask("GET", "/")), (200, "module"))
case("sse.js, with a slash", kind(ask("GET", "/sse.js/")), (200, "module"))
case("connect, with a slash", first(ask("GET", "/connect/?userId=slash")), (200, FINISH))
case("the script, posted", ask("POST", "")[0], 200, 405, "only reading returns a script")

# Connecting.
for value, java in {"abc": 400, "": 200, "-1": 200, "0": 200}.items():
    case(f"keepaliveTime={value}", first(ask("GET", f"/connect?keepaliveTime={value}")), (java, FINISH if java == 200 else None))
case("sessionDuration=abc", ask("GET", "/connect?sessionDuration=abc")[0], 400, 200, "what only informs stops no stream")
case("connect with null", first(ask("POST", "/connect?x=1", "null", JSON)), (200, FINISH))
case("connect with a list", ask("POST", "/connect?x=1", "[1]", JSON)[0], 400)
case("connect with a form", ask("POST", "/connect?x=1", "a=1", {"Content-Type": "application/x-www-form-urlencoded"})[0], 415, 200,
     "a body that is not used does no harm")

# Listeners.
stream = Stream("clientId=C&listeners=a,b")


def listen(fields, path="addListener", query="", headers=JSON):
    return data(ask("POST", f"/connect/{path}.do{query}", json.dumps(fields), headers))


case("a listener", listen({"connectionId": stream.id, "listener": ["c"]}), (200, {"listener": ["a", "b", "c"]}))
case("an id that is a number", listen({"connectionId": int(stream.id), "listener": ["a"]}), (200, {"listener": ["a", "b", "c"]}))
for path in ("addListener", "removeListener"):
    case(f"{path} without names", listen({"connectionId": stream.id, "listener": []}, path)[1], {"listener": None},
         {"listener": ["a", "b", "c"]}, "our client module asks so what the stream listens to")
    case(f"{path} with null", listen({"connectionId": stream.id, "listener": None}, path), (200, {"listener": None}))
    case(f"{path} without the list", listen({"connectionId": stream.id}, path), (200, {"listener": None}))
case("a list that is text", listen({"connectionId": stream.id, "listener": "g"})[0], 400)
case("a name that is a number", listen({"connectionId": stream.id, "listener": [1]})[0], 200, 400, SAYS_WHY)
case("an unknown connection", listen({"connectionId": "42", "listener": ["x"]}), (200, {"error": "connectionId not exist"}))
case("no connection", listen({"listener": ["x"]}), (200, {"listener": None}), (200, {"error": "connectionId not exist"}), SAYS_WHY)
case("that of another user", listen({"connectionId": stream.id, "listener": ["h"]}, query="?userId=2")[1],
     {"listener": ["a", "b", "c", "h"]}, {"error": "connectionId not exist"}, OWN)

# Messages.


def say(body, query=None, headers=JSON, path="m"):
    target = f"/connect/message/{path}.do" + (f"?connectionId={stream.id}&z=1" if query is None else query)
    status, got = data(ask("POST", target, body, headers))
    return status, got["received"] if status == 200 else None


case("a message", say('{"a":1,"z":2}'), (200, {"a": 1, "z": 2}))
case("an empty message", say(""), (200, {"z": "1"}))
case("a message that is null", say("null"), (200, {"z": "1"}))
case("a message that is a list", say("[1]")[0], 400)
case("a message without a connection", say('{"a":1}', "")[0], 200, 404, OWN)
case("a message of another user", say('{"a":1}', f"?connectionId={stream.id}&userId=2")[0], 200, 404, OWN)
case("a path with a slash", say("{}", path="a/b")[0], 404, 200, "paths of several parts are useful")

# The module in its usual setting: the user is in the query of connect only.
other = Stream("userId=7&clientId=3f2b8a52-6c1e-4d8b-9a65-0d5b6f6a1c77")
origin = {"Origin": f"http://{URL.netloc}", **JSON}
case("a message that names no user", say('{"a":1}', f"?connectionId={other.id}", origin), (200, {"a": 1}))
case("the same from another site", say('{"a":1}', f"?connectionId={other.id}", {"Origin": "http://evil.example", **JSON})[0], 200, 404, OWN)
beacon = "/connect/disconnect.do?reason=unload&connectionId="
case("a goodbye with a wrong clientId", data(ask("POST", f"{beacon}{other.id}&clientId=00000000-0000-0000-0000-000000000000"))[1],
     {"count": 1}, {"count": 0}, OWN)
case("a goodbye that names no user", data(ask("POST", f"{beacon}{other.id}&clientId=3f2b8a52-6c1e-4d8b-9a65-0d5b6f6a1c77"))[1],
     {"count": 1}, {"count": 0}, "the answer tells a stranger nothing; nobody reads that to a beacon")
case("its last event", other.event(), f'event:connect-close\nid:1\ndata:{{"connectionId": "{other.id}"}}\n\n',
     f'event:connect-close\ndata:{{"connectionId": "{other.id}"}}\n\n', "a client that comes back resumes from its last event, not from 1")
case("a goodbye with a bad id", data(ask("POST", beacon + "abc"))[1], None, {"count": 0}, "a beacon has no reader for a refusal")
other.close()

# The query pages.
whole = Stream("userId=u1&tenantId=7&name=Name1&clientInstanceTime=5&accessTime=1700000000000&sessionDuration=9&userAgent=x")
row = data(ask("GET", f"/connect/connections.json?userId=u1&tenantId=7&id={whole.id}"))[1]["list"][0]
time = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\d\+00:00")
for name in ("createTime", "expireTime"):
    case(name, bool(time.fullmatch(row[name] or "")), True)
case("accessTime", row["accessTime"], "2023-11-14T22:13:20.000+00:00")
for name in ("lastRequestTime", "channel", "locationHref", "clientId", "clientVersion", "clientInstanceId", "userAgent", "screen",
             "totalJSHeapSize"):
    case(f"no {name}", row[name], None)
case("clientInstanceTime", row["clientInstanceTime"], 5)
case("the id of a connection", row["id"] == whole.id, False, True, "JavaScript cannot hold the number")
case("a page out of range", data(ask("GET", "/connect/users.json?pageNum=-1&pageSize=2"))[1]["pageNum"], -1, 1, "pages begin at 1")
whole.close()
stream.close()
sys.exit(1 if bad else 0)
