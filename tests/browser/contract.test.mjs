// What the client module promises, each promise against a server scripted to put it to the test.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, openPage, setVisibility, until } from './harness.mjs';
import { startScripted } from './scripted_server.mjs';

after(closeBrowser);

/** A page with `window.client`, whose events collect as [type, data] in window.received. */
async function openClient(t, server, options = {}, names = ['news']) {
  const page = await openPage(t, `${server.url}/`);
  await newClient(page, options, names);
  return page;
}

function newClient(page, options = {}, names = ['news']) {
  return page.evaluate(
    async ([given, events]) => {
      const { default: Sse } = await import('/my-sse');
      window.received ??= [];
      const keep = ({ type, data, whoTriggerClose, closeReason }) =>
        window.received.push([type, data, ...(whoTriggerClose ? [whoTriggerClose, closeReason] : [])]);
      window.client = new Sse({ eventListeners: Object.fromEntries(events.map((name) => [name, keep])), ...given });
    },
    [options, names],
  );
}

/** Keeps the delays of the page's timers in window.delays, with `random` for all chance: what is chosen is tested, not how
 * exactly the machine keeps to it. */
function recordDelays(page, random) {
  return page.evaluate((value) => {
    window.delays = [];
    const { setTimeout } = window;
    window.setTimeout = (fn, delay) => {
      if (delay) window.delays.push(delay);
      return setTimeout(fn, delay);
    };
    Math.random = () => value;
  }, random);
}

const delays = (page) => page.evaluate(() => window.delays);
const received = (page) => page.evaluate(() => window.received);
const isActive = (page) => page.evaluate(() => window.client.isActive());
const connected = (page) => until(() => isActive(page), 'the client is connected');
const arrived = (page, count) => until(async () => (await received(page)).length >= count, `${count} events arrive`);
const connects = (server, count) => until(() => server.streams.length >= count, `${count} connects`);

test('sends what the protocol lists, and the page’s own query with every request', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, { query: { 'access-token': 'a b&c', none: null }, keepaliveTime: 1234 }, [
    'news',
    'connect-close',
  ]);
  await connected(page);
  const [{ id, query }] = server.streams;
  for (const name of [
    'clientId',
    'clientInstanceId',
    'clientInstanceTime',
    'clientImportModuleTime',
    'clientVersion',
    'accessTime',
    'screen',
    'locationHref',
    'sessionDuration',
  ]) {
    assert.ok(query[name], name);
  }
  assert.equal(query.listeners, 'news,connect-close');
  assert.equal(query.keepaliveTime, '1234');
  assert.equal(query.useWindowEventBus, 'true');
  assert.equal(query.ack, '1');
  assert.equal(query.ackMarks, '1');
  assert.equal(query['access-token'], 'a b&c');
  assert.ok(!('none' in query));
  assert.ok(!('lastEventId' in query));
  assert.equal(await page.evaluate(() => window.client.connectionId), id);

  await page.evaluate(async () => {
    const form = new FormData();
    form.append('file', new Blob(['x']), 'x.txt');
    await window.client.send('a/b', { c: '服务' }, { d: 1, connectionId: 'forged' }, { 'x-own': 'y' });
    await window.client.upload('pic', form);
    await window.client.addListener({ more: () => {} });
    await window.client.removeListener('more');
    window.client.close('enough');
  });
  await until(() => server.named('disconnect.do').length, 'the beacon');
  const [send, upload, add, remove, bye] = server.requests;
  assert.equal(send.path, 'message/a/b.do');
  assert.deepEqual(send.query, { 'access-token': 'a b&c', connectionId: id, d: '1' });
  assert.deepEqual(send.body, { c: '服务' });
  assert.equal(send.headers['x-own'], 'y');
  assert.match(send.headers['content-type'], /^application\/json/);
  assert.equal(upload.path, 'upload/pic.do');
  assert.match(upload.headers['content-type'], /^multipart\/form-data; boundary=/);
  assert.equal(upload.query.connectionId, id);
  assert.deepEqual([add.path, add.body], ['addListener.do', { connectionId: id, listener: ['more'] }]);
  assert.deepEqual([remove.path, remove.body], ['removeListener.do', { connectionId: id, listener: ['more'] }]);
  assert.equal(bye.query['access-token'], 'a b&c');
  assert.equal(bye.body.connectionId, id);
  assert.equal(bye.body.clientId, query.clientId);
  assert.equal(bye.body.reason, 'enough');
  for (const name of ['duration', 'sessionDuration', 'sseVersion']) assert.ok(name in bye.body, name);
  assert.deepEqual((await received(page)).at(-1), ['connect-close', `{"connectionId": "${id}"}`, 'client', 'enough']);
});

