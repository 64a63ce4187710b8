"""The application behind sse-serve in the hook tests: takes its calls, writes each into a file as a line of JSON, and
behaves as the file `mode` beside it says, so that a test can change its mind. HOOK_CERT and HOOK_KEY: it speaks TLS.

usage: hook_server.py FOLDER [SECRET]   writes FOLDER/port, FOLDER/calls, reads FOLDER/mode
"""
import email.parser
import email.policy
import hashlib
import hmac
import json
import os
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder = sys.argv[1]
secret = sys.argv[2].encode() if len(sys.argv) > 2 else b""


def mode():
    try:
        with open(folder + "/mode") as f:
            return f.read().strip()
    except FileNotFoundError:
        return "good"


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        files = {}
        events = 0
        boundary = ""
        if kind.startswith("multipart/"):
            message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
                b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
            boundary = message.get_boundary()
            for part in message.iter_parts():
                name = part.get_param("name", header="content-disposition")
                if name == "event":
                    events += 1
                    body = part.get_content().encode() if isinstance(part.get_content(), str) else part.get_content()
                else:
                    data = part.get_payload(decode=True)
                    files[name] = {"filename": part.get_filename(), "sha": hashlib.sha256(data).hexdigest()}
        event = json.loads(body)
        for file in event.get("files", []):
            if "path" in file:
                with open(file["path"], "rb") as f:
                    file["sha"] = hashlib.sha256(f.read()).hexdigest()
                file["mode"] = oct(os.stat(file["path"]).st_mode & 0o777)
        # The signature is that of the JSON, which names what each file must be.
        genuine = all(files.get(file["field"], {}).get("sha") == file.get("sha256")
                      for file in event.get("files", [])) if files else True
        stamp = self.headers.get("X-Sse-Timestamp", "")
        expected = "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        now = mode()
        with open(folder + "/calls", "a") as f:
            f.write(json.dumps({"mode": now, "event": event, "forwarded": files, "events": events,
                                "boundary": boundary, "genuine": genuine,
                                "header": self.headers.get("X-Sse-Event"),
                                "delivery": self.headers.get("X-Sse-Delivery"),
                                "traceparent": self.headers.get("traceparent"),
                                "tracestate": self.headers.get("tracestate"),
                                "signed": hmac.compare_digest(expected, self.headers.get("X-Sse-Signature", ""))}) + "\n")
        if now == "hang":
            time.sleep(600)
        while now == "ponder" and mode() == "ponder":
            time.sleep(0.02)
        if now == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(600):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        if now == "garbage":
            return self.answer(200, b"<html>\xff\x00 not what you think", "text/html")
        if now == "array":
            return self.answer(200, [1, 2, 3])
        if now == "huge":
            return self.answer(200, b'"' + b"x" * 3_000_000 + b'"')
        if now == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":")
            self.close_connection = True
            return None
        if now == "error":
            return self.answer(500, {"message": "out of order"})
        if now == "refuse":
            return self.answer(422, {"message": "not like this", "field": "a"})
        kind = event["type"]
        if kind == "connect":
            user = event["connection"]["accessUserId"]
            if user == "banned":
                return self.answer(403, {"message": "banned for a week"})
            if user == "later":
                return self.answer(200, {"accept": False, "status": 429, "message": "later"})
            by_channel = {"member": {"channels": ["team.*", "other"]}, "stranger": {}, "barred": {"refused": ["*"]},
                          "placed": {"channel": "other"}, "joined": {"join": ["given", "team.9"]}, "confused": {"channels": "team.7"}}
            if user in by_channel:
                return self.answer(200, by_channel[user])
            if user == "odd":
                return self.answer(200, {"accept": "perhaps"})
            return self.answer(200, {"profile": {"id": user, "name": "Ann"}, "channel": "from-hook",
                                     "attributes": {"plan": "gold", "level": 7}})
        if kind == "subscribe" and event["connection"]["accessUserId"] == "member":
            return self.answer(200, {"channels": ["team.*"]})
        if kind == "publish":
            if event["connection"]["accessUserId"] != "member":
                return self.answer(403, {"message": "members only"})
            return self.answer(200, {})
        if kind in ("message", "upload") and now == "push":
            return self.answer(200, {"push": [{"event": "note", "data": "pushed"}, {"data": {"n": 2}}], "mine": 1})
        if kind == "message" and now == "change":
            return self.answer(200, {"change": {"attributes": {"plan": "platinum", "level": None}, "join": ["given"]},
                                     "push": [{"event": "note", "data": "changed"}], "mine": 2})
        if kind == "message" and now == "change-nonsense":
            return self.answer(200, {"change": {"attributes": {"clientId": "mine"}}})
        if kind == "message" and now == "push-nonsense":
            return self.answer(200, {"push": [{"event": "a\nb"}]})
        if kind == "message":
            return self.answer(200, {"echo": event["message"], "path": event["path"]})
        if kind == "upload":
            return self.answer(201, {"taken": len(event["files"]), "fields": event["fields"]})
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", int(os.environ.get("HOOK_PORT", "0"))), Hook)
if "HOOK_CERT" in os.environ:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["HOOK_CERT"], os.environ["HOOK_KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(folder + "/port.new", "w") as f:
    f.write(str(server.server_port))
os.rename(folder + "/port.new", folder + "/port")
server.serve_forever()
