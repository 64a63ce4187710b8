"""Servers that ssectl doctor must survive, each under a path of its own: /never answers nothing, /loop redirects for
ever, /flood sends as fast as it can, /page is no stream, /closed says no with 401, /quiet is a stream without heartbeats
and without the usual headers, /old a stream of HTTP/1.0, /short one that ends at once, /moved leads to /quiet, /late has
a clock that is a day behind, /cors lets the pages of https://www.example.org in, but answers no preflight request.

usage: doctor_servers.py FOLDER   writes FOLDER/port
"""
import asyncio
import os
import sys
from email.utils import formatdate
from time import time

STREAM = b"Content-Type: text/event-stream\r\n"
FIRST = b"data: hello\n\n"


def head(status, lines, version="1.1", date=None):
    stamp = formatdate(time() if date is None else date, usegmt=True)
    return f"HTTP/{version} {status} X\r\nDate: {stamp}\r\n".encode() + lines + b"Connection: close\r\n\r\n"


async def answer(reader, writer):
    try:
        request = await reader.readuntil(b"\r\n\r\n")
        method, path = request.decode("latin-1").split()[:2]
        path = path.partition("?")[0]
        if path == "/never":
            await asyncio.sleep(3600)
        elif path == "/loop":
            writer.write(head("302 Found", b"Location: /loop\r\nContent-Length: 0\r\n"))
        elif path == "/moved":
            writer.write(head("307 Temporary Redirect", b"Location: quiet\r\nContent-Length: 0\r\n"))
        elif path == "/flood":
            writer.write(head("200 OK", STREAM + b"Cache-Control: no-cache\r\n"))
            while True:
                writer.write(b"data: " + b"x" * 65000 + b"\n\n")
                await writer.drain()
        elif path == "/page":
            writer.write(head("200 OK", b"Content-Type: text/html\r\nContent-Length: 6\r\n") + b"<html>")
        elif path == "/closed":
            writer.write(head("401 Unauthorized", b"Content-Length: 0\r\n"))
        elif path == "/cors" and method == "OPTIONS":
            writer.write(head("405 Method Not Allowed", b"Content-Length: 0\r\n"))
        elif path in ("/quiet", "/old", "/late", "/cors"):
            lines = STREAM
            if path == "/cors":
                lines += b"Access-Control-Allow-Origin: https://www.example.org\r\n"
            writer.write(head("200 OK", lines, "1.0" if path == "/old" else "1.1",
                              time() - 86400 if path == "/late" else None) + FIRST)
            await writer.drain()
            await asyncio.sleep(3600)
        elif path == "/short":
            writer.write(head("200 OK", STREAM + b"Cache-Control: no-cache\r\n") + FIRST)
        else:
            writer.write(head("404 Not Found", b"Content-Length: 0\r\n"))
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    with open(sys.argv[1] + "/port.new", "w") as f:
        f.write(str(server.sockets[0].getsockname()[1]))
    os.rename(sys.argv[1] + "/port.new", sys.argv[1] + "/port")
    await server.serve_forever()


asyncio.run(main())