test('queued while offline, run one after the other and in order once connected', async (t) => {
  let running = 0;
  let most = 0;
  let release;
  const server = await startScripted(t, {
    onStream: (stream) => (release = () => stream.finish()),
    async onRequest() {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
    },
  });
  const page = await openClient(t, server);
  await connects(server, 1);
  await page.evaluate(() => {
    const { client } = window;
    window.answers = Promise.all([
      client.send('one', { n: 1 }),
      client.addListener('more', (event) => window.received.push([event.type, event.data])),
      client.send('two', { n: 2 }),
      client.upload('three', new FormData()),
      client.removeListener('news'),
      client.send('four', { n: 4 }),
    ]).then((all) => all.map((answer) => answer.status));
  });
  assert.equal(server.requests.length, 0);
  release();
  assert.deepEqual(await page.evaluate(() => window.answers), [200, 200, 200, 200, 200, 200]);
  assert.deepEqual(
    server.requests.map(({ path }) => path),
    ['message/one.do', 'addListener.do', 'message/two.do', 'upload/three.do', 'removeListener.do', 'message/four.do'],
  );
  assert.equal(most, 1);
  assert.deepEqual(await page.evaluate(() => Object.keys(window.client.getEventListeners())), ['more']);
  server.streams[0].event('more', 'x');
  await arrived(page, 1);
});

test('reconnects when a stream ends, resuming after the last event', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server);
  await connected(page);
  server.streams[0].event('news', 'a', '9223372036854775001');
  server.streams[0].event('news', 'b');
  await arrived(page, 2);
  server.streams[0].end();
  await connects(server, 2);
  assert.equal(server.streams[1].query.lastEventId, '9223372036854775001');
  await connected(page);
  assert.equal(await page.evaluate(() => window.client.connectionId), server.streams[1].id);
});

test('resumes where connect-finish leaves it, and no message that waited takes it back', async (t) => {
  const server = await startScripted(t, { onStream: (stream) => stream.finish({ ack: true, ackMarks: true }) });
  const page = await openClient(t, server, {}, ['news', 'resync']);
  const cursorAfter = async (n) => {
    await connected(page);
    server.streams[n].event('news', 'the end');
    await until(async () => (await received(page)).filter(([, data]) => data === 'the end').length > n, 'all events');
    server.streams[n].end();
    await connects(server, n + 2);
    return server.streams[n + 1].query.lastEventId;
  };
  await connected(page);
  assert.equal(await cursorAfter(0), server.streams[0].id);
  await connected(page);
  server.streams[1].event('sse-qos', '');
  server.streams[1].event('news', 'waited', '5');
  assert.equal(await cursorAfter(1), server.streams[1].id);
  await connected(page);
  server.streams[2].event('sse-qos', '');
  server.streams[2].event('news', 'live', '9223372036854775001');
  assert.equal(await cursorAfter(2), '9223372036854775001');
  await connected(page);
  server.streams[3].event('resync', '{}', '7');
  assert.equal(await cursorAfter(3), '7');
});

test('waits longer after every failure, and starts over after a success', async (t) => {
  const server = await startScripted(t, {
    onStream: (stream, n) => (n === 1 || n === 6 ? stream.finish() : stream.end()),
  });
  const page = await openPage(t, `${server.url}/`);
  await recordDelays(page, 0.5);
  await newClient(page);
  await connected(page);
  server.streams[0].end();
  await connects(server, 6);
  assert.deepEqual(await delays(page), [40, 80, 160, 320, 640]);
  await connected(page);
  server.streams[5].end();
  await connects(server, 7);
  assert.equal((await delays(page))[5], 40);
});

test('the wait before a reconnect differs from client to client, and the option wins over the server', async (t) => {
  const server = await startScripted(t);
  for (const [random, expected] of [
    [0, 500],
    [0.5, 1000],
    [0.999, 1499],
  ]) {
    const page = await openPage(t, `${server.url}/`);
    await recordDelays(page, random);
    await newClient(page, { reconnectTime: 1000 });
    await connected(page);
    server.streams.at(-1).end();
    await until(async () => (await delays(page)).length, 'the client waits');
    assert.deepEqual(await delays(page), [expected]);
    await page.close(); // its reconnect would be taken for the next page's stream
  }
});

