// The client notices a dead path and comes back, says why it cannot connect, and uses credentials as they are.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { startBadProxy } from './bad_proxy.mjs';
import { closeBrowser, openBrowser, openPage, setVisibility, startServer, until } from './harness.mjs';
import { startScripted } from './scripted_server.mjs';

after(closeBrowser);

const OWN = ['connect-finish', 'connect-close', 'sse-connect-failed', 'sse-end'];

/**
 * `window.client`, whose events collect as [type, data] in window.received. `credentials`: a script that returns further
 * options, which may be functions.
 */
async function openClient(page, { module = '/my-sse', credentials = '({})', ...options } = {}) {
  await page.evaluate(
    async ([from, names, given, script]) => {
      const { default: Sse } = await import(from);
      window.received = [];
      const keep = ({ type, data }) => window.received.push([type, data]);
      const eventListeners = Object.fromEntries(names.map((name) => [name, keep]));
      window.client = new Sse({ eventListeners, ...given, ...(0, eval)(script) });
    },
    [module, [...OWN, 'news'], options, credentials],
  );
}

const received = async (page, type) =>
  (await page.evaluate(() => window.received)).filter(([got]) => got === type).map(([, data]) => data);
const arrived = (page, type, count = 1) =>
  until(async () => (await received(page, type)).length >= count, `${count} ${type}`);
const connected = (page) => until(() => page.evaluate(() => window.client.isActive()), 'the client is connected');
const opened = async (server) => {
  const { text } = await server.admin('GET', '/metrics');
  return Number(text.match(/^sse_streams_opened_total\{.*\} (\d+)$/m)[1]);
};

