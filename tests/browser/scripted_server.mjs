// A server that does exactly what a test tells it to, for what the real one cannot be asked for: Java's way of counting
// ids, a stream that breaks at a chosen point, a server without ack.do.

import { readFile } from 'node:fs/promises';
import http from 'node:http';

const CLIENT = new URL('../../lib/web/', import.meta.url);

/** One open event stream: `query` is what the client sent, `write` and `end` what it gets. */
class Stream {
  constructor(id, query, response) {
    Object.assign(this, { id, query, response, closed: false });
    response.on('close', () => (this.closed = true));
  }

  event(name, data, id) {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.response.write(`${id === undefined ? '' : `id:${id}\n`}event:${name}\ndata:${text}\n\n`);
  }

  finish(more = {}) {
    this.event(
      'connect-finish',
      { connectionId: this.id, reconnectTime: 40, name: 'scripted', version: '9', ...more },
      this.id,
    );
  }

  end() {
    this.response.end();
  }
}

/**
 * `onConnect(request)` may refuse a connect with `{status, headers}`. `onStream(stream)` is called for each stream,
 * `onRequest(request)` for every POST with `path` below the service, `query` and `body`; it returns `{status, json}`. All of them are kept in `streams` and `requests`.
 */
export async function startScripted(
  t,
  { onConnect = () => ({}), onStream = (stream) => stream.finish(), onRequest = () => ({}) } = {},
) {
  const server = { streams: [], requests: [] };
  let next = 9007199254740993n; // 2^53 + 1: the first integer a JavaScript number cannot hold
  const listener = http.createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    const query = Object.fromEntries(url.searchParams);
    if (url.pathname === '/') {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>scripted</title>');
    } else if (url.pathname === '/my-sse') {
      response.setHeader('content-type', 'application/javascript;charset=utf-8');
      response.end(await readFile(new URL('sse.js', CLIENT)));
    } else if (/^\/sse-\w+\.js$/.test(url.pathname)) {
      response.setHeader('content-type', 'application/javascript;charset=utf-8');
      response.end(await readFile(new URL(url.pathname.slice(1), CLIENT)));
    } else if (url.pathname.endsWith('/connect')) {
      const { status = 200, headers = {} } = onConnect(request) ?? {};
      response.writeHead(status, { 'content-type': 'text/event-stream', ...headers });
      if (status !== 200 || request.method === 'HEAD') {
        response.end();
        return;
      }
      response.flushHeaders();
      const stream = new Stream(String(next++), query, response);
      stream.path = url.pathname;
      stream.url = request.url;
      server.streams.push(stream);
      onStream(stream, server.streams.length);
    } else if (request.method !== 'POST') {
      response.writeHead(404);
      response.end();
    } else {
      const parts = [];
      for await (const part of request) parts.push(part);
      const text = Buffer.concat(parts).toString();
      const form = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded');
      const body = form
        ? Object.fromEntries(new URLSearchParams(text))
        : text.startsWith('{')
          ? JSON.parse(text)
          : text;
      const entry = { path: url.pathname.replace(/^.*\/connect\//, ''), query, body, headers: request.headers };
      server.requests.push(entry);
      const { status = 200, json = { success: true } } = (await onRequest(entry)) ?? {};
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(json));
    }
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    listener.closeAllConnections();
    return new Promise((resolve) => listener.close(resolve));
  });
  server.url = `http://127.0.0.1:${listener.address().port}`;
  server.named = (path) => server.requests.filter((request) => request.path === path);
  return server;
}