test('a server’s connect-close is final until connect()', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, { reconnectTime: 1 }, ['connect-close']);
  await connected(page);
  const [{ id }] = server.streams;
  server.streams[0].event('connect-close', `{"connectionId": "${id}"}`);
  server.streams[0].end();
  await arrived(page, 1);
  assert.deepEqual(await received(page), [['connect-close', `{"connectionId": "${id}"}`, 'server', 'server-close']]);
  await setVisibility(page, 'hidden');
  await setVisibility(page, 'visible');
  assert.equal(await page.evaluate(() => window.client.state), 2);
  assert.equal(server.streams.length, 1);
  assert.equal(server.named('disconnect.do').length, 0);
  await page.evaluate(() => window.client.connect());
  await connects(server, 2);
  await connected(page);
});

test('close() is final: neither a visible tab nor the network brings it back', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, { reconnectTime: 1 });
  await connected(page);
  await page.evaluate(() => window.client.close());
  await setVisibility(page, 'hidden');
  await setVisibility(page, 'visible');
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  assert.equal(await page.evaluate(() => window.client.state), 2);
  assert.equal(server.streams.length, 1);
});

test('says goodbye before its stream ends, and lets it go even when no answer comes', async (t) => {
  let open;
  const server = await startScripted(t, {
    onRequest({ path }) {
      if (path === 'disconnect.do') open = !server.streams[0].closed;
    },
  });
  const page = await openClient(t, server);
  await connected(page);
  await page.evaluate(() => window.client.close());
  await until(() => open !== undefined, 'the beacon');
  assert.equal(open, true);
  server.streams[0].event('news', 'too late');
  // A request that was given up before it arrived is no stream.
  await until(() => server.streams.every((stream) => stream.closed), 'no stream is open');
  assert.deepEqual(await received(page), []);
  assert.equal(server.streams.length, 1);
});

test('a stream that ends after the goodbye is not opened again', async (t) => {
  const server = await startScripted(t, {
    onStream(stream) {
      stream.response.write('retry:1\n');
      stream.finish();
    },
    onRequest: ({ path }) => path === 'disconnect.do' && server.streams[0].end(),
  });
  const page = await openClient(t, server);
  await connected(page);
  await page.evaluate(() => window.client.close());
  // A request that was given up before it arrived is no stream.
  await until(() => server.streams.every((stream) => stream.closed), 'no stream is open');
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)));
  assert.equal(server.streams.length, 1);
});

test('close() while waiting to reconnect ends the trying', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, { reconnectTime: 60000 });
  await connected(page);
  server.streams[0].end();
  await until(() => page.evaluate(() => window.client.state === 0), 'the client waits');
  assert.equal(await page.evaluate(() => window.client.connectionId), undefined);
  await page.evaluate(() => window.client.close());
  assert.equal(await page.evaluate(() => window.client.state), 2);
});

test('an event that is called error is an event', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, {}, ['error']);
  await connected(page);
  server.streams[0].event('error', 'data');
  await arrived(page, 1);
  assert.deepEqual(await received(page), [['error', 'data']]);
  assert.equal(await isActive(page), true);
});

test('confirms in batches and drops what it has seen', async (t) => {
  const server = await startScripted(t, { onStream: (stream) => stream.finish({ ack: true }) });
  const page = await openClient(t, server);
  await connected(page);
  const ids = Array.from({ length: 250 }, (_, i) => String(9223372036854775001n + BigInt(i)));
  const confirmed = () => server.named('ack.do').flatMap(({ body }) => body.ids);
  server.streams[0].event('news', 'no id');
  for (const id of ids) server.streams[0].event('news', id, id);
  server.streams[0].event('news', 'no id');
  await until(() => confirmed().length === ids.length, 'all are confirmed');
  assert.deepEqual(confirmed().sort(), ids);
  assert.ok(
    server.named('ack.do').every(({ body }) => body.ids.length <= 100 && body.connectionId === server.streams[0].id),
  );
  assert.equal((await received(page)).length, ids.length + 2);

  server.streams[0].end();
  await connects(server, 2);
  await connected(page);
  server.streams[1].event('news', 'again', ids[7]);
  server.streams[1].event('news', 'new', '9223372036854775700');
  await until(() => confirmed().length === ids.length + 2, 'what came again is confirmed again');
  assert.deepEqual((await received(page)).slice(ids.length + 2), [['news', 'new']]);
});

