// The client module and plain EventSource clients, against the real server.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { EventSource } from 'eventsource';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';

after(closeBrowser);

/** Opens an Sse inside the page as `user`, listening to `names`; what arrives collects in window.received. */
async function openClient(page, user, ...names) {
  await page.evaluate(
    async ([userId, events]) => {
      const { default: Sse } = await import('/my-sse');
      window.received = [];
      const keep = (event) => window.received.push(event.data);
      await new Promise((resolve) => {
        const eventListeners = Object.fromEntries([...events.map((name) => [name, keep]), ['connect-finish', resolve]]);
        window.client = new Sse({ query: { userId }, eventListeners });
      });
    },
    [user, names],
  );
}

const MEBIBYTE = 2 ** 20;
const FRAMED = [
  ['plain', 'hello'],
  ['LF', 'a\nb'],
  ['CR', 'a\rb', 'a\nb'],
  ['CRLF', 'a\r\nb', 'a\nb'],
  ['LF CR', 'a\n\rb', 'a\n\nb'],
  ['breaks at both ends', '\n\na\n', '\n\na\n'],
  ['only a break', '\n'],
  ['empty', ''],
  ['a leading space', ' a'],
  ['leading spaces on each line', '  a\n  b'],
  ['a byte order mark', '\ufeffa\ufeff'],
  ['emoji', '👩‍👩‍👧‍👦 🏳️‍🌈 𝄞'],
  ['what looks like fields', 'id: 7\n\nevent: connect-close\ndata: x\n: comment\nretry: 1'],
  ['a colon first', ': not a comment'],
  ['NUL and controls', 'a\u0000b\u0001\u001b\u007f\u0085\u2028\u2029c'],
  ['1 MiB in one line', '服'.repeat(MEBIBYTE / 3) + 'x'],
  ['1 MiB of short lines', 'ab\n'.repeat(MEBIBYTE / 3)],
];

test('data arrives byte for byte', async (t) => {
  const server = await startServer(t);
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, 'framing', 'framing');
  for (const [i, [what, sent, expected = sent]] of FRAMED.entries()) {
    const { delivered } = await server.send('framing', 'framing', sent);
    assert.equal(delivered, 1, what);
    await until(() => page.evaluate((n) => window.received.length > n, i), `${what} arrives`);
    const got = await page.evaluate((n) => window.received[n], i);
    assert.equal(got.length, expected.length, what);
    assert.ok(Buffer.from(got, 'utf16le').equals(Buffer.from(expected, 'utf16le')), what);
  }
});

test('what is no text is refused and reaches no listener', async (t) => {
  const server = await startServer(t);
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, 'framing', 'framing');
  const request = (data) =>
    Buffer.concat([Buffer.from('{"target":{"users":["framing"]},"event":"framing","data":"'), data, Buffer.from('"}')]);
  const refused = {
    'a lone high surrogate': Buffer.from('\\ud83d'),
    'a lone low surrogate': Buffer.from('\\ude00'),
    'surrogates the wrong way round': Buffer.from('\\ude00\\ud83d'),
    'a byte that is never UTF-8': Buffer.from([0xff]),
    'a cut sequence': Buffer.from([0xe6, 0x9c]),
    'an overlong slash': Buffer.from([0xc0, 0xaf]),
    'a surrogate in UTF-8': Buffer.from([0xed, 0xa0, 0x80]),
    'past U+10FFFF': Buffer.from([0xf4, 0x90, 0x80, 0x80]),
  };
  for (const [what, bytes] of Object.entries(refused)) {
    const { status, json } = await server.admin('POST', '/api/v1/send', request(bytes));
    assert.equal(status, 400, what);
    assert.equal(json?.status, 400, what);
  }
  await server.send('framing', 'framing', 'the end');
  await until(() => page.evaluate(() => window.received.length), 'the last one arrives');
  assert.deepEqual(await page.evaluate(() => window.received), ['the end']);
});

test('ssectl sends what its standard input and arguments say', async (t) => {
  const server = await startServer(t);
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, 'shell', 'news', 'server-push');
  await server.ssectl('send', '--user', 'shell', '--event', 'news', 'a\nb 服务');
  await until(() => page.evaluate(() => window.received.length), 'the event arrives');
  assert.deepEqual(await page.evaluate(() => window.received), ['a\nb 服务']);
});

test('a qos message waits for its user and is gone once delivered', async (t) => {
  const server = await startServer(t);
  await server.send('later', 'news', 'kept for you', { qos: true });
  assert.equal((await server.admin('GET', '/api/v1/messages')).json.total, 1);
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, 'later', 'news');
  await until(() => page.evaluate(() => window.received.length), 'the message arrives');
  assert.deepEqual(await page.evaluate(() => window.received), ['kept for you']);
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'the message is confirmed');
});

test('listeners, messages and uploads go to the own connection', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/my-sse`);
  await openClient(page, '1', 'connect-close');
  const answers = await page.evaluate(async () => {
    const { client } = window;
    const form = new FormData();
    form.append('file', new Blob(['content']), 'a.txt');
    const replies = [
      await client.addListener('news', (event) => window.received.push(event.data)),
      await client.send('hello', { a: 1 }, { b: 2 }),
      await client.upload('avatar', form),
      await client.removeListener('connect-close'),
    ];
    return Promise.all(replies.map((reply) => reply.json()));
  });
  for (const answer of answers) assert.equal(answer.success, true, JSON.stringify(answer));
  assert.ok(answers[0].data.listener.includes('news'));
  await server.send('1', 'news', 'heard');
  await until(() => page.evaluate(() => window.received.includes('heard')), 'the new listener is called');
});

test('the classic script defines Sse and works', async (t) => {
  const server = await startServer(t);
  const page = await openPage(t, `${server.url}/my-sse`);
  await page.addScriptTag({ url: '/my-sse?script-type=text/javascript' });
  await page.addScriptTag({ url: '/my-sse/sse.js?script-type=text/javascript' });
  const id = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const sse = new window.Sse({
          query: { userId: '1' },
          eventListeners: { 'connect-finish': () => resolve(sse.connectionId) },
        });
      }),
  );
  assert.equal((await server.connections())[0].id, id);
  assert.deepEqual(page.problems, []);
});

test('npm eventsource gets connect-finish and pushes', async (t) => {
  const server = await startServer(t);
  const source = new EventSource(`${server.url}/my-sse/connect?userId=plain`);
  t.after(() => source.close());
  const next = (name) => new Promise((resolve) => source.addEventListener(name, resolve, { once: true }));
  const finish = await next('connect-finish');
  assert.equal(JSON.parse(finish.data).connectionId, finish.lastEventId);
  const news = next('news');
  assert.equal((await server.send('plain', 'news', { a: '服务' })).delivered, 1);
  assert.deepEqual(JSON.parse((await news).data), { a: '服务' });
});
