// Channels that a page subscribes to: on the open stream, and again whenever it reconnects.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startBadProxy } from './bad_proxy.mjs';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';

after(closeBrowser);

const OPTIONS = ['--reconnect-time', '50ms', '--history', '100'];

async function openClient(t, { url }, options = {}) {
  const page = await openPage(t, `${url}/my-sse`);
  page.asked = [];
  page.on('request', (request) => page.asked.push(request.url()));
  await page.evaluate(async (given) => {
    const { default: Sse } = await import('/my-sse');
    window.got = [];
    window.finished = 0;
    window.client = new Sse({ query: { userId: 'ann' }, ...given });
    window.client.on('connect-finish', () => (window.finished += 1));
    window.client.on('news', ({ data, channel }) => window.got.push(['page', channel ?? null, data]));
    window.follow = (channel, options) =>
      window.client
        .subscribe(channel, options, ({ data, channel: from }) => window.got.push([channel, from, data]))
        .then(() => 'joined', (error) => `${error.name} ${error.reason ?? error.message}`);
  }, options);
  return page;
}

const send = async (server, channels, data, more = {}) => {
  const answer = await server.admin('POST', '/api/v1/send', { target: { channels }, event: 'news', data, ...more });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};
const got = (page) => page.evaluate(() => window.got);
const gets = (page, data) => until(async () => (await got(page)).some((one) => one[2] === data), `the page gets ${data}`);
const channelsOf = async (server) => (await server.connections()).map(({ channels }) => channels.sort().join());
const NEWS = { events: ['news'] };

test('a page gets what is sent to the channels that it has subscribed to', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const page = await openClient(t, server);
  const follow = (channel, options) =>
    page.evaluate(([name, more]) => window.follow(name, more), [channel, options ?? NEWS]);
  assert.equal(await follow('a,b'), 'joined');
  assert.equal(await follow('c'), 'joined');
  assert.deepEqual(await channelsOf(server), ['a,b,c']);
  await send(server, ['a,b'], 'one');
  await send(server, ['c', 'a,b'], 'two');
  await server.send('ann', 'news', 'three');
  await gets(page, 'three');
  assert.deepEqual(await got(page), [
    ['page', 'a,b', 'one'],
    ['a,b', 'a,b', 'one'],
    ['page', 'c', 'two'],
    ['c', 'c', 'two'],
    ['page', null, 'three'],
  ]);
  await page.evaluate(() => window.client.unsubscribe('c'));
  assert.deepEqual(await channelsOf(server), ['a,b']);
  assert.equal((await send(server, ['c'], 'four')).delivered, 0);
});

test('a page publishes as its user, where that is allowed, and is told why not otherwise', async (t) => {
  const rules = ['--channel-rule', '*=anyone', '--publish-rule', 'room.*=subscriber', '--publish-rate', '10', '--max-publish', '100'];
  const server = await startServer(t, ...OPTIONS, ...rules);
  const page = await openClient(t, server);
  const publish = (...args) =>
    page.evaluate(
      (all) =>
        window.client.publish(...all).then(
          (id) => (/^\d+$/.test(id) ? 'published' : `id ${id}`),
          ({ status, reason }) => `${status} ${reason}`,
        ),
      args,
    );
  // Fewer than the rate, so that a quick machine passes, too.
  assert.equal(await publish('room.1', 'news', 1), '403 not-subscribed');
  assert.equal(await page.evaluate((more) => window.follow('room.1', more), NEWS), 'joined');
  assert.equal(await publish('room.1', 'news', { text: 'hi' }), 'published');
  assert.equal(await publish('board', 'news', 1), '403 no-rule');
  assert.equal(await publish('room.1', 'sse-qos', 1), '400 undefined');
  assert.equal(await publish('room.1', 'news', 'x'.repeat(200)), '413 undefined');
  assert.equal(await publish('room.1', 'news', 'not to this client', { echo: false }), 'published');
  assert.equal(await publish('room.1', 'news'), 'published');
  await gets(page, '{"from":{"user":"ann"},"data":null}');
  assert.deepEqual(await got(page), [
    ['page', 'room.1', '{"from":{"user":"ann"},"data":{"text":"hi"}}'],
    ['room.1', 'room.1', '{"from":{"user":"ann"},"data":{"text":"hi"}}'],
    ['page', 'room.1', '{"from":{"user":"ann"},"data":null}'],
    ['room.1', 'room.1', '{"from":{"user":"ann"},"data":null}'],
  ]);
  const answers = await page.evaluate(() =>
    Promise.all(Array.from({ length: 200 }, () => window.client.publish('room.1', 'many', 1).catch(({ reason }) => reason))),
  );
  assert.ok(answers.includes('rate'), answers.join());
});