test('confirms nothing where the server does not ask, and takes every event', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server);
  await connected(page);
  server.streams[0].event('news', 'a', '1');
  await arrived(page, 1);
  server.streams[0].end();
  await connects(server, 2);
  await connected(page);
  server.streams[1].event('news', 'b', '1');
  await arrived(page, 2);
  await page.evaluate(() => window.client.send('done'));
  assert.equal(server.named('ack.do').length, 0);
});

test('confirms only marked events where the server marks, and knows a second copy that follows the first', async (t) => {
  const server = await startScripted(t, { onStream: (stream) => stream.finish({ ack: true, ackMarks: true }) });
  const page = await openClient(t, server);
  await connected(page);
  assert.equal(server.streams[0].query.ackMarks, '1');
  const [stream] = server.streams;
  const message = (id, name = 'news') => {
    stream.event('sse-qos', '');
    stream.event(name, `message ${id}`, id);
  };
  stream.event('news', 'broadcast', '5');
  message('6');
  message('6');
  message('7', 'unheard');
  stream.event('news', 'no id');
  message('8');
  stream.event('news', 'broadcast', '9');
  const confirmed = () => server.named('ack.do').flatMap(({ body }) => body.ids);
  await until(() => confirmed().includes('8'), 'the last message is confirmed');
  assert.deepEqual(
    (await received(page)).map(([, data]) => data),
    ['broadcast', 'message 6', 'no id', 'message 8', 'broadcast'],
  );
  assert.deepEqual(
    confirmed().filter((id) => id !== '7'),
    ['6', '6', '8'],
  );
});

test('what was handled last is confirmed before the goodbye', async (t) => {
  const server = await startScripted(t, { onStream: (stream) => stream.finish({ ack: true }) });
  const page = await openClient(t, server);
  await page.evaluate(() => window.client.addListener('last', () => window.client.close()));
  await connected(page);
  server.streams[0].event('news', 'a', '1');
  server.streams[0].event('last', 'b', '2');
  await until(() => server.named('disconnect.do').length, 'the goodbye');
  const [first] = server.named('ack.do');
  assert.equal(first.body.ids[0], '1');
  assert.equal(first.body.connectionId, server.streams[0].id);
  // A simple request (Fetch §2.2.2): from another origin it needs no preflight.
  assert.match(first.headers['content-type'], /^text\/plain/);
});

test('the window hears every event after the intercepts, with the service it came from', async (t) => {
  const server = await startScripted(t);
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(async () => {
    const { default: Sse } = await import('/my-sse');
    window.heard = [];
    for (const name of ['connect-finish', 'news', 'quiet', 'connect-close']) {
      window.addEventListener(name, (event) =>
        window.heard.push(['window', name, event.data, event.url, event.whoTriggerClose]),
      );
    }
    const intercept = (event) => event.type === 'news' && window.heard.push(['intercept', event.type]);
    const eventListeners = { quiet: null, news: () => window.heard.push(['listener', 'news']) };
    window.client = new Sse({ eventListeners, intercepts: [intercept] });
  });
  await connected(page);
  server.streams[0].event('news', 'n');
  server.streams[0].event('quiet', 'q');
  await until(() => page.evaluate(() => window.heard.some(([, name]) => name === 'quiet')), 'the last event');
  await page.evaluate(() => window.client.close());
  const [finish, ...rest] = await page.evaluate(() => window.heard);
  assert.equal(finish[1], 'connect-finish');
  assert.deepEqual(rest.slice(0, 4), [
    ['intercept', 'news'],
    ['listener', 'news'],
    ['window', 'news', 'n', '/my-sse', undefined],
    ['window', 'quiet', 'q', '/my-sse', undefined],
  ]);
  assert.equal(rest[4][4], 'client');
});

