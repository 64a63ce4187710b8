// Pages that open each stream with a ticket, and have no other credentials.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';

after(closeBrowser);

/** A server that accepts tokens, of which the pages here have none. */
async function startStrict(t, ...args) {
  const folder = await mkdtemp(path.join(tmpdir(), 'sse-tickets-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const key = path.join(folder, 'key');
  await writeFile(key, '0123456789abcdef0123456789abcdef', { mode: 0o600 });
  return startServer(t, '--auth', 'jwt', '--jwt-secret-file', key, '--reconnect-time', '50ms', ...args);
}

async function createTicket(server, more) {
  const { status, json, text } = await server.admin('POST', '/api/v1/tickets', { user: 'ann', ...more });
  assert.equal(status, 200, text);
  return json.ticket;
}

/** A page of the server whose window.freshTicket() is what the site's own login would answer with. */
async function openLoggedIn(t, server) {
  const page = await openPage(t, `${server.url}/my-sse`);
  page.tickets = [];
  await page.exposeFunction('freshTicket', async () => {
    page.tickets.push(await createTicket(server));
    return page.tickets.at(-1);
  });
  page.asked = [];
  page.on('request', (request) => {
    if (request.url().includes('/connect')) page.asked.push(request.url());
  });
  return page;
}

function openClient(page, options) {
  return page.evaluate(
    async ([given, script]) => {
      const { default: Sse } = await import('/my-sse');
      window.received = [];
      const keep = ({ type, data }) => window.received.push([type, data]);
      const names = ['connect-finish', 'sse-connect-failed', 'sse-end', 'news'];
      const eventListeners = Object.fromEntries(names.map((name) => [name, keep]));
      window.client = new Sse({ eventListeners, ...given, ...(0, eval)(script) });
    },
    [options.given ?? {}, options.script ?? '({})'],
  );
}

const received = async (page, type) =>
  (await page.evaluate(() => window.received)).filter(([got]) => got === type).map(([, data]) => data);
const arrived = (page, type, count = 1) =>
  until(async () => (await received(page, type)).length >= count, `${count} ${type}`);
const FRESH = '({ query: async () => ({ ticket: await window.freshTicket(), from: "page" }) })';

test('the client opens every stream with a fresh ticket and needs no other credentials', async (t) => {
  const server = await startStrict(t);
  const page = await openLoggedIn(t, server);
  await openClient(page, { script: FRESH });
  await arrived(page, 'connect-finish');
  const first = JSON.parse((await received(page, 'connect-finish'))[0]);
  assert.match(first.requestKey, /^ssek_/);

  await server.send('ann', 'news', 'confirmed', { qos: true });
  await arrived(page, 'news');
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'the confirmation');

  const added = await page.evaluate(async () => (await window.client.addListener('more', () => {})).status);
  assert.equal(added, 200);
  const said = await page.evaluate(async () => (await window.client.send('hello', { text: 'hi' })).json());
  assert.equal(said.success, true);
  const form = await page.evaluate(async () => {
    const data = new FormData();
    data.append('file', new Blob(['text']), 'a.txt');
    return (await window.client.upload('docs', data)).status;
  });
  assert.equal(form, 200);

  await server.stop();
  await server.start();
  await arrived(page, 'connect-finish', 2);
  await server.send('ann', 'news', 'after the restart', { qos: true });
  await arrived(page, 'news', 2);
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'the confirmation');

  await page.evaluate(() => window.client.close());
  await until(async () => (await server.admin('GET', '/api/v1/users')).json.total === 0, 'the goodbye');
  const closed = (await server.admin('GET', '/api/v1/connections/closed')).json.list;
  assert.equal(closed[0].reason, 'disconnect', JSON.stringify(closed[0]));

  const streams = page.asked.filter((url) => /\/connect\?/.test(url));
  const others = page.asked.filter((url) => /\/connect\//.test(url));
  assert.equal(new Set(streams.map((url) => new URL(url).searchParams.get('ticket'))).size, streams.length);
  assert.ok(others.length >= 5, others.join('\n'));
  for (const url of others) {
    const query = new URL(url).searchParams;
    assert.deepEqual([query.has('ticket'), query.get('from')], [false, 'page'], url);
    assert.match(query.get('requestKey'), /^ssek_/);
  }
  for (const ticket of page.tickets) assert.ok(!server.log.includes(ticket));
});

test('a ticket that is already used is refused, and the page is told why', async (t) => {
  const server = await startStrict(t);
  const page = await openLoggedIn(t, server);
  await openClient(page, { given: { query: { ticket: await createTicket(server) } } });
  await arrived(page, 'connect-finish');
  await page.evaluate(() => {
    window.client.close();
    window.client.connect();
  });
  await arrived(page, 'sse-connect-failed');
  const [failure] = await received(page, 'sse-connect-failed');
  assert.deepEqual([failure.status, failure.reason], [401, 'invalid_token']);
  assert.match(failure.description, /the ticket cannot be redeemed/);
});

test('windows that share a stream opened with a ticket all send their requests with its key', async (t) => {
  const server = await startStrict(t);
  const page = await openLoggedIn(t, server);
  const second = await page.context().newPage();
  t.after(() => second.close());
  await second.goto(`${server.url}/my-sse`);
  await second.exposeFunction('freshTicket', () => createTicket(server));
  const script = FRESH.replace('({', '({ share: "ann", ');
  await openClient(page, { script });
  await arrived(page, 'connect-finish');
  await openClient(second, { script });
  await arrived(second, 'connect-finish');
  assert.equal((await server.admin('GET', '/api/v1/connections')).json.total, 1);
  for (const one of [page, second]) {
    const said = await one.evaluate(async () => (await window.client.send('hello', { text: 'hi' })).json());
    assert.equal(said.success, true, JSON.stringify(said));
  }
});
