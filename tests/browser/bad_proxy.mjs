// A TCP proxy that misbehaves on command: what lies between a page and its server does, and no HTTP server can imitate it.

import net from 'node:net';

/** One connection through the proxy: `hold` swallows what either side sends, as a router that has forgotten it does. */
class Path {
  constructor(client, target) {
    this.client = client;
    this.server = net.connect(target);
    this.hold = false;
    this.carried = 0; // bytes that the server has sent
    this.pipe(client, this.server);
    this.pipe(this.server, client);
    this.server.on('data', (bytes) => (this.carried += bytes.length)); // after pipe() has looked at it
  }

  pipe(from, to) {
    from.on('data', (bytes) => {
      if (this.hold || !to.writable) return;
      if (from === this.server && this.carried + bytes.length > this.limit) {
        const rest = bytes.subarray(0, Math.max(this.limit - this.carried, 0));
        setTimeout(() => {
          if (!this.hold && to.writable) to.write(rest);
          this.hold = true;
        }, this.delay ?? 0);
        return;
      }
      setTimeout(() => !this.hold && to.writable && to.write(bytes), this.delay ?? 0);
    });
    from.on('end', () => this.hold || to.end());
    from.on('error', () => this.hold || to.destroy());
    from.on('close', () => this.hold || to.destroy());
  }

  reset() {
    this.client.resetAndDestroy();
    this.server.destroy();
  }
}

/** Starts a proxy to the address of `server.url` for test `t`; its own is `url`. */
export async function startBadProxy(t, server) {
  const { hostname, port } = new URL(server.url);
  /** Of what a server sends on a new connection, `limit` bytes arrive, and then nothing goes either way. */
  const proxy = { paths: [], holdNew: false, refuseNew: false, limit: undefined };
  const listener = net.createServer({ allowHalfOpen: true }, (client) => {
    if (proxy.refuseNew) return client.resetAndDestroy();
    const path = new Path(client, { host: hostname, port: Number(port), allowHalfOpen: true });
    path.hold = proxy.holdNew;
    path.delay = proxy.delay;
    path.limit = proxy.limit ?? Infinity;
    proxy.paths.push(path);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  proxy.url = `http://127.0.0.1:${listener.address().port}`;
  /** From now on the connections that are open carry nothing, and tell neither side. */
  proxy.holdAll = () => proxy.paths.forEach((path) => (path.hold = true));
  proxy.resetAll = () => proxy.paths.forEach((path) => path.reset());
  /** The client gets the end of what it was sent; its own direction stays open. */
  proxy.halfCloseAll = () => proxy.paths.forEach((path) => path.client.end());
  t.after(() => {
    for (const { client, server: up } of proxy.paths) [client, up].forEach((socket) => socket.destroy());
    return new Promise((resolve) => listener.close(resolve));
  });
  return proxy;
}