test('events with the name of a DOM event reach listeners and never the window', async (t) => {
  const server = await startScripted(t);
  const names = ['pagehide', 'error', 'message', 'load', 'visibilitychange', 'DOMContentLoaded', 'freeze', 'resume'];
  const page = await openClient(t, server, {}, [...names, 'last']);
  await page.evaluate((all) => {
    window.heard = [];
    window.onerror = (...values) => window.heard.push(['onerror', ...values]);
    for (const name of [...all, 'last']) window.addEventListener(name, () => window.heard.push(name));
  }, names);
  await connected(page);
  for (const name of [...names, 'last']) server.streams[0].event(name, name);
  await arrived(page, names.length + 1);
  assert.deepEqual(
    await received(page),
    [...names, 'last'].map((name) => [name, name]),
  );
  assert.deepEqual(await page.evaluate(() => window.heard), ['last']);
  assert.equal(await isActive(page), true);
  assert.equal(server.named('disconnect.do').length, 0);
});

test('listeners that a URL cannot hold are sent in a request of their own', async (t) => {
  const server = await startScripted(t);
  const names = Array.from({ length: 999 }, (_, i) => `an-event-name-with-number-${i}-服`);
  const page = await openClient(t, server, { query: { long: 'x'.repeat(1000) } }, [...names, 'with,comma', 'news']);
  await until(() => server.named('addListener.do').length, 'the request');
  const inURL = server.streams[0].query.listeners.split(',');
  assert.ok(inURL.length > 20);
  assert.ok(server.streams[0].url.length <= 6000, `${server.streams[0].url.length} characters`);
  const [{ body }] = server.named('addListener.do');
  assert.equal(body.connectionId, server.streams[0].id);
  assert.deepEqual([...inURL, ...body.listener].sort(), [...names, 'with,comma', 'news'].sort());
  await page.evaluate(() => window.client.send('after'));
  assert.equal(server.named('addListener.do').length, 1);
});

test('on() adds listeners, off() removes them, and the server hears once what has changed', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server);
  await connected(page);
  await page.evaluate(() => {
    const { client } = window;
    const keep = (who) => (event) => window.received.push([who, event.data]);
    window.fns = { a: keep('a'), b: keep('b'), c: keep('c') };
    client.on('news', window.fns.a);
    client.on('news', window.fns.b, { once: true });
    client.on('more', window.fns.a);
    window.offC = client.on('more', window.fns.c);
    client.on('other', window.fns.a);
    client.off('other', window.fns.a);
    client.on('sse-change-state', window.fns.a);
  });
  await until(() => server.requests.length, 'the request');
  assert.deepEqual(server.requests[0].body.listener, ['more']);
  server.streams[0].event('news', 1);
  server.streams[0].event('news', 2);
  server.streams[0].event('more', 3);
  await arrived(page, 7);
  assert.deepEqual(await received(page), [
    ['news', '1'],
    ['a', '1'],
    ['b', '1'],
    ['news', '2'],
    ['a', '2'],
    ['a', '3'],
    ['c', '3'],
  ]);
  await page.evaluate(async () => {
    window.received = [];
    await window.client.removeListener('news');
    window.offC();
    window.offC();
  });
  server.streams[0].event('news', 4);
  server.streams[0].event('more', 5);
  await arrived(page, 2);
  assert.deepEqual(await received(page), [
    ['a', '4'],
    ['a', '5'],
  ]);
  assert.deepEqual(server.named('removeListener.do')[0].body.listener, []); // on() still wants it
  await page.evaluate(() => {
    window.client.off('news', window.fns.a);
    window.client.off('more', window.fns.a);
    window.client.off('unknown', window.fns.a);
  });
  await until(() => server.named('removeListener.do').length === 2, 'the second removal');
  assert.deepEqual(server.named('removeListener.do')[1].body.listener.sort(), ['more', 'news']);
  assert.equal(server.named('addListener.do').length, 1);
  assert.match(await page.evaluate(() => {
    try {
      return window.client.on('x');
    } catch (error) {
      return String(error);
    }
  }), /TypeError: on\(\) takes/);
});

test('listeners that are added right after the construction are there when the first event arrives', async (t) => {
  const server = await startScripted(t, {
    onStream(stream) {
      stream.finish();
      stream.event('news', 'first');
    },
  });
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(async () => {
    const { default: Sse } = await import('/my-sse');
    window.received = [];
    window.client = new Sse();
    window.client.on('news', (event) => window.received.push([event.type, event.data]));
  });
  await arrived(page, 1);
  assert.equal(server.streams[0].query.listeners, 'news');
  assert.equal(server.requests.length, 0);
});

test('addListener replaces, also while the stream is open', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server);
  await connected(page);
  await page.evaluate(() => window.client.addListener('news', (event) => window.received.push(['second', event.data])));
  server.streams[0].event('news', 'x');
  await arrived(page, 1);
  assert.deepEqual(await received(page), [['second', 'x']]);
});