test('a page whose windows share a stream publishes, too', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const page = await openClient(t, server, { share: true });
  const other = await openPage(t, `${server.url}/my-sse`);
  await other.evaluate(async () => {
    const { default: Sse } = await import('/my-sse');
    window.got = [];
    window.client = new Sse({ query: { userId: 'bob' } });
    await window.client.subscribe('room.1', { events: ['news'] }, ({ data }) => window.got.push([0, 0, data]));
  });
  assert.match(await page.evaluate(() => window.client.publish('room.1', 'news', 7)), /^\d+$/);
  await gets(other, '{"from":{"user":"ann"},"data":7}');
});

test('subscriptions are made again after every reconnect, and what was missed comes', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const page = await openClient(t, server);
  const follow = (channel) => page.evaluate(([name, more]) => window.follow(name, more), [channel, NEWS]);
  await follow('a');
  await follow('b');
  await send(server, ['a'], 'before');
  await gets(page, 'before');
  // What is sent between the end of the stream and the next one is in the history.
  const [{ id }] = await server.connections();
  await page.evaluate(() => window.client.close());
  await until(async () => (await server.connections()).length === 0, 'the stream has ended');
  await send(server, ['b'], 'missed');
  await send(server, ['b', 'a'], 'missed, too');
  await page.evaluate(() => window.client.connect());
  await gets(page, 'missed, too');
  assert.notEqual((await server.connections())[0].id, id);
  assert.deepEqual(await channelsOf(server), ['a,b']);
  assert.deepEqual(
    (await got(page)).filter(([to]) => to !== 'page'),
    [
      ['a', 'a', 'before'],
      ['b', 'b', 'missed'],
      ['a', 'a', 'missed, too'],
    ],
  );
  assert.match(page.asked.filter((url) => url.includes('/connect?')).at(-1), /channelMarks=1.*&channel=a&channel=b/);
});

test('messages that wait in a channel arrive once and are confirmed', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  await send(server, ['a'], 'waits', { qos: true });
  const page = await openClient(t, server);
  await page.evaluate((more) => window.follow('a', more), NEWS);
  await gets(page, 'waits');
  const pending = async () => (await server.admin('GET', '/api/v1/messages')).json.total;
  await until(async () => (await pending()) === 0, 'the message is confirmed');
  await send(server, ['a'], 'live', { qos: true });
  await gets(page, 'live');
  await until(async () => (await pending()) === 0, 'the message is confirmed');
  assert.deepEqual(
    (await got(page)).filter(([to]) => to === 'a').map((one) => one[2]),
    ['waits', 'live'],
  );
});

const inChannel = async (page, channel) => (await got(page)).filter(([to]) => to === channel).map((one) => one[2]);

