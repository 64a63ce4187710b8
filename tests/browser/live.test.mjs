// The client module against the real server where it takes more than one connection: restarts, several services, other
// origins.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, openPage, setVisibility, startServer, until } from './harness.mjs';
import { startScripted } from './scripted_server.mjs';

after(closeBrowser);

/** Opens `window[name]`, an Sse for `options`, inside the page; its events collect as [type, data] in received[name]. */
async function openClient(page, { name = 'client', module = '/my-sse', events = ['news'], ...options } = {}) {
  await page.evaluate(
    async ([given]) => {
      const { default: Sse } = await import(given.module);
      window.received ??= {};
      const kept = (window.received[given.name] = []);
      const keep = ({ type, data }) => kept.push([type, data]);
      const listeners = Object.fromEntries([...given.events, 'connect-finish', 'connect-close'].map((e) => [e, keep]));
      window[given.name] = new Sse({ eventListeners: listeners, ...given.options });
    },
    [{ name, module, events, options }],
  );
  await connected(page, name);
}

const connected = (page, name = 'client') =>
  until(() => page.evaluate((n) => window[n].isActive(), name), `${name} is connected`);
const received = async (page, type, name = 'client') =>
  (await page.evaluate((n) => window.received[n], name)).filter(([got]) => got === type).map(([, data]) => data);
const arrived = (page, type, count = 1, name = 'client') =>
  until(async () => (await received(page, type, name)).length >= count, `${count} ${type} for ${name}`);
const connectionId = (page) => page.evaluate(() => window.client.connectionId);

for (const signal of ['SIGTERM', 'SIGKILL']) {
  test(`what is asked for while the server is away runs once, in order, when it is back (${signal})`, async (t) => {
    const server = await startServer(t, '--demo', '--reconnect-time', '200ms');
    const page = await openPage(t, `${server.url}/my-sse`);
    await openClient(page);
    await server.stop(signal);
    await until(() => page.evaluate(() => !window.client.isActive()), 'the client notices');
    await page.evaluate(() => {
      const { client } = window;
      const form = new FormData();
      form.append('file', new Blob(['x']), 'x.txt');
      const asked = [];
      for (let i = 0; i < 20; i += 1) asked.push(client.send(`step-${i}`, { i }));
      asked.push(client.upload('step-20', form));
      asked.push(client.addListener('late', (event) => window.received.client.push([event.type, event.data])));
      asked.push(client.removeListener('news'));
      asked.push(client.send('step-21'));
      window.answers = Promise.all(asked).then((all) => Promise.all(all.map((answer) => answer.json())));
    });
    await server.start();
    const answers = await page.evaluate(() => window.answers);
    for (const answer of answers) assert.equal(answer.success, true, JSON.stringify(answer));
    assert.deepEqual(answers[19].data, { path: 'step-19', received: { i: 19 } });
    const steps = [...server.log.matchAll(/ path=step-(\d+) /g)].map(([, step]) => Number(step));
    assert.deepEqual(steps, Array.from({ length: 22 }, (_, i) => i));
    assert.deepEqual((await server.connections())[0].listeners.sort(), ['connect-close', 'connect-finish', 'late']);
    await server.send('1', 'late', 'heard');
    await arrived(page, 'late');
  });
}

test('a connection at the end of its life is followed by a new one', async (t) => {
  const server = await startServer(t, '--demo', '--reconnect-time', '50ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, { keepaliveTime: 500 });
  await arrived(page, 'connect-finish', 3);
  assert.deepEqual(await received(page, 'connect-close'), []);
  const ids = (await received(page, 'connect-finish')).map((data) => JSON.parse(data).connectionId);
  assert.equal(new Set(ids).size, ids.length);
});

test('several services on one page stay apart, and switchURL goes from one to the other', async (t) => {
  const server = await startServer(t, '--demo', '--service', 'hr=/sse/hr', '--service', 'hunter=/sse/hunter');
  const page = await openPage(t, `${server.url}/sse/hr`);
  await openClient(page, { name: 'hr', module: '/sse/hr', url: '/sse/hr' });
  await openClient(page, { name: 'hunter', module: '/sse/hunter', url: '/sse/hunter' });
  assert.deepEqual(await page.evaluate(() => [window.hr.connectionName, window.hunter.connectionName]), [
    'hr',
    'hunter',
  ]);
  await server.send('1', 'news', 'for hr', { service: 'hr' });
  await server.send('1', 'news', 'for hunter', { service: 'hunter' });
  await arrived(page, 'news', 1, 'hr');
  await arrived(page, 'news', 1, 'hunter');
  assert.deepEqual(await received(page, 'news', 'hr'), ['for hr']);
  assert.deepEqual(await received(page, 'news', 'hunter'), ['for hunter']);

  await page.evaluate(() => window.hr.switchURL('/sse/hunter'));
  await connected(page, 'hr');
  assert.equal(await page.evaluate(() => window.hr.connectionName), 'hunter');
  const online = async (service) => (await server.admin('GET', `/api/v1/connections?service=${service}`)).json.total;
  await until(async () => (await online('hr')) === 0, 'hr has no connection');
  assert.equal(await online('hunter'), 2);
});

test('a page of another origin that is listed does everything', async (t) => {
  const elsewhere = await startScripted(t);
  const server = await startServer(t, '--demo', '--cors-origin', elsewhere.url);
  const page = await openPage(t, `${elsewhere.url}/`);
  const url = `${server.url}/my-sse`;
  await openClient(page, { module: url, url });
  const answers = await page.evaluate(async () => {
    const { client } = window;
    const form = new FormData();
    form.append('file', new Blob(['x']), 'x.txt');
    const replies = [
      await client.addListener('more', () => {}),
      await client.send('hello', { a: 1 }, {}, { 'x-own': 'y' }),
      await client.upload('pic', form),
    ];
    return Promise.all(replies.map((reply) => reply.json()));
  });
  for (const answer of answers) assert.equal(answer.success, true, JSON.stringify(answer));
  await server.send('1', 'news', 'over there');
  await arrived(page, 'news');
  await page.evaluate(() => window.client.close());
  await until(async () => (await server.connections()).length === 0, 'the server knows');
});

test('a page of an origin that is not listed gets nothing', async (t) => {
  const elsewhere = await startScripted(t);
  const server = await startServer(t, '--demo', '--cors-origin', 'https://example.com');
  const page = await openPage(t, `${elsewhere.url}/`);
  const outcome = await page.evaluate(async (url) => {
    const module = await import(url).catch(() => 'no module');
    const source = new EventSource(`${url}/connect?userId=1`);
    const stream = await new Promise((resolve) => {
      source.addEventListener('connect-finish', () => resolve('stream'));
      source.onerror = () => resolve('no stream');
    });
    source.close();
    const message = await fetch(`${url}/connect/message/x.do`, { method: 'POST', body: '{}' }).catch(() => 'no answer');
    return [module, stream, message];
  }, `${server.url}/my-sse`);
  assert.deepEqual(outcome, ['no module', 'no stream', 'no answer']);
});

test('the server reads why a page left before its stream ends', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  const id = await connectionId(page);
  await setVisibility(page, 'hidden');
  await until(async () => (await server.connections()).length === 0, 'the server knows');
  const { text } = await server.admin('GET', '/metrics');
  assert.match(text, /closed[^\n]*reason="disconnect"[^\n]* 1\n/, id);
});