test('a listener that the server cannot be told of leads to a stream with it', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, { reconnectTime: 1 });
  await connected(page);
  await page.route('**/addListener.do*', (route) => route.abort());
  await page.evaluate(() => window.client.on('more', () => {}));
  await connects(server, 2);
  assert.equal(server.streams[1].query.listeners, 'news,more');
  await connected(page);
});

test('a refusal of listeners is reported, and changes nothing else', async (t) => {
  const server = await startScripted(t, { onRequest: () => ({ status: 400, json: { success: false } }) });
  const page = await openClient(t, server);
  await connected(page);
  await page.evaluate(() => window.client.on('more', () => {}));
  await until(() => page.problems.length, 'the report');
  assert.match(page.problems[0], /addListener of 1 events was refused: \{"success":false\}/);
  server.streams[0].event('news', 'x');
  await arrived(page, 1);
  assert.equal(server.requests.length, 1);
  assert.equal(server.streams.length, 1);
});

for (const data of ['', 'no JSON', 'null', '[]', '7', '{"connectionId":null,"reconnectTime":"soon"}']) {
  test(`foreign data breaks nothing: ${data || 'none'}`, async (t) => {
    const events = ['connect-finish', 'sse-set-duration', 'news', 'connect-close'];
    const server = await startScripted(t, {
      onStream(stream) {
        stream.event('sse-qos', '');
        stream.event('news', data, '5'); // before the first event of a server
        stream.event('connect-finish', data, stream.id);
        stream.event('sse-set-duration', data);
        stream.event('news', data, '6');
        if (server.streams.length === 2) stream.event('connect-close', data);
        stream.end();
      },
    });
    const page = await openPage(t, `${server.url}/`);
    await recordDelays(page, 0.5);
    await newClient(page, { reconnectTime: 1 }, events);
    await arrived(page, 9);
    assert.deepEqual(page.problems, []);
    const types = (await received(page)).map(([type]) => type);
    assert.equal(types.filter((type) => type === 'sse-set-duration').length, 2);
    assert.equal(types.at(-1), 'connect-close');
  });
}

test('without the window event bus the window hears nothing', async (t) => {
  const server = await startScripted(t);
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(() => window.addEventListener('news', () => (window.heard = true)));
  await newClient(page, { useWindowEventBus: false });
  await connected(page);
  server.streams[0].event('news', 'n');
  await arrived(page, 1);
  assert.equal(await page.evaluate(() => window.heard), undefined);
});

test('a listener that throws keeps neither others nor the connection from going on', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server);
  await page.evaluate(() => {
    window.client.addListener('bad', () => {
      throw new Error('broken listener');
    });
  });
  await connected(page);
  server.streams[0].event('bad', 'x');
  server.streams[0].event('news', 'y');
  await arrived(page, 1);
  await until(() => page.problems.length, 'the error is reported');
  assert.match(page.problems[0], /broken listener/);
});

test('works where storage is blocked', async (t) => {
  const server = await startScripted(t);
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(() => {
    for (const kind of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(window, kind, {
        get() {
          throw new DOMException('denied', 'SecurityError');
        },
      });
    }
  });
  await newClient(page);
  await connected(page);
  const first = server.streams[0].query.clientId;
  assert.match(first, /^[0-9a-f]{20,32}$/);
  await page.evaluate(() => window.client.destroy());
  await newClient(page);
  await connected(page);
  assert.equal(server.streams[1].query.clientId, first);
  assert.deepEqual(page.problems, []);
});

test('works in a worker, which has no document', async (t) => {
  const server = await startScripted(t);
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate((url) => {
    const program = `
      import Sse from '${url}/my-sse';
      const eventListeners = { news: ({ data }) => postMessage(data) };
      const client = new Sse({ url: '${url}/my-sse', clientId: 'a worker', eventListeners });
      onmessage = () => client.close('enough');`;
    window.received = [];
    const source = URL.createObjectURL(new Blob([program], { type: 'text/javascript' }));
    window.worker = new Worker(source, { type: 'module' });
    window.worker.onerror = (event) => window.received.push(event.message);
    window.worker.onmessage = (event) => window.received.push(event.data);
  }, server.url);
  await connects(server, 1);
  assert.equal(server.streams[0].query.clientId, 'a worker');
  assert.ok(!('screen' in server.streams[0].query));
  server.streams[0].event('news', 'heard');
  await arrived(page, 1);
  assert.deepEqual(await received(page), ['heard']);
  await page.evaluate(() => window.worker.postMessage(''));
  await until(() => server.named('disconnect.do').length, 'the goodbye');
  assert.equal(server.named('disconnect.do')[0].body.reason, 'enough');
});