test('a channel that is joined later catches up from a position, and changes none of the stream', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const seen = await send(server, ['a'], 'seen');
  await send(server, ['a'], 'missed 1');
  const page = await openClient(t, server);
  await page.evaluate((more) => window.follow('b', more), NEWS);
  await send(server, ['b'], 'mine');
  await send(server, ['a', 'b'], 'both');
  await send(server, ['a'], 'missed 2', { qos: true });
  await gets(page, 'both');
  assert.equal(await page.evaluate((more) => window.follow('a', more), { ...NEWS, since: seen.id }), 'joined');
  await send(server, ['a'], 'live');
  await gets(page, 'live');
  // What it has had through another channel it does not get again.
  assert.deepEqual(await inChannel(page, 'a'), ['missed 1', 'missed 2', 'live']);
  const pending = async () => (await server.admin('GET', '/api/v1/messages')).json.total;
  await until(async () => (await pending()) === 0, 'the message is confirmed');
  // It resumes with the others from then on.
  await page.evaluate(() => window.client.close());
  await until(async () => (await server.connections()).length === 0, 'the stream has ended');
  await send(server, ['a'], 'while away');
  await page.evaluate(() => window.client.connect());
  await gets(page, 'while away');
  assert.match(page.asked.filter((url) => url.includes('/connect?')).at(-1), /&channel=b&channel=a/);
  assert.deepEqual(await inChannel(page, 'a'), ['missed 1', 'missed 2', 'live', 'while away']);
});

