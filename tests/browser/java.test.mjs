// A page that brings the Java library's own client module, unchanged, against the real server.

import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { closeBrowser, openPage, setVisibility, startServer, until } from './harness.mjs';

after(closeBrowser);

const RECONNECT = 100;
const CLIENT = process.env.SSE_JAVA_CLIENT ?? new URL('java_client.mjs', import.meta.url);

/** A web root with the client and a page for it, as that library's own documentation writes one. */
async function openJavaPage(t, { options = {}, query = {} } = {}, ...args) {
  const root = await mkdtemp(path.join(tmpdir(), 'sse-java-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await copyFile(CLIENT, path.join(root, 'client.js'));
  await writeFile(
    path.join(root, 'index.html'),
    `<!doctype html><title>page</title><script type="module">
      window.received = [];
      const keep = ({ type, data, whoTriggerClose, closeReason }) =>
        window.received.push([type, data, whoTriggerClose, closeReason].filter((part) => part !== undefined));
      const eventListeners = { 'connect-finish': keep, 'connect-close': keep, 'myHunterBell': keep };
      window.addEventListener('myHunterBell', ({ data }) => (window.bell = data));
      import('/client.js').then((module) => {
        window.sseConnection = new module.default({
          url: '/my-sse', eventListeners, query: ${JSON.stringify(query)}, ...${JSON.stringify(options)} });
      });
    </script>`,
  );
  const server = await startServer(t, '--demo', '--web-root', root, ...args);
  const page = await openPage(t, `${server.url}/`);
  await connected(page);
  return { server, page };
}

const connected = (page) =>
  until(() => page.evaluate(() => Boolean(window.sseConnection?.isActive())), 'the page is connected');
const received = (page, name) =>
  page.evaluate((wanted) => window.received.filter(([type]) => type === wanted), name);
const arrived = (page, name, count = 1) =>
  until(async () => (await received(page, name)).length >= count, `${count} ${name}`);
const noStreamLeft = (server) => until(async () => (await server.connections()).length === 0, 'the server knows');

/** Neither a stream nor a plan to open one: a timer set now runs after those the client may have set before. */
async function stayedAway(page) {
  await until(() => page.evaluate(() => window.sseConnection.es === null), 'the page lets go of its stream');
  await page.evaluate((longest) => new Promise((resolve) => setTimeout(resolve, longest)), 2 * RECONNECT);
  assert.deepEqual(await page.evaluate(() => [window.sseConnection.es, window.sseConnection.state]), [null, 2]);
}

test('connects and hears what is sent, on the window too', async (t) => {
  const { server, page } = await openJavaPage(t, { query: { 'access-token': '123' } });
  const [connection] = await server.connections();
  assert.equal(connection.id, await page.evaluate(() => window.sseConnection.connectionId));
  assert.equal(connection.clientVersion, '1.2.17');
  assert.deepEqual([...connection.listeners].sort(), ['connect-close', 'connect-finish', 'myHunterBell']);
  assert.equal(await page.evaluate(() => window.sseConnection.connectResponse.name), 'defaultConnectionService');
  await server.send('1', 'myHunterBell', '{"count":100}');
  await until(() => page.evaluate(() => window.bell === '{"count":100}'), 'the bell rings on the window');
  assert.deepEqual(await received(page, 'myHunterBell'), [['myHunterBell', '{"count":100}']]);
  assert.deepEqual(page.problems, []);
});

test('what it sends back is answered', async (t) => {
  const { server, page } = await openJavaPage(t, { query: { 'access-token': '123' } });
  const answers = await page.evaluate(async () => {
    const { sseConnection } = window;
    const form = new FormData();
    form.append('file', new Blob(['content']), 'a.txt');
    const replies = [
      await sseConnection.addListener('xxx-xx', ({ data }) => window.received.push(['xxx-xx', data])),
      await sseConnection.send('hello/there', { a: '服务' }, { b: 2 }),
      await sseConnection.upload('avatar', form, { c: 3 }),
      await sseConnection.removeListener('myHunterBell'),
    ];
    return Promise.all(replies.map((reply) => reply.json()));
  });
  for (const answer of answers) assert.equal(answer.success, true, JSON.stringify(answer));
  assert.ok(answers[0].data.listener.includes('xxx-xx'));
  assert.deepEqual(answers[1].data, { path: 'hello/there', received: { a: '服务', b: '2' } });
  assert.equal(answers[2].data.files[0].filename, 'a.txt');
  assert.ok(!answers[3].data.listener.includes('myHunterBell'));
  await server.send('1', 'xxx-xx', 'heard');
  await arrived(page, 'xxx-xx');
});

test('close() closes for good, and the page is told who closed', async (t) => {
  const { server, page } = await openJavaPage(t, {}, '--reconnect-time', `${RECONNECT}ms`);
  await page.evaluate(() => window.sseConnection.close('enough'));
  await arrived(page, 'connect-close');
  const [[, , who, why]] = await received(page, 'connect-close');
  assert.deepEqual([who, why], ['client', 'enough']);
  await stayedAway(page);
  await noStreamLeft(server);
  await page.evaluate(() => window.sseConnection.connect());
  await connected(page);
});

test('the server’s close is final', async (t) => {
  const { server, page } = await openJavaPage(t, {}, '--reconnect-time', `${RECONNECT}ms`);
  await server.ssectl('connections', 'close', '--user', '1', '--yes');
  await arrived(page, 'connect-close');
  const [[, , who, why]] = await received(page, 'connect-close');
  assert.deepEqual([who, why], ['server', 'server-close']);
  await stayedAway(page);
  await noStreamLeft(server);
});

test('a hidden tab is not connected, and is again when it is shown', async (t) => {
  const { server, page } = await openJavaPage(t, {}, '--reconnect-time', `${RECONNECT}ms`);
  await setVisibility(page, 'hidden');
  await stayedAway(page);
  await noStreamLeft(server);
  await setVisibility(page, 'visible');
  await connected(page);
  await arrived(page, 'connect-finish', 2);
});

test('comes back after a restart of the server and after the end of a connection’s life', async (t) => {
  const { server, page } = await openJavaPage(t, { options: { keepaliveTime: 1000 } }, '--reconnect-time', '200ms');
  await arrived(page, 'connect-finish', 2);
  await server.stop('SIGKILL');
  const { length } = await received(page, 'connect-finish');
  await server.start();
  await arrived(page, 'connect-finish', length + 1);
  await server.send('1', 'myHunterBell', 'after the restart', { qos: true });
  await arrived(page, 'myHunterBell');
});

test('a qos message waits for it and is gone once delivered', async (t) => {
  const { server, page } = await openJavaPage(t);
  await setVisibility(page, 'hidden');
  await noStreamLeft(server);
  await server.send('1', 'myHunterBell', 'kept for you', { qos: true });
  await setVisibility(page, 'visible');
  await arrived(page, 'myHunterBell');
  assert.deepEqual(await received(page, 'myHunterBell'), [['myHunterBell', 'kept for you']]);
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'the message is confirmed');
});

test('leaving the page closes its connection', async (t) => {
  const { server, page } = await openJavaPage(t);
  await page.goto('about:blank');
  await noStreamLeft(server);
});

test('a page whose user is in the query of the constructor alone, which only the stream carries', async (t) => {
  const { server, page } = await openJavaPage(t, { query: { userId: '7' } }, '--reconnect-time', `${RECONNECT}ms`);
  assert.deepEqual((await server.connections()).map((one) => one.accessUserId), ['7']);
  const answers = await page.evaluate(async () => {
    const form = new FormData();
    form.append('file', new Blob(['content']), 'a.txt');
    const replies = [await window.sseConnection.send('hello', { a: 1 }), await window.sseConnection.upload('avatar', form)];
    return Promise.all(replies.map((reply) => reply.json()));
  });
  assert.deepEqual(answers[0].data, { path: 'hello', received: { a: 1 } });
  assert.equal(answers[1].data.files[0].filename, 'a.txt');
  await setVisibility(page, 'hidden');
  await stayedAway(page);
  await noStreamLeft(server);
  await setVisibility(page, 'visible');
  await connected(page);
  await page.goto('about:blank');
  await noStreamLeft(server);
});

test('a page that loads the module from the server, as that library’s documentation has it', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/my-sse`);
  await page.evaluate(async () => {
    function sseEventListener(url, eventListeners, query) {
      return import(`${url}?${new URLSearchParams(query)}`).then(
        (module) => new module.default({ url, eventListeners, query }),
      );
    }
    const eventListeners = { myHunterBell: ({ data }) => (window.bell = data) };
    window.sseConnection = await sseEventListener('/my-sse', eventListeners, { 'access-token': '123' });
  });
  await connected(page);
  await server.send('1', 'myHunterBell', 'ring');
  await until(() => page.evaluate(() => window.bell === 'ring'), 'the bell rings');
});