test('the client id stays over a reload', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server);
  await connected(page);
  await page.reload();
  await newClient(page);
  await connected(page);
  assert.equal(server.streams[1].query.clientId, server.streams[0].query.clientId);
  assert.notEqual(server.streams[1].query.clientInstanceId, server.streams[0].query.clientInstanceId);
  assert.equal(server.named('disconnect.do')[0].body.reason, 'unload');
});

test('counts the seconds the user is there, over connections of one browser session', async (t) => {
  const server = await startScripted(t);
  const page = await openPage(t, `${server.url}/`);
  await page.evaluate(() => {
    window.now = 1_700_000_000_000;
    Date.now = () => window.now;
  });
  await newClient(page, { leaveTimeout: 5000, leaveCheckInterval: 10 }, ['sse-change-active']);
  await connected(page);
  const changes = async (count) => {
    await arrived(page, count);
    return (await received(page)).map(([, data]) => data);
  };
  const here = { oldActive: false, newActive: true, duration: { duration: 0, sessionDuration: 0 } };
  assert.deepEqual(await changes(1), [here]);
  await page.evaluate(() => {
    window.now += 4000;
    document.dispatchEvent(new MouseEvent('mousemove'));
    window.now += 5000;
  });
  assert.deepEqual((await changes(2))[1], {
    oldActive: true,
    newActive: false,
    duration: { duration: 9, sessionDuration: 0 },
  });
  await page.evaluate(() => {
    window.now += 60_000;
    document.dispatchEvent(new MouseEvent('click'));
  });
  assert.deepEqual((await changes(3))[2], {
    oldActive: false,
    newActive: true,
    duration: { duration: 0, sessionDuration: 9 },
  });
  await page.evaluate(() => {
    window.now += 3000;
    window.client.close();
  });
  await until(() => server.named('disconnect.do').length, 'the beacon');
  assert.equal(server.named('disconnect.do')[0].body.sessionDuration, '12');
  assert.equal(server.named('disconnect.do')[0].body.duration, '12');

  await page.evaluate(() => window.client.connect());
  await connects(server, 2);
  assert.equal(server.streams[1].query.sessionDuration, '12');
  await connected(page);
  server.streams[1].event('sse-set-duration', { duration: '120' });
  await page.evaluate(() =>
    window.client.addListener('last', (event) => window.received.push([event.type, event.data])),
  );
  server.streams[1].event('last', '');
  await until(async () => (await received(page)).some(([type]) => type === 'last'), 'the last event');
  await page.evaluate(() => {
    window.now += 1000;
    window.client.close();
  });
  await until(() => server.named('disconnect.do').length === 2, 'the second beacon');
  assert.equal(server.named('disconnect.do')[1].body.sessionDuration, '121');
});

test('switchURL moves to another service', async (t) => {
  const server = await startScripted(t);
  const page = await openClient(t, server, {}, ['news', 'connect-close']);
  await connected(page);
  server.streams[0].event('news', 'a', '77');
  await arrived(page, 1);
  await page.evaluate(() => window.client.switchURL('/other'));
  await connects(server, 2);
  assert.equal(server.streams[1].path, '/other/connect');
  assert.ok(!('lastEventId' in server.streams[1].query));
  assert.deepEqual((await received(page))[1].slice(2), ['client', 'switchURL']);
  await connected(page);
});

test('destroy() rejects what waits and lets go of the page', async (t) => {
  const server = await startScripted(t, { onStream: () => {} });
  const page = await openClient(t, server);
  const message = await page.evaluate(async () => {
    const waiting = window.client.send('never').catch((error) => error.message);
    window.client.destroy();
    window.client.connect();
    return waiting;
  });
  assert.match(message, /destroyed/);
  assert.match(await page.evaluate(() => window.client.send('later').catch((error) => error.message)), /destroyed/);
  assert.equal(await page.evaluate(() => window.client.state), 2);
  // A request that was given up before it arrived is no stream.
  await until(() => server.streams.every((stream) => stream.closed), 'no stream is open');
});