test('a catch-up that is cut off in the middle goes on where it was', async (t) => {
  const server = await startServer(t, '--reconnect-time', '50ms', '--history', '1000');
  const proxy = await startBadProxy(t, server);
  const seen = await send(server, ['a'], 'seen');
  const missed = Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(5000)}`);
  for (const data of missed) await send(server, ['a'], data);
  const page = await openClient(t, proxy);
  await page.evaluate((more) => window.follow('b', more), NEWS);
  // The stream that the next subscription is for carries less than half of it.
  // Also on a connection that the browser uses again.
  proxy.limit = 200_000;
  for (const path of proxy.paths) path.limit = path.carried + proxy.limit;
  await page.evaluate(() => window.client.close());
  await page.evaluate(() => window.client.connect());
  await until(async () => (await channelsOf(server)).join('|') === 'b', 'the page is connected again');
  await page.evaluate((more) => window.follow('a', more), { ...NEWS, since: seen.id });
  await until(() => proxy.paths.some(({ hold }) => hold), 'the stream is cut off');
  await until(async () => (await inChannel(page, 'a')).length > 20, 'the page has a part');
  await send(server, ['a'], 'after the cut');
  await send(server, ['b'], 'to the other channel');
  assert.ok((await inChannel(page, 'a')).length < 50);
  proxy.limit = undefined;
  proxy.resetAll();
  await gets(page, 'after the cut');
  await gets(page, 'to the other channel');
  assert.deepEqual(await inChannel(page, 'a'), [...missed, 'after the cut']);
  const connects = page.asked.filter((url) => url.includes('/connect?'));
  assert.doesNotMatch(connects.at(-1), /channel=a/, 'it has a position of its own');
  // What it no longer misses resumes with the stream.
  await page.evaluate(() => window.client.close());
  await page.evaluate(() => window.client.connect());
  await until(async () => (await channelsOf(server)).join('|') === 'a,b', 'the page is connected again');
  assert.match(page.asked.filter((url) => url.includes('/connect?')).at(-1), /channel=b&channel=a/);
});

test('channels that no URL could hold miss nothing between two streams', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const page = await openClient(t, server);
  const names = Array.from({ length: 60 }, (_, i) => `channel-${i}-${'x'.repeat(60)}`);
  const follow = (channel) => page.evaluate(([name, more]) => window.follow(name, more), [channel, NEWS]);
  await Promise.all(names.map(follow));
  await send(server, [names[59]], 'before');
  await gets(page, 'before');
  await page.evaluate(() => window.client.close());
  await until(async () => (await server.connections()).length === 0, 'the stream has ended');
  await send(server, [names[59]], 'missed in the last one');
  await send(server, [names[0]], 'missed in the first one');
  await page.evaluate(() => window.client.connect());
  await gets(page, 'missed in the last one');
  await gets(page, 'missed in the first one');
  await send(server, [names[59]], 'live');
  await gets(page, 'live');
  assert.deepEqual(await inChannel(page, names[59]), ['before', 'missed in the last one', 'live']);
});

test('what a channel has missed for good is told for this channel', async (t) => {
  const server = await startServer(t, '--reconnect-time', '50ms', '--history', '2');
  const seen = await send(server, ['a'], 'seen');
  for (const data of ['gone', 'two', 'three']) await send(server, ['a'], data);
  const page = await openClient(t, server);
  await page.evaluate(() => {
    window.resyncs = [];
    window.client.on('resync', ({ channel, data }) => window.resyncs.push([channel, JSON.parse(data).missed]));
  });
  await page.evaluate((more) => window.follow('a', more), { ...NEWS, since: seen.id });
  await gets(page, 'three');
  assert.deepEqual(await inChannel(page, 'a'), ['two', 'three']);
  assert.deepEqual(await page.evaluate(() => window.resyncs), [['a', 1]]);
  assert.match(await page.evaluate(() => window.follow('b', { since: 'x' })), /^TypeError/);
});

test('a channel that is refused rejects with the reason, and the stream stays', async (t) => {
  const server = await startServer(t, ...OPTIONS, '--channel-rule', 'public.*=anyone');
  const page = await openClient(t, server);
  assert.equal(await page.evaluate((more) => window.follow('public.a', more), NEWS), 'joined');
  assert.equal(await page.evaluate((more) => window.follow('board', more), NEWS), 'Error no-rule');
  assert.match(await page.evaluate(() => window.follow('', {})), /^TypeError/);
  assert.deepEqual(await channelsOf(server), ['public.a']);
  // Of two listeners the channel stays for the other one.
  await page.evaluate(async () => {
    const quiet = () => window.got.push(['quiet']);
    await window.client.subscribe('public.a', { events: ['news', 'other'] }, quiet);
    await window.client.unsubscribe('public.a', quiet);
    await window.client.unsubscribe('public.b');
  });
  assert.deepEqual(await channelsOf(server), ['public.a']);
  await send(server, ['public.a'], 'still');
  await gets(page, 'still');
  assert.ok(!(await got(page)).some(([to]) => to === 'quiet'));
  // One that is no name costs the others nothing, and requests keep their order.
  const all = await page.evaluate(async () => {
    const names = ['public.b', 'x'.repeat(300), 'public.c'];
    const results = names.map((name) => window.follow(name, null));
    window.client.unsubscribe('public.c');
    results.push(window.follow('public.c', null));
    window.client.unsubscribe('public.b');
    return Promise.all(results);
  });
  assert.deepEqual(all.map((one) => one.slice(0, 12)), ['joined', "Error 'xxxxx", 'joined', 'joined']);
  await until(async () => (await channelsOf(server)).join('|') === 'public.a,public.c', 'the channels that are left');
});

test('a page that subscribes in the task that creates the client opens one stream', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const page = await openPage(t, `${server.url}/my-sse`);
  const names = Array.from({ length: 60 }, (_, i) => `channel-${i}-${'x'.repeat(60)}`);
  await page.evaluate(async (all) => {
    const { default: Sse } = await import('/my-sse');
    window.finished = 0;
    window.client = new Sse({ query: { userId: 'ann', channel: 'from-query' } });
    window.client.on('connect-finish', () => (window.finished += 1));
    await Promise.all(all.map((name) => window.client.subscribe(name, {}, () => {})));
  }, names);
  const expected = [[...names, 'from-query'].sort().join()];
  assert.deepEqual(await channelsOf(server), expected);
  assert.equal(await page.evaluate(() => window.finished), 1);
  // Not all of them fit into a URL.
  await page.evaluate(() => {
    window.client.close();
    window.client.connect();
  });
  await until(async () => (await page.evaluate(() => window.finished)) === 2, 'the page is connected again');
  await until(async () => (await channelsOf(server)).join('|') === expected.join('|'), 'it is in all channels again');
});

test('a shared stream has no subscriptions of single windows', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const page = await openClient(t, server, { share: true });
  assert.match(await page.evaluate(() => window.follow('a', {})), /^TypeError/);
});
