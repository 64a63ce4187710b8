// Who is in a channel, as a page that subscribes with `presence` learns it.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';

after(closeBrowser);

const OPTIONS = ['--reconnect-time', '50ms', '--presence-grace', '50ms'];

async function openMember(t, server, user, options = { presence: true }) {
  const page = await openPage(t, `${server.url}/my-sse`);
  page.asked = [];
  page.on('request', (request) => page.asked.push(request.url()));
  await page.evaluate(
    async ([userId, given]) => {
      const { default: Sse } = await import('/my-sse');
      window.got = [];
      window.client = new Sse({ query: { userId } });
      window.listener = ({ type, channel, data, presence }) => {
        const members = presence?.members?.map((one) => (one.tenant ? `${one.user}@${one.tenant}` : one.user));
        window.got.push([type, channel, presence ? `${presence.count}: ${members?.sort().join() ?? 'many'}` : data]);
      };
      await window.client.subscribe('room', given, window.listener);
    },
    [user, options],
  );
  return page;
}

const got = (page) => page.evaluate(() => window.got);
const last = async (page) => (await got(page)).at(-1);
const sees = (page, text) => until(async () => (await last(page))?.[2] === text, `the page sees '${text}'`);

test('a page knows the members of a channel, and who joins and leaves', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const ann = await openMember(t, server, 'ann');
  await sees(ann, '1: ann');
  const bob = await openMember(t, server, 'bob', null);
  await sees(ann, '2: ann,bob');
  const cid = await openMember(t, server, 'cid');
  await sees(ann, '3: ann,bob,cid');
  await sees(cid, '3: ann,bob,cid');
  await bob.evaluate(() => window.client.unsubscribe('room'));
  await sees(ann, '2: ann,cid');
  await sees(cid, '2: ann,cid');
  assert.deepEqual(await got(bob), []);
  const types = (await got(ann)).map(([type, channel]) => `${type} ${channel}`);
  assert.deepEqual(types, ['sse-presence room', 'sse-join room', 'sse-join room', 'sse-leave room']);
  const answer = await server.admin('POST', '/api/v1/send', { target: { channels: ['room'] }, data: 'hello' });
  assert.equal(answer.status, 200, answer.text);
  await sees(ann, 'hello');
});

test('after a reconnect the members are known again', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const ann = await openMember(t, server, 'ann');
  await sees(ann, '1: ann');
  await ann.evaluate(() => window.client.close());
  const bob = await openMember(t, server, 'bob');
  await sees(bob, '1: bob');
  await ann.evaluate(() => {
    window.got = [];
    window.client.connect();
  });
  await sees(ann, '2: ann,bob');
  await sees(bob, '2: ann,bob');
  assert.match(ann.asked.filter((url) => url.includes('/connect?')).at(-1), /presence=room.*&channel=room/);
});

test('a second listener for the members gets them, too, and each channel has its own', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const ann = await openMember(t, server, 'ann', null);
  const bob = await openMember(t, server, 'bob', null);
  await bob.evaluate(() => window.client.subscribe('hall', null, () => {}));
  await ann.evaluate(async () => {
    await window.client.subscribe('room', { events: [], presence: true }, window.listener);
    window.other = [];
    const other = ({ channel, presence }) => window.other.push(`${channel} ${presence.count}`);
    await window.client.subscribe('hall', { events: [], presence: true }, other);
    await window.client.subscribe('room', { events: [], presence: true }, other);
  });
  await sees(ann, '2: ann,bob');
  const heard = () => ann.evaluate(() => window.other);
  await until(async () => new Set(await heard()).size === 2, 'both channels');
  assert.deepEqual([...new Set(await heard())].sort(), ['hall 2', 'room 2']);
});

test('what looks like an event about members and comes from elsewhere changes nothing', async (t) => {
  const server = await startServer(t, ...OPTIONS);
  const ann = await openMember(t, server, 'ann');
  await sees(ann, '1: ann');
  for (const data of ['no JSON', 'null', '{"channel":"room","version":0,"members":[{"user":"eve"}]}', '{"version":99}']) {
    await server.send('ann', 'sse-join', data);
  }
  await server.send('ann', 'server-push', '{"channel":"room","version":99,"members":[{"user":"eve"}]}');
  const bob = await openMember(t, server, 'bob');
  await sees(ann, '2: ann,bob');
  await bob.close();
  await sees(ann, '1: ann');
  assert.ok((await got(ann)).every(([, , text]) => !text.includes('eve')));
});

test('where there are too many members the page knows their number', async (t) => {
  const server = await startServer(t, ...OPTIONS, '--presence-max', '1');
  const ann = await openMember(t, server, 'ann');
  await sees(ann, '1: ann');
  const bob = await openMember(t, server, 'bob', null);
  await sees(ann, '2: many');
  await bob.close();
  await until(async () => (await last(ann))[2].startsWith('1: '), 'one is left');
});

test('a page learns that the server follows no more channels', async (t) => {
  const server = await startServer(t, ...OPTIONS, '--presence-channels', '1');
  const ann = await openMember(t, server, 'ann');
  await sees(ann, '1: ann');
  const told = await ann.evaluate(async () => {
    const events = [];
    await window.client.subscribe('other', { presence: true }, (event) => events.push(event));
    while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return events.map(({ channel, presence }) => [channel, presence]);
  });
  assert.deepEqual(told, [['other', { count: 0, members: null, refused: 'presence-limit' }]]);
  await server.ssectl('send', '--channel', 'other', 'it is in the channel');
});

test('the chat room of the guide is one', async (t) => {
  const guide = await readFile(new URL('../../man/sse-server-guide.7', import.meta.url), 'utf8');
  const [, html] = guide.match(/\n\.\\" file: chat\.html\n\.Bd .*\n([^]*?)\n\.Ed\n/);
  assert.ok(html.split('\n').length <= 40, 'it has at most 40 lines');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'chat-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, 'chat.html'), html);
  const server = await startServer(t, ...OPTIONS, '--web-root', folder);
  const ann = await openPage(t, `${server.url}/chat.html?user=ann`);
  const bob = await openPage(t, `${server.url}/chat.html?user=bob`);
  const text = (page, id) => page.evaluate((name) => document.getElementById(name).textContent, id);
  await until(async () => (await text(ann, 'members')) === 'annbob', 'ann sees both');
  await until(async () => (await text(bob, 'count')) === '2 here', 'bob sees both');
  await ann.fill('input', 'hello');
  await ann.click('button');
  await until(async () => (await text(bob, 'said')) === 'ann: hello', 'bob hears ann');
  await bob.close();
  await until(async () => (await text(ann, 'members')) === 'ann', 'bob has left');
});