function jwt(secret, claims) {
  const part = (json) => Buffer.from(JSON.stringify(json)).toString('base64url');
  const text = `${part({ alg: 'HS256' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const SECRET = '0123456789abcdef0123456789abcdef';
const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

async function startJwtServer(t, ...args) {
  const folder = await mkdtemp(path.join(tmpdir(), 'sse-jwt-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const key = path.join(folder, 'key');
  await writeFile(key, SECRET, { mode: 0o600 });
  return startServer(t, '--auth', 'jwt', '--jwt-secret-file', key, '--jwt-leeway', '0s', ...args);
}

test('a path that carries nothing any more is noticed, and nothing is lost or doubled', async (t) => {
  const server = await startServer(t, '--demo', '--heartbeat', '200ms', '--reconnect-time', '50ms');
  const proxy = await startBadProxy(t, server);
  const page = await openPage(t, `${proxy.url}/my-sse`);
  await openClient(page);
  await connected(page);
  await server.send('1', 'news', 'before', { qos: true });
  await arrived(page, 'news');
  proxy.holdAll();
  await server.send('1', 'news', 'meanwhile', { qos: true });
  await arrived(page, 'news', 2);
  await server.send('1', 'news', 'after', { qos: true });
  await arrived(page, 'news', 3);
  assert.deepEqual(await received(page, 'news'), ['before', 'meanwhile', 'after']);
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'all is confirmed');
});

test('a stream is alive while it has pings, whatever else flows', async (t) => {
  const server = await startServer(t, '--demo', '--heartbeat', '200ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  await connected(page);
  const pings = async () =>
    Number((await server.admin('GET', '/metrics')).text.match(/^sse_heartbeats_total\{.*\} (\d+)$/m)[1]);
  // More than two limits of half a second. Nothing that the page listens to arrives meanwhile.
  await until(async () => {
    await server.send('1', 'not-listened-to', 'x'.repeat(1000));
    return (await pings()) >= 8;
  }, 'pings');
  assert.equal(await opened(server), 1);
});

test('without a promise of pings, as from a Java server, silence means nothing', async (t) => {
  const server = await startScripted(t);
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(() => {
    window.timers = [];
    const { setTimeout } = window;
    window.setTimeout = (fn, delay) => (window.timers.push(delay), setTimeout(fn, delay));
  });
  await openClient(page);
  await connected(page);
  assert.deepEqual(await page.evaluate(() => window.timers), []);
});

test('after a reconnect for silence the client is more patient, so that a large event on a slow line arrives', async (t) => {
  const server = await startScripted(t, { onStream: (stream) => stream.finish({ pingInterval: 80 }) });
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(() => {
    window.timers = [];
    const { setTimeout } = window;
    window.setTimeout = (fn, delay) => (window.timers.push(delay), setTimeout(fn, delay));
  });
  await openClient(page);
  await until(() => server.streams.length === 4, 'three reconnects for silence');
  const limits = await page.evaluate(() => window.timers.filter((delay) => [200, 400, 800].includes(delay)));
  assert.deepEqual(limits.slice(0, 3), [200, 400, 800]);
});

for (const [target, name] of [
  ['window', 'online'],
  ['document', 'resume'],
]) {
  test(`reconnects on ${name}`, async (t) => {
    const server = await startServer(t, '--demo');
    const page = await openPage(t, `${server.url}/my-sse`);
    await openClient(page);
    await connected(page);
    await page.evaluate(([on, event]) => window[on].dispatchEvent(new Event(event)), [target, name]);
    await arrived(page, 'connect-finish', 2);
    await connected(page);
  });
}

test('a page that is frozen in a hidden tab and thawed is connected again', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  await connected(page);
  const cdp = await page.context().newCDPSession(page);
  await setVisibility(page, 'hidden');
  await cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
  await cdp.send('Page.setWebLifecycleState', { state: 'active' });
  await setVisibility(page, 'visible');
  await arrived(page, 'connect-finish', 2);
  await connected(page);
});

test('the loading of a page is no reason to reconnect', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  await connected(page);
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false })));
  await server.send('1', 'news', 'x');
  await arrived(page, 'news');
  assert.equal(await opened(server), 1);
});

test('a reset, a half-closed connection and a slow one', async (t) => {
  const server = await startServer(t, '--demo', '--reconnect-time', '50ms');
  const proxy = await startBadProxy(t, server);
  proxy.delay = 30;
  const page = await openPage(t, `${proxy.url}/my-sse`);
  await openClient(page);
  await connected(page);
  for (const [harm, count] of [
    ['resetAll', 2],
    ['halfCloseAll', 3],
  ]) {
    proxy[harm]();
    await arrived(page, 'connect-finish', count);
    await connected(page);
    await server.send('1', 'news', harm, { qos: true });
    await arrived(page, 'news', count - 1);
  }
  assert.deepEqual(await received(page, 'news'), ['resetAll', 'halfCloseAll']);
});

test('confirmations are requests whose answer is read; one that fails brings a new stream, and is sent again', async (t) => {
  const server = await startScripted(t, {
    onStream: (stream) => stream.finish({ ack: true }),
    onRequest: () => (server.named('ack.do').length === 1 ? { status: 500 } : {}),
  });
  const page = await openPage(t, `${server.url}/`);
  await openClient(page);
  await connected(page);
  server.streams[0].event('news', 'a', '7');
  await until(() => server.named('ack.do').length >= 2, 'another ack');
  assert.equal(server.streams.length, 2);
  const [first, second] = server.named('ack.do');
  assert.match(first.headers['content-type'], /^text\/plain/, 'needs no preflight');
  assert.deepEqual(first.body, { connectionId: server.streams[0].id, ids: ['7'] });
  assert.deepEqual(second.body, { connectionId: server.streams[1].id, ids: ['7'] });
});

test('confirmations that are refused for ever do not make the client reconnect without pause', async (t) => {
  const server = await startScripted(t, {
    onStream: (stream) => {
      stream.finish({ ack: true });
      stream.event('news', 'a', '7');
    },
    onRequest: ({ path: to }) => (to === 'ack.do' ? { status: 403 } : {}),
  });
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(() => {
    window.timers = [];
    Math.random = () => 0.5;
    const { setTimeout } = window;
    window.setTimeout = (fn, delay) => (window.timers.push(delay), setTimeout(fn, delay));
  });
  await openClient(page);
  await until(() => server.streams.length >= 4, 'three reconnects');
  const waits = (await page.evaluate(() => window.timers)).filter((delay) => [40, 80, 160].includes(delay));
  assert.deepEqual(waits.slice(0, 3), [40, 80, 160]);
});

test('a refused page is told the status and the reason, and tries again with a fresh token', async (t) => {
  const server = await startJwtServer(t, '--reconnect-time', '50ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  const tokens = [
    jwt(SECRET, { sub: 'ann', exp: inSeconds(-60) }),
    `${jwt(SECRET, { sub: 'ann', exp: inSeconds(60) })}x`,
    jwt(SECRET, { sub: 'ann', exp: inSeconds(600) }),
  ];
  await openClient(page, {
    credentials: `((window.tries = 0), { query: async () => ({ 'access-token': ${JSON.stringify(tokens)}[window.tries++] }) })`,
  });
  await until(async () => (await received(page, 'connect-finish')).length, 'the third try');
  const failures = await received(page, 'sse-connect-failed');
  assert.deepEqual(
    failures.map(({ attempt, status, reason }) => ({ attempt, status, reason })),
    [1, 2].map((attempt) => ({ attempt, status: 401, reason: 'invalid_token' })),
  );
  assert.match(failures[0].description, /it has expired/);
  assert.ok(failures.every(({ nextTry }) => nextTry > 0));
});

test('a page of another origin sees why it is refused, too, and with headers at once', async (t) => {
  const pages = await startScripted(t);
  const server = await startJwtServer(t, '--cors-origin', pages.url, '--reconnect-time', '50ms');
  const good = jwt(SECRET, { sub: 'ann', exp: inSeconds(600) });
  const url = `${server.url}/my-sse`;
  const page = await openPage(t, `${pages.url}/`);
  await openClient(page, { module: url, url, query: { 'access-token': 'nonsense' } });
  await arrived(page, 'sse-connect-failed');
  assert.equal((await received(page, 'sse-connect-failed'))[0].status, 401);
  assert.equal((await received(page, 'sse-connect-failed'))[0].reason, 'invalid_token');
  await page.evaluate(() => window.client.destroy());

  const requests = [];
  page.on('request', (request) => requests.push(request));
  await openClient(page, {
    module: url,
    url,
    credentials: `({ headers: async () => ({ authorization: 'Bearer ' + (window.bad ? 'x' : '${good}') }) })`,
  });
  await connected(page);
  await server.send('ann', 'news', 'a', { qos: true });
  await arrived(page, 'news');
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'it is confirmed');
  assert.ok(requests.every((request) => !request.url().includes(good)), 'the token is in no URL');
  const answer = await page.evaluate(async () => (await window.client.send('hello', { a: 1 })).status);
  assert.equal(answer, 200);

  await page.evaluate(() => (window.bad = true));
  await server.stop();
  await server.start();
  await arrived(page, 'sse-connect-failed');
  await until(async () => (await received(page, 'sse-connect-failed')).some(({ status }) => status === 401), '401');
  await page.evaluate(() => (window.bad = false));
  await connected(page);
  // The goodbye has the header, which a beacon cannot have.
  await page.evaluate(() => window.client.close());
  await until(async () => (await server.connections()).length === 0, 'the server knows');
  assert.match((await server.ssectl('events', '--type', 'disconnect')).stdout, /disconnect after .*\(close\)/);
});

test('204 stops a client that reads with fetch, and one with an EventSource', async (t) => {
  const server = await startScripted(t, { onConnect: () => ({ status: 204 }) });
  for (const credentials of ['({ headers: { a: "b" } })', '({})']) {
    const page = await openPage(t, `${server.url}/`);
    await openClient(page, { credentials, reconnectTime: 1 });
    await arrived(page, 'sse-connect-failed');
    const [failure] = await received(page, 'sse-connect-failed');
    assert.equal(failure.status, 204);
    assert.equal(failure.nextTry, null);
    assert.equal(await page.evaluate(() => window.client.state), 2);
  }
});

test('Retry-After is respected, and a failed function is told and called again', async (t) => {
  let refusals = 0;
  const server = await startScripted(t, {
    onConnect: () => (++refusals <= 2 ? { status: 503, headers: { 'retry-after': '1' } } : undefined),
  });
  const page = await openPage(t, `${server.url}/`);
  await openClient(page, {
    reconnectTime: 1,
    credentials: `({ query: () => { if (!window.called) { window.called = true; throw new Error('no token'); } return { a: '1' }; } })`,
  });
  await connected(page);
  const failures = await received(page, 'sse-connect-failed');
  assert.equal(failures[0].reason, 'credentials');
  assert.match(failures[0].description, /no token/);
  assert.deepEqual([failures[1].status, failures[1].nextTry], [503, 1000]);
  assert.equal(server.streams[0].query.a, '1');
});

test('the end of a stream is told with its reason, and the client is back', async (t) => {
  const server = await startServer(t, '--demo', '--reconnect-time', '50ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, { keepaliveTime: 300 });
  await arrived(page, 'sse-end', 1);
  assert.equal(JSON.parse((await received(page, 'sse-end'))[0]).reason, 'keepalive');
  await page.evaluate(() => window.client.destroy());
  await openClient(page);
  await connected(page);
  const before = (await received(page, 'connect-finish')).length;
  await server.stop();
  await server.start();
  await until(async () => (await received(page, 'sse-end')).some((data) => JSON.parse(data).reason === 'shutdown'), 'why');
  await arrived(page, 'connect-finish', before + 1);
});

test('a replaced window comes back when it is shown again, and the windows do not push each other out', async (t) => {
  const server = await startServer(t, '--demo', '--client-max-connections', '1', '--reconnect-time', '50ms');
  const context = await (await openBrowser()).newContext();
  t.after(() => context.close());
  const windows = [];
  for (let i = 0; i < 3; i += 1) {
    const page = await context.newPage();
    await page.goto(`${server.url}/my-sse`);
    await openClient(page);
    await connected(page);
    windows.push(page);
  }
  const [first, , last] = windows;
  assert.equal(JSON.parse((await received(first, 'connect-close'))[0]).reason, 'replaced');
  assert.equal(await opened(server), 3);
  await setVisibility(first, 'hidden');
  await setVisibility(first, 'visible');
  await connected(first);
  await arrived(last, 'connect-close');
  assert.equal(await opened(server), 4);
  assert.deepEqual(await Promise.all(windows.map((page) => page.evaluate(() => window.client.isActive()))), [
    true,
    false,
    false,
  ]);
});

test('a stream that an operator closed stays closed when its window is shown again', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  await connected(page);
  await server.ssectl('connections', 'close', '--user', '1');
  await arrived(page, 'connect-close');
  assert.equal(JSON.parse((await received(page, 'connect-close'))[0]).reason, 'closed-by-operator');
  await setVisibility(page, 'hidden');
  await setVisibility(page, 'visible');
  assert.equal(await page.evaluate(() => window.client.state), 2);
});