test('a tab that was hidden gets what it missed, in order and once', async (t) => {
  const server = await startServer(t, '--demo', '--history', '100');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, { events: ['news', 'resync'] });
  const gone = () => until(async () => (await server.connections()).length === 0, 'the server knows');
  const everybody = (data) => server.send('1', 'news', data, { target: { all: true } });
  await setVisibility(page, 'hidden');
  await gone();
  await everybody('a');
  await server.send('1', 'news', 'b', { qos: true });
  await server.send('1', 'news', 'c');
  await setVisibility(page, 'visible');
  await arrived(page, 'news', 3);
  await everybody('d');
  await arrived(page, 'news', 4);
  assert.deepEqual(await received(page, 'news'), ['a', 'b', 'c', 'd']);
  assert.deepEqual(await received(page, 'resync'), []);

  await setVisibility(page, 'hidden');
  await gone();
  for (let i = 0; i < 110; i += 1) await server.send('1', 'news', `late ${i}`);
  await setVisibility(page, 'visible');
  await arrived(page, 'news', 104);
  const [notice] = await received(page, 'resync');
  assert.equal(JSON.parse(notice).missed, 10);
  assert.deepEqual((await received(page, 'news')).slice(4), Array.from({ length: 100 }, (_, i) => `late ${i + 10}`));
});

const pending = async (server) => (await server.admin('GET', '/api/v1/messages')).json.total;
const metric = async (server, name) =>
  Number((await server.admin('GET', '/metrics')).text.match(new RegExp(`^${name}{[^}]*} (\\d+)$`, 'm'))?.[1] ?? NaN);

test('a qos message is confirmed once it was handled; a broadcast costs no confirmation', async (t) => {
  const server = await startServer(t, '--demo', '--qos-ack-timeout', '200ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  for (let i = 0; i < 150; i += 1) await server.send('1', 'news', `broadcast ${i}`);
  await arrived(page, 'news', 150);
  await server.send('1', 'news', 'message', { qos: true });
  await until(async () => (await pending(server)) === 0, 'the message is confirmed');
  assert.equal(await metric(server, 'sse_confirmed_total'), 1);
  assert.equal(await metric(server, 'sse_acks_ignored_total'), 0);

  // No handler takes this one, until a listener is added.
  await server.send('1', 'later', 'kept', { qos: true });
  await server.send('1', 'news', 'after it');
  await arrived(page, 'news', 152);
  assert.equal(await pending(server), 1);
  await page.evaluate(() =>
    window.client.addListener('later', ({ type, data }) => window.received.client.push([type, data])),
  );
  await arrived(page, 'later');
  await until(async () => (await pending(server)) === 0, 'the message is confirmed');
});

test('what is sent again because its confirmation was lost is not handled again', async (t) => {
  const server = await startServer(t, '--demo', '--qos-ack-timeout', '100ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  await page.evaluate(() => {
    const { fetch } = window;
    window.lost = 0;
    window.fetch = async (url, ...more) => {
      if (window.lost === 3 || !url.includes('/ack.do')) return fetch(url, ...more);
      window.lost += 1;
      return new Response('{}');
    };
  });
  await server.send('1', 'news', 'once', { qos: true });
  await until(async () => (await pending(server)) === 0, 'the message is confirmed');
  assert.equal(await page.evaluate(() => window.lost), 3);
  assert.deepEqual(await received(page, 'news'), ['once']);
});

test('leaving in the middle of many messages, and coming back, brings each exactly once', async (t) => {
  const server = await startServer(t, '--demo', '--reconnect-time', '50ms');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page);
  const all = Array.from({ length: 300 }, (_, i) => `message ${i}`);
  for (const [i, data] of all.entries()) {
    await server.send('1', 'news', data, { qos: true });
    if (i % 60 === 30) await setVisibility(page, 'hidden');
    if (i % 60 === 50) await setVisibility(page, 'visible');
  }
  await until(async () => (await pending(server)) === 0, 'all messages are confirmed');
  assert.deepEqual((await received(page, 'news')).sort(), [...all].sort());
});
