#!/usr/bin/env python3
"""Sends some hundreds of hostile requests to a server's three listeners and watches a neighbour's stream meanwhile.

usage: hostile_requests.py SSE_SERVE FOLDER

Each request has the statuses it may be answered with, 0 for a connection that is closed without an answer. Behind each
request an event is sent to a well-behaved client, which must have it before the next request goes out. At the end the
same process must be running, hold no more memory than its budget, and no user may have been made up.
"""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

import free_ports

SECRET = b"a secret of more than thirty-two bytes for this test"
ADMIN = "an-admin-token-of-this-test"
NODE = "a-node-secret-of-this-test"
TIMEOUT = 30
PUBLIC, ADMIN_API, DOOR = "public", "admin", "nodes"
# What one connection may leave behind at once is far below this; a leak of one body of the suite is above.
MEMORY_BUDGET = 64 << 20


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims, head=None, key=SECRET, digest=hashlib.sha256):
    head = {"alg": "HS256", "typ": "JWT"} if head is None else head
    signed = b64(head if isinstance(head, bytes) else json.dumps(head).encode())
    signed += "." + b64(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    return signed + "." + b64(hmac.new(key, signed.encode(), digest).digest())


def in_an_hour():
    return int(time.time()) + 3600


def good(user="mallory"):
    return token({"sub": user, "exp": in_an_hour()})


def request(target, method="GET", body=b"", version="HTTP/1.1", host="Host: localhost\r\n", length=True, **headers):
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    if (body or method in ("POST", "PUT")) and length:
        lines += f"Content-Length: {len(body)}\r\n"
    head = f"{method} {target} {version}\r\n{host}{lines}\r\n"
    return head.encode("latin-1") + (body if isinstance(body, bytes) else body.encode())


cases = []


def case(name, where, data, *statuses):
    cases.append((name, where, data if isinstance(data, bytes) else data.encode("latin-1"), statuses))


def heads():
    ok = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    bad_lines = {
        "no version": ("GET /healthz\r\n\r\n", 400),
        "a version of its own": ("GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n", 400, 505),
        "HTTP/2 in clear": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
        "version in lower case": ("GET /healthz http/1.1\r\nHost: a\r\n\r\n", 400, 505),
        "two blanks": ("GET  /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "a tab for a blank": ("GET\t/healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "no target": ("GET HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "no method": (" /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "a method of separators": ("G(T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "a control character in the target": ("GET /heal\x01thz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "a byte of no ASCII in the target": ("GET /heal\xffthz HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404),
        "NUL in the target": ("GET /heal\x00thz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        "nothing but NULs": ("\x00" * 64 + "\r\n\r\n", 400),
        "TLS to a plain port": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 100 + "\r\n\r\n", 400),
        "a blank before the first field": ("GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        "a folded field": (ok + "X: a\r\n b\r\n\r\n", 400),
        "a field without a colon": (ok + "nothing\r\n\r\n", 400),
        "a field without a name": (ok + ": a\r\n\r\n", 400),
        "a blank before the colon": (ok + "X : a\r\n\r\n", 400),
        "a control character in a field": (ok + "X: a\x01b\r\n\r\n", 400),
        "NUL in a field": (ok + "X: a\x00b\r\n\r\n", 400),
        "a bare carriage return in a field": (ok + "X: a\rY: b\r\n\r\n", 400),
        "a field name of separators": (ok + "X{}: a\r\n\r\n", 400),
        "no Host": ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        "two Hosts": (ok + "Host: b\r\n\r\n", 400),
        "a Host with a path": ("GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        "a Host with a blank": ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        "a Host of 400 bytes": (f"GET /healthz HTTP/1.1\r\nHost: {'a' * 400}\r\n\r\n", 400),
        "a head of 100 kB": (ok + f"X: {'a' * 100_000}\r\n\r\n", 400, 431),
        "1,000 fields": (ok + "".join(f"X{i}: a\r\n" for i in range(1000)) + "\r\n", 400, 431),
        "a target of 50 kB": (f"GET /{'a' * 50_000} HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404, 414, 431),
        "an authority for a target": ("GET example.com:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404),
        "an asterisk": ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404),
        "CONNECT": ("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", 400, 404, 405, 501),
        "TRACE": ("TRACE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404, 405, 501),
        "an unknown method": ("FROBNICATE /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404, 405, 501),
        "a method of 5 kB": (f"{'A' * 5000} / HTTP/1.1\r\nHost: a\r\n\r\n", 400, 404, 405, 501),
    }
    for where in (PUBLIC, ADMIN_API, DOOR):
        for name, (data, *statuses) in bad_lines.items():
            # Listeners that have no such page say so; a head that is none stays 400 everywhere.
            more = [401, 404] if where != PUBLIC and statuses != [400] else []
            case(f"head: {name}", where, data, *statuses, *more)


def framing():
    post = "POST /my-sse/connect/message/m.do HTTP/1.1\r\nHost: localhost\r\n"
    smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    lengths = ["-1", "+5", "0x5", "5 5", "5,6", "", "5a", "1e1", "18446744073709551616", "99999999999999999999999", "\t", "٥"]
    for length in lengths:
        name = f"framing: Content-Length '{length.strip() or 'blank'}'"
        case(name, PUBLIC, (post + f"Content-Length: {length}\r\n\r\n").encode() + b"12345" + smuggled.encode(), 400, 413)
    bad = {
        "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        "length and chunked": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked and length": "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "xchunked": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "chunked twice": "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "chunked in two lines": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked, then identity": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "gzip": "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "gzip, then chunked": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "vertical tab before chunked": "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "quoted chunked": 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
        "an empty coding": "Transfer-Encoding: \r\n\r\n0\r\n\r\n",
        "a blank before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    }
    for name, rest in bad.items():
        case(f"framing: {name}", PUBLIC, post + rest + smuggled, 400, 501)
    case("framing: chunked in HTTP/1.0", PUBLIC,
         "POST /my-sse/connect/message/m.do HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled, 400, 401, 501)
    chunks = {
        "no size": "\r\n12345\r\n0\r\n\r\n", "a negative size": "-5\r\n12345\r\n0\r\n\r\n", "0x5": "0x5\r\n12345\r\n0\r\n\r\n",
        "a size of 17 digits": "FFFFFFFFFFFFFFFFF\r\n12345\r\n0\r\n\r\n", "a size near 2^64": "FFFFFFFFFFFFFFFE\r\n12345\r\n0\r\n\r\n",
        "a blank before the size": " 5\r\n12345\r\n0\r\n\r\n", "no line break behind the data": "5\r\n12345670\r\n\r\n",
        "a bare line feed behind the size": "5\n12345\r\n0\r\n\r\n", "an extension of 20 kB": f"5;{'a' * 20_000}\r\n12345\r\n0\r\n\r\n",
        "an extension with NUL": "5;\x00\r\n12345\r\n0\r\n\r\n", "a trailer of 100 kB": f"0\r\nX: {'a' * 100_000}\r\n\r\n",
    }
    for name, rest in chunks.items():
        data = post + f"Authorization: Bearer {good()}\r\nTransfer-Encoding: chunked\r\n\r\n" + rest
        case(f"chunks: {name}", PUBLIC, data, 400, 404, 413, 431)
        data = (f"POST /api/v1/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN}\r\n"
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + rest)
        case(f"chunks: {name}", ADMIN_API, data, 400, 413, 431)


def multipart(parts, boundary="b"):
    return "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"


def bodies():
    form = f"Content-Type: multipart/form-data; boundary=b\r\n"
    quadratic = multipart(["Content-Disposition: form-data; name=\"connectionId\"" + "; filename=\"" * 640 + "\r\n\r\nx"])
    big = "x" * 150_000
    for path, statuses in (("/nothing/here", (404, 415)), ("/my-sse/connect/message/m.do", (401, 415)), ("/my-sse/connect/upload/f.do", (401, 415)),
                           ("/my-sse/connect", (401, 405, 415)), ("/healthz", (404, 405, 415)), ("/my-sse/connect/ack.do", (401, 415)),
                           ("/my-sse/connect/disconnect.do", (400, 401, 404, 413, 415))):
        for what, body in (("quadratic", quadratic), ("a part of 150 kB", multipart([f"{big}\r\n\r\n"])),
                           ("no end", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + big)):
            data = request(path, "POST", body, Content_Type="multipart/form-data; boundary=b")
            case(f"multipart: {what} to {path}", PUBLIC, data, *statuses)
    for path in ("/api/v1/send", "/api/v1/nothing", "/healthz"):
        case(f"multipart: quadratic to {path}", ADMIN_API, request(path, "POST", quadratic, Content_Type="multipart/form-data; boundary=b"),
             401, 404, 405, 415)
        case(f"multipart: quadratic to {path}, with the token", ADMIN_API,
             request(path, "POST", quadratic, Content_Type="multipart/form-data; boundary=b", Authorization=f"Bearer {ADMIN}"),
             400, 404, 405, 415)
    case("multipart: quadratic to the nodes", DOOR,
         request("/cluster/v1/post", "POST", quadratic, Content_Type="multipart/form-data; boundary=b"), 401, 404, 415)
    case("multipart: quadratic to the nodes, with the secret", DOOR,
         request("/cluster/v1/post", "POST", quadratic, Content_Type="multipart/form-data; boundary=b",
                 Authorization=f"Bearer {NODE}"), 400, 415)
    heads = {"a boundary of 300 bytes": "multipart/form-data; boundary=" + "b" * 300, "no boundary": "multipart/form-data",
             "an empty boundary": "multipart/form-data; boundary=", "a quoted boundary without an end": "multipart/form-data; boundary=\"b",
             "upper case": "MULTIPART/FORM-DATA; BOUNDARY=b", "mixed": "multipart/mixed; boundary=b",
             "twice": "multipart/form-data; boundary=b; boundary=c"}
    for name, value in heads.items():
        for who, headers, statuses in (("nobody", {}, (401, 415)), ("a user", {"Authorization": f"Bearer {good()}"}, (400, 404, 413, 415))):
            case(f"multipart: {name}, of {who}", PUBLIC,
                 request("/my-sse/connect/upload/f.do?connectionId=1", "POST", multipart(["Content-Disposition: form-data; name=\"a\"\r\n\r\nx"]),
                         Content_Type=value, **headers), *statuses)
    parts = {"a head of 2 kB": "X: " + "a" * 2000 + "\r\n\r\nx", "1,000 fields": "X: a\r\n" * 1000 + "\r\nx", "no disposition": "\r\nx",
             "no name": "Content-Disposition: form-data\r\n\r\nx", "NUL in the name": 'Content-Disposition: form-data; name="a\x00"\r\n\r\nx',
             "a name without an end": 'Content-Disposition: form-data; name="a\r\n\r\nx', "nothing": ""}
    for name, part in parts.items():
        case(f"multipart: a part with {name}", PUBLIC,
             request("/my-sse/connect/upload/f.do?connectionId=1", "POST", multipart([part]), Content_Type="multipart/form-data; boundary=b",
                     Authorization=f"Bearer {good()}"), 400, 404, 413, 415)
        case(f"multipart: goodbye with {name}", PUBLIC,
             request("/my-sse/connect/disconnect.do", "POST", multipart([part]), Content_Type="multipart/form-data; boundary=b"),
             400, 401, 404, 413, 415)
    lengths = {PUBLIC: ("/my-sse/connect/message/m.do", "/my-sse/connect/upload/f.do", "/my-sse/connect/disconnect.do", "/nothing", "/healthz"),
               ADMIN_API: ("/api/v1/send", "/api/v1/nothing", "/healthz"), DOOR: ("/cluster/v1/post", "/nothing")}
    for where, paths in lengths.items():
        for path in paths:
            for length in (8 << 20, 200 << 20, 1 << 62):
                # The head is all that is sent: whoever waits for the body fails here.
                data = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
                case(f"body: {length} bytes announced for {path}", where, data, 400, 401, 404, 405, 413)
            if path.endswith("/disconnect.do") or (where == PUBLIC and path in ("/nothing", "/healthz")):
                continue  # a goodbye, and what may be a file: so few bytes are asked for, whoever sends them
            data = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"
            case(f"body: may I send? to {path}", where, data, 400, 401, 404, 405, 413)
            data = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: the-unexpected\r\nContent-Length: 1000\r\n\r\n"
            case(f"body: expecting something else of {path}", where, data, 400, 401, 404, 405, 413, 417)


def tokens():
    far = in_an_hour()
    none = b64(b'{"alg":"none"}') + "." + b64(json.dumps({"sub": "alice", "exp": far}).encode()) + "."
    whole = token({"sub": "alice", "exp": far})
    parts = whole.split(".")
    bad = {
        "alg none": none, "alg None": none.replace(b64(b'{"alg":"none"}'), b64(b'{"alg":"None"}')), "empty": "", "a blank": " ", "dots": "..",
        "no signature": ".".join(parts[:2]), "an empty signature": ".".join(parts[:2]) + ".", "four parts": whole + ".x",
        "five parts": whole + ".x.y", "another key": token({"sub": "alice", "exp": far}, key=b"x" * 40),
        "an empty key": token({"sub": "alice", "exp": far}, key=b""), "SHA-512 called HS256": token({"sub": "alice", "exp": far}, digest=hashlib.sha512),
        "RS256 signed with the secret": token({"sub": "alice", "exp": far}, {"alg": "RS256"}),
        "ES256 signed with the secret": token({"sub": "alice", "exp": far}, {"alg": "ES256"}),
        "EdDSA signed with the secret": token({"sub": "alice", "exp": far}, {"alg": "EdDSA"}),
        "no alg": token({"sub": "alice", "exp": far}, {"typ": "JWT"}), "alg 7": token({"sub": "alice", "exp": far}, {"alg": 7}),
        "alg a list": token({"sub": "alice", "exp": far}, {"alg": ["HS256"]}), "alg hs256": token({"sub": "alice", "exp": far}, {"alg": "hs256"}),
        "crit": token({"sub": "alice", "exp": far}, {"alg": "HS256", "crit": ["exp"]}),
        "crit of nothing": token({"sub": "alice", "exp": far}, {"alg": "HS256", "crit": []}),
        "an unknown kid": token({"sub": "alice", "exp": far}, {"alg": "HS256", "kid": "../../dev/null"}, key=b""),
        "a head that is a list": token({"sub": "alice", "exp": far}, b"[]"), "a head that is no JSON": token({"sub": "alice", "exp": far}, b"{"),
        "claims that are a list": token(b"[1]"), "claims that are no JSON": token(b"{"), "claims that are a number": token(b"7"),
        "claims that are null": token(b"null"), "claims of broken UTF-8": token(b'{"sub":"\xff\xfe"}'),
        "claims 5,000 deep": token(b'{"sub":"alice","a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        "no sub": token({"exp": far}), "an empty sub": token({"sub": "", "exp": far}), "sub a list": token({"sub": ["alice"], "exp": far}),
        "sub null": token({"sub": None, "exp": far}), "sub an object": token({"sub": {}, "exp": far}), "sub true": token({"sub": True, "exp": far}),
        "sub of 10 kB": token({"sub": "a" * 10_000, "exp": far}), "tenant a list": token({"sub": "alice", "tenant": [1], "exp": far}),
        "expired": token({"sub": "alice", "exp": far - 8000}), "expired in 1970": token({"sub": "alice", "exp": 0}),
        "exp negative": token({"sub": "alice", "exp": -5}), "exp a text": token({"sub": "alice", "exp": str(far)}),
        "exp null": token({"sub": "alice", "exp": None}), "exp a list": token({"sub": "alice", "exp": [far]}),
        "exp infinite": token(b'{"sub":"alice","exp":1e999}'), "nbf tomorrow": token({"sub": "alice", "exp": far, "nbf": far + 90_000}),
        "nbf a text": token({"sub": "alice", "exp": far, "nbf": "now"}), "a changed claim": parts[0] + "." + b64(b'{"sub":"admin"}') + "." + parts[2],
        "base64 with padding": whole + "==", "base64 of another alphabet": whole[:-3] + "+/+", "a blank inside": parts[0] + ". " + parts[1] + "." + parts[2],
        "percent-encoded": whole.replace("e", "%65", 1), "of 60 kB": token({"sub": "alice", "exp": far, "x": "y" * 20_000}) + "a" * 10_000,
        "a key in the head": token({"sub": "alice", "exp": far}, {"alg": "HS256", "jwk": {"kty": "oct", "k": b64(b"x" * 40)}}, key=b"x" * 40),
        "a URL of keys in the head": token({"sub": "alice", "exp": far}, {"alg": "HS256", "jku": "http://127.0.0.1:1/"}, key=b"x" * 40),
    }
    for name, value in bad.items():
        header = request("/my-sse/connect", Authorization=f"Bearer {value}")
        case(f"token: {name}", PUBLIC, header, 400, 401, 431)
    for name in ("alg none", "another key", "expired", "no sub", "sub a list"):
        quoted = bad[name]
        case(f"token in the query: {name}", PUBLIC, request(f"/my-sse/connect?access-token={quoted}"), 401)
        for path in ("message/m.do?connectionId=1", "upload/f.do?connectionId=1", "ack.do?connectionId=1", "addListener.do?connectionId=1"):
            case(f"token to {path.split('?')[0]}: {name}", PUBLIC,
                 request(f"/my-sse/connect/{path}", "POST", "{}", Content_Type="application/json", Authorization=f"Bearer {quoted}"), 401)
    doubled = f"GET /my-sse/connect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {good()}\r\nAuthorization: Bearer {good('x')}\r\n\r\n"
    case("token: two of them", PUBLIC, doubled, 400)
    case("token: Basic", PUBLIC, request("/my-sse/connect", Authorization="Basic YWxpY2U6YWxpY2U="), 401)
    case("token: none", PUBLIC, request("/my-sse/connect"), 401)
    case("token: a name in a header of the proxy's", PUBLIC, request("/my-sse/connect", X_Sse_User="admin"), 401)
    case("token: a name in the query", PUBLIC, request("/my-sse/connect?userId=admin"), 401)
    case("token: credentials in a body", PUBLIC, request("/my-sse/connect", "POST", json.dumps({"access-token": good()}),
                                                         Content_Type="application/json"), 400, 401)


def claims_of_users():
    auth = {"Authorization": f"Bearer {good()}"}
    for site in ("cross-site",):
        for mode in ("no-cors", "navigate"):
            case(f"origin: {site} {mode}", PUBLIC, request("/my-sse/connect", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode, **auth), 403)
    # A goodbye is answered with 200 whether there is such a stream or not, and so is a change of no listeners.
    for name in ("disconnect.do", "message/m.do", "ack.do", "addListener.do", "removeListener.do", "upload/f.do"):
        for connection in ("", "0", "1", "-1", "99999999999999999999999", "a", "%00", "%ff", "1&connectionId=2", "a" * 5000):
            case(f"connection of another: {name} {connection[:20]}", PUBLIC,
                 request(f"/my-sse/connect/{name}?connectionId={connection}", "POST", "{}", Content_Type="application/json", **auth),
                 *((200,) if name in ("disconnect.do", "addListener.do", "removeListener.do") else ()), 400, 403, 404, 413, 414, 415, 431)
    deep = "[" * 100_000
    texts = {"no JSON": "{", "deep": deep, "a number": "7", "broken UTF-8": b'{"a":"\xff"}', "NUL": b"\x00", "a huge number": '{"a":1e99999}',
             "two documents": "{}{}", "a list of a list": "[[[]]]"}
    for name, text in texts.items():
        for path in ("message/m.do", "ack.do", "addListener.do"):
            case(f"page's JSON: {name} to {path}", PUBLIC,
                 request(f"/my-sse/connect/{path}?connectionId=1", "POST", text, Content_Type="application/json", **auth), 400, 404, 413, 415)
    case("clientId: 300 bytes", PUBLIC, request("/my-sse/connect?clientId=" + "a" * 300, **auth), 400)
    case("query: 1,000 parameters", PUBLIC, request("/my-sse/connect?" + "&".join(f"a{i}=b" for i in range(1000)), **auth), 400)
    case("query: listeners of 40 kB", PUBLIC, request("/my-sse/connect?listeners=" + "a" * 40_000, **auth), 400, 414, 431)


def paths():
    for path in ("/../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%5c..%5cetc/passwd", "/.%00./etc/passwd",
                 "/%c0%ae%c0%ae/etc/passwd", "/....//....//etc/passwd", "//etc/passwd", "/etc/passwd", "/%2fetc%2fpasswd", "/.git/config", "/.env",
                 "/index.html%00.js", "/%", "/%zz", "/%f", "/a%0d%0aX:%20y", "/\\..\\", "/my-sse/../healthz/..", "/my-sse/connect/../../..",
                 "/my-sse/nothing.do", "/MY-SSE/connect", "/api/v1/status", "/api/v1/send", "/metrics"):
        case(f"path: {path}", PUBLIC, request(path), 400, 404)
    case("path: an encoded slash", PUBLIC, request("/my-sse%2fconnect"), 400, 401, 404)


def admin():
    auth = {"Authorization": f"Bearer {ADMIN}"}
    wrong = {"nothing": {}, "an empty token": {"Authorization": "Bearer "}, "another": {"Authorization": "Bearer x"},
             "half of it": {"Authorization": f"Bearer {ADMIN[:-1]}"}, "more than it": {"Authorization": f"Bearer {ADMIN}x"},
             "percent-encoded": {"Authorization": "Bearer " + ADMIN.replace("a", "%61", 1)}, "Basic": {"Authorization": f"Basic {ADMIN}"},
             "the scheme alone": {"Authorization": "Bearer"}, "a user's": {"Authorization": f"Bearer {good()}"},
             "the node's secret": {"Authorization": f"Bearer {NODE}"}}
    for name, headers in wrong.items():
        for method, path in (("GET", "/api/v1/status"), ("POST", "/api/v1/send"), ("POST", "/api/v1/connections/close"), ("DELETE", "/api/v1/messages")):
            case(f"admin: {method} {path} with {name}", ADMIN_API, request(path, method, "{}" if method == "POST" else "", **headers), 401)
    bodies = {"nothing": "", "no JSON": "{", "a list": "[]", "a number": "7", "null": "null", "deep": "[" * 200_000, "broken UTF-8": b'{"\xff":1}', "NUL": b"\x00",
              "types": '{"target":7,"event":[],"data":{}}', "no target": '{"event":"a","data":"b"}', "an unknown target": '{"target":{"kind":"x","names":["a"]},"data":"b"}',
              "a line break in the event": '{"users":["alice"],"event":"a\\nb","data":"c"}', "an id of its own": '{"users":["alice"],"id":"a\\u0000b","data":"c"}',
              "a ttl below nothing": '{"users":["alice"],"qos":true,"ttl":"-5s","data":"c"}', "a ttl beyond all": '{"users":["alice"],"qos":true,"ttl":1e300,"data":"c"}',
              "users a text": '{"users":"alice","data":"c"}', "users of numbers": '{"users":[1,[],{}],"data":"c"}', "a user with NUL": '{"users":["a\\u0000b"],"data":"c"}'}
    for name, body in bodies.items():
        for path in ("/api/v1/send", "/api/v1/durations", "/api/v1/connections/close"):
            case(f"admin: {name} to {path}", ADMIN_API, request(path, "POST", body, Content_Type="application/json", **auth), 400, 404, 413, 422)
    lines = {"no JSON": b"{\n{\n", "NULs": b"\x00\n\x00\n", "a line of 9 MB": b"x" * 9_000_000 + b"\n"}
    for name, body in lines.items():
        case(f"admin: lines: {name}", ADMIN_API, request("/api/v1/send", "POST", body, Content_Type="application/x-ndjson", **auth), 200, 400, 413)
    for query in ("page=-1", "page=a", "size=0", "size=99999999999999999999", "sort=nothing", "service=nothing", "tenant=%ff", "user=%00", "format=x"):
        for path in ("connections", "users", "messages", "dead", "events"):
            case(f"admin: {path}?{query}", ADMIN_API, request(f"/api/v1/{path}?{query}", **auth), 200, 400, 404)
    for path in ("messages/a", "messages/-1", "messages/99999999999999999999999", "messages/%00", "connections/a", "connections/%2e%2e", "messages/1/trace", "messages/a/trace",
                 "messages/../status/..", "nothing"):
        case(f"admin: {path}", ADMIN_API, request(f"/api/v1/{path}", **auth), 400, 404)
    case("admin: a token twice", ADMIN_API,
         f"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN}\r\nAuthorization: Bearer {ADMIN}\r\n\r\n", 400)


def nodes():
    auth = {"Authorization": f"Bearer {NODE}"}
    for name, headers in {"nothing": {}, "another": {"Authorization": "Bearer x"}, "the admin's": {"Authorization": f"Bearer {ADMIN}"},
                          "percent-encoded": {"Authorization": "Bearer " + NODE.replace("a", "%61", 1)}}.items():
        case(f"nodes: {name} for a secret", DOOR, request("/cluster/v1/post", "POST", "{}", **headers), 401)
        case(f"nodes: {name} for a secret, nothing in the body", DOOR, request("/cluster/v1/post", "POST", **headers), 401)
    frames = {"nothing": b"", "a zero": b"\x00", "ones": b"\xff" * 64, "JSON": b"{}", "a list": b"[1,2]", "text": b"hello\n", "a length beyond all": b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"a" * 64,
              "zeroes": b"\x00" * 4096, "half a message": b"\x01\x00\x00\x00\x05hell", "1 MB of noise": bytes((i * 7919 + (i >> 8)) & 255 for i in range(1 << 20)),
              "deep JSON": b"[" * 100_000, "a number too long": b"9" * 400}
    for name, frame in frames.items():
        case(f"nodes: {name}", DOOR, request("/cluster/v1/post", "POST", frame, Content_Type="application/octet-stream", **auth), 400, 413)
    for path in ("/", "/cluster/v1/nothing", "/api/v1/status", "/my-sse/connect", "/metrics", "/cluster/v2/post"):
        case(f"nodes: {path}", DOOR, request(path, **auth), 404)


class Neighbour:
    """A client that does everything right. It reads on a thread of its own and knows the last number it was sent."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self.socket.sendall(request("/my-sse/connect?clientId=neighbour", Authorization=f"Bearer {good('neighbour')}"))
        self.bytes = b""
        self.ended = False
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait_for(b"event:connect-finish", "its connect-finish")

    def read(self):
        self.socket.settimeout(None)
        while data := self.socket.recv(65536):
            with self.changed:
                # What a request needs is the newest; the counts are checked by the number in it.
                self.bytes = (self.bytes + data)[-4096:]
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, text, what):
        with self.changed:
            if not self.changed.wait_for(lambda: text in self.bytes or self.ended, TIMEOUT) or self.ended:
                sys.exit(f"FAIL the neighbour's stream {'ended' if self.ended else 'did not get'} {what}: {self.bytes[-300:]}")


def answer_of(port, data):
    """The status of the answer to `data`, 0 for none; and how many answers came."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.settimeout(TIMEOUT)
        try:
            connection.sendall(data)
        except OSError:
            pass  # refused with the body unread: the answer is there all the same, or the connection is gone
        received = b""
        try:
            while not re.match(rb"HTTP/1\.[01] [2-5]\d\d .*?\r\n\r\n", received, re.S):
                more = connection.recv(65536)
                if not more:
                    break
                received += more
                received = re.sub(rb"^HTTP/1\.1 100 Continue\r\n\r\n", b"", received)
        except TimeoutError:
            return "no answer", received
        except OSError:
            pass
    found = re.match(rb"HTTP/1\.[01] (\d\d\d) ", received)
    return int(found.group(1)) if found else 0, received


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024


def main():
    program, folder = sys.argv[1:]
    files = {"jwt": SECRET, "admin": ADMIN.encode(), "node": NODE.encode()}
    for name, text in files.items():
        with open(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.write(text)
    os.makedirs(f"{folder}/www/.git", exist_ok=True)
    for name in ("index.html", ".env", ".git/config"):
        with open(f"{folder}/www/{name}", "w", encoding="ascii") as out:
            out.write("a file\n")
    ports = dict(zip((PUBLIC, ADMIN_API, DOOR), free_ports.reserve(3)))
    command = [program, "--listen", f"127.0.0.1:{ports[PUBLIC]}", "--admin", f"127.0.0.1:{ports[ADMIN_API]}", "--admin-token-file", f"{folder}/admin",
               "--auth", "jwt", "--jwt-secret-file", f"{folder}/jwt", "--db", f"{folder}/pending.db", "--web-root", f"{folder}/www",
               "--discovery", f"static:127.0.0.1:{ports[DOOR]}", "--cluster-listen", f"127.0.0.1:{ports[DOOR]}", "--cluster-secret-file", f"{folder}/node"]
    log = open(f"{folder}/server.log", "wb")  # pylint: disable=consider-using-with
    server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # pylint: disable=consider-using-with
    failures = []
    try:
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                if answer_of(ports[ADMIN_API], request("/readyz", Authorization=f"Bearer {ADMIN}"))[0] == 200:
                    break
            except OSError:
                pass
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"FAIL the server did not get ready: {open(f'{folder}/server.log', encoding='utf-8').read()}")
            time.sleep(0.05)
        for group in (heads, framing, bodies, tokens, claims_of_users, paths, admin, nodes):
            group()
        neighbour = Neighbour(ports[PUBLIC])
        before = resident(server.pid)
        sender = http.client.HTTPConnection("127.0.0.1", ports[ADMIN_API], timeout=TIMEOUT)
        for number, (name, where, data, statuses) in enumerate(cases):
            status, received = answer_of(ports[where], data)
            if status not in statuses:
                failures.append(f"{where}: {name}: expected {' or '.join(map(str, statuses))}, got {status}: {received[:300]!r}")
            elif b"smuggled" in received or len(re.findall(rb"HTTP/1\.[01] \d\d\d ", received)) > 1:
                failures.append(f"{where}: {name}: a second request was read out of the body: {received[:600]!r}")
            sender.request("POST", "/api/v1/send", json.dumps({"target": {"users": ["neighbour"]}, "event": "tick", "data": f"tick {number};"}),
                           {"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"})
            sent = sender.getresponse()
            text = sent.read()
            if sent.status != 200:
                sys.exit(f"FAIL behind '{name}' ({where}) the neighbour cannot be sent to: {sent.status} {text}")
            neighbour.wait_for(f"tick {number};".encode(), f"its event behind '{name}' ({where})")
            if server.poll() is not None:
                sys.exit(f"FAIL the server ended with {server.returncode} behind '{name}' ({where})")
        after = resident(server.pid)
        sanitized = b"__asan" in open(program, "rb").read() or b"__tsan" in open(program, "rb").read()
        print(f"{len(cases)} requests; {before >> 10} KiB resident before, {after >> 10} KiB after, the budget is {MEMORY_BUDGET >> 10} KiB more")
        if after - before > MEMORY_BUDGET and not sanitized:
            failures.append("the server holds more memory than its budget")
        sender.request("GET", "/api/v1/users", headers={"Authorization": f"Bearer {ADMIN}"})
        users = sender.getresponse().read()
        if any(name in users for name in (b"alice", b"admin")):
            failures.append(f"a client became a user without a token: {users!r}")
        if len(cases) < 300:
            failures.append("fewer than 300 requests")
    finally:
        server.terminate()
        status = server.wait(TIMEOUT)
    if status != 0:
        failures.append(f"the server ended with {status}")
    for failure in failures:
        print("FAIL", failure)
    sys.exit(1 if failures else 0)


main()
