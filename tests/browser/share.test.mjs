// Windows that share one stream (`share`), against the real server: as many renderer processes as windows where it matters.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { startChromium } from './cdp.mjs';
import { closeBrowser, openBrowser, openPage, setVisibility, startServer, until } from './harness.mjs';

after(closeBrowser);

const HISTORY = ['--history', '1000'];

/** Pages of one browser context, so of one storage, on the server's own origin. */
async function openWindows(t, server, count) {
  const context = await (await openBrowser()).newContext();
  t.after(() => context.close());
  const pages = [];
  for (let i = 0; i < count; i += 1) {
    const page = await context.newPage();
    page.problems = [];
    page.on('pageerror', (error) => page.problems.push(String(error)));
    await page.goto(`${server.url}/favicon.svg`);
    pages.push(page);
  }
  return pages;
}

/** Opens an Sse that shares in a page; what it gets collects in window.received. */
async function share(page, names = ['news'], options = {}) {
  await page.evaluate(
    async ([events, given]) => {
      const { default: Sse } = await import('/my-sse');
      window.received = [];
      const keep = (event) => window.received.push(event.data);
      const eventListeners = Object.fromEntries(events.map((name) => [name, keep]));
      window.client = new Sse({
        query: { userId: '1' },
        share: true,
        whenHidden: 'stay',
        reconnectTime: 50,
        eventListeners,
        ...given,
      });
    },
    [names, options],
  );
}

const connected = (page) => until(() => page.evaluate(() => window.client.isActive()), 'the window is connected');
const received = (page) => page.evaluate(() => window.received);
const arrived = (page, data) => until(async () => (await received(page)).includes(data), `${data} arrives`);
const idOf = (page) => page.evaluate(() => window.client.connectionId);
const pending = async (server) => (await server.admin('GET', '/api/v1/messages')).json.total;
const confirmed = (server) => until(async () => (await pending(server)) === 0, 'all messages are confirmed');
const streams = (server, count) =>
  until(async () => (await server.connections()).length === count, `there are ${count} streams`);

async function shareAll(pages, server) {
  for (const page of pages) {
    await share(page);
    await connected(page);
  }
  await streams(server, 1);
}

test('thirty windows have one stream, and requests of the page are not delayed', async (t) => {
  const server = await startServer(t, '--demo');
  const pages = await openWindows(t, server, 30);
  await Promise.all(pages.map((page) => share(page)));
  for (const page of pages) await connected(page);
  assert.equal((await server.connections()).length, 1);
  const ids = await Promise.all(pages.map(idOf));
  assert.equal(new Set(ids).size, 1);
  await server.send('1', 'news', 'for all');
  for (const page of pages) await arrived(page, 'for all');
  for (const page of pages) assert.deepEqual(await received(page), ['for all']);
  const { json } = { json: await pages[29].evaluate(async () => (await window.client.send('hello', { a: 1 })).json()) };
  assert.equal(json.success, true);
  assert.equal((await fetch(`${server.url}/favicon.svg`)).status, 200);
  assert.equal(await pages[3].evaluate(async () => (await fetch('/my-sse/sse.d.ts')).status), 200);
  await server.send('1', 'news', 'kept', { qos: true });
  await confirmed(server);
  for (const page of pages) await arrived(page, 'kept');
});

test('subscriptions are the union, and follow windows that come, change and go', async (t) => {
  const server = await startServer(t, '--demo');
  const [a, b] = await openWindows(t, server, 2);
  const listening = async (...names) =>
    until(async () => {
      const [connection] = await server.connections();
      return connection && names.sort().join() === [...connection.listeners].sort().join();
    }, `the stream listens to ${names}`);
  await share(a, ['a']);
  await connected(a);
  await share(b, ['b']);
  await connected(b);
  await listening('a', 'b');
  await server.send('1', 'b', 'only b');
  await arrived(b, 'only b');
  const answer = (page, action, name) =>
    page.evaluate(
      async ([what, event]) => (await window.client[what](event, ({ data }) => window.received.push(data))).json(),
      [action, name],
    );
  assert.deepEqual((await answer(b, 'addListener', 'c')).data.listener.sort(), ['a', 'b', 'c']);
  await answer(a, 'addListener', 'c');
  assert.deepEqual((await answer(b, 'removeListener', 'c')).data.listener.sort(), ['a', 'b', 'c'], 'a still listens');
  await b.evaluate(() => window.client.on('d', ({ data }) => window.received.push(data)));
  await listening('a', 'b', 'c', 'd');
  await server.send('1', 'c', 'only a');
  await server.send('1', 'd', 'the end');
  await arrived(a, 'only a');
  await arrived(b, 'the end');
  assert.deepEqual(await received(a), ['only a']);
  assert.deepEqual(await received(b), ['only b', 'the end']);
  await b.close();
  await listening('a', 'c');
});

test('two objects of one page share as two windows do', async (t) => {
  const server = await startServer(t, '--demo');
  const [page] = await openWindows(t, server, 1);
  await share(page, ['a']);
  await connected(page);
  await page.evaluate(() => {
    window.first = window.client;
    window.heard = window.received;
  });
  await share(page, ['b']);
  await connected(page);
  await streams(server, 1);
  await server.send('1', 'b', 'for the second', { qos: true });
  await arrived(page, 'for the second');
  await confirmed(server);
  await page.evaluate(() => window.first.destroy());
  await until(async () => !(await page.evaluate(() => window.first.isActive())), 'the first has left');
  await connected(page);
  await streams(server, 1);
  await server.send('1', 'b', 'still');
  await arrived(page, 'still');
  assert.deepEqual(await received(page), ['for the second', 'still']);
  assert.deepEqual(await page.evaluate(() => window.heard), []);
  assert.deepEqual(page.problems, []);
});

test('a message is confirmed when the window that listens has handled it, never by the shared last event id', async (t) => {
  const server = await startServer(t, '--demo', ...HISTORY);
  const [leader, next, listener] = await openWindows(t, server, 3);
  for (const [page, names] of [
    [leader, ['other']],
    [next, ['other']],
    [listener, ['news']],
  ]) {
    await share(page, names);
    await connected(page);
  }
  const first = await idOf(next);
  const hanging = listener.evaluate(() => {
    const end = Date.now() + 6000;
    while (Date.now() < end);
    return window.received.length;
  });
  await server.send('1', 'news', 'for one window', { qos: true });
  await server.send('1', 'other', 'after it');
  await arrived(next, 'after it');
  assert.equal(await pending(server), 1);
  await leader.close();
  await until(async () => ((await idOf(next)) ?? first) !== first, 'another leads');
  const [connection] = await server.connections();
  assert.equal(connection.httpParameters.ackBy, 'id');
  assert.ok(connection.httpParameters.lastEventId, 'it resumes after the message');
  assert.equal(await pending(server), 1);
  assert.equal(await hanging, 0);
  await arrived(listener, 'for one window');
  await confirmed(server);
  assert.deepEqual(await received(listener), ['for one window']);
});

test('other credentials, another key and another service are not shared', async (t) => {
  const server = await startServer(t, '--demo', '--service', 'one=/my-sse', '--service', 'two=/two');
  const pages = await openWindows(t, server, 5);
  await share(pages[0]);
  await share(pages[1], ['news'], { query: { userId: '2' } });
  await share(pages[2], ['news'], { share: 'another key' });
  await share(pages[3], ['news'], { url: '/two' });
  await share(pages[4]);
  for (const page of pages) await connected(page);
  assert.equal(new Set(await Promise.all(pages.map(idOf))).size, 4);
  await server.send('2', 'news', 'for 2', { service: 'one' });
  await arrived(pages[1], 'for 2');
  for (const page of [pages[0], pages[2], pages[3], pages[4]]) assert.deepEqual(await received(page), []);
  const refused = await pages[0].evaluate(async () => {
    const { default: Sse } = await import('/my-sse');
    try {
      return new Sse({ share: true, query: () => ({ token: 'x' }) }).state;
    } catch (error) {
      return String(error);
    }
  });
  assert.match(refused, /^TypeError: With credentials that are functions, share is a string/);
});

const ENDS = {
  closes: (page) => page.close(),
  crashes: async (page) => {
    const crashed = new Promise((resolve) => page.once('crash', resolve));
    page.goto('chrome://crash').catch(() => {});
    await crashed;
  },
  hangs: (page) => {
    page.evaluate(() => {
      const end = Date.now() + 15_000;
      while (Date.now() < end);
    }).catch(() => {});
  },
};

for (const [how, end] of Object.entries(ENDS)) {
  test(`when the leader ${how}, another takes over within two seconds, and nothing is lost or doubled`, async (t) => {
    const server = await startServer(t, '--demo', ...HISTORY);
    const pages = await openWindows(t, server, 3);
    await shareAll(pages, server);
    const [leader, ...others] = pages;
    const first = await idOf(leader);
    await server.send('1', 'news', 'before', { qos: true });
    for (const page of pages) await arrived(page, 'before');
    const expected = ['before'];
    const begin = Date.now();
    await end(leader);
    let n = 0;
    await until(async () => {
      expected.push(`qos ${n}`, `plain ${n}`);
      await server.send('1', 'news', `qos ${n}`, { qos: true });
      await server.send('1', 'news', `plain ${n}`);
      n += 1;
      const ids = await Promise.all(others.map(idOf));
      return ids.every((id) => id && id !== first);
    }, 'another leads');
    t.diagnostic(`another led after ${Date.now() - begin} ms`);
    await server.send('1', 'news', 'after', { qos: true });
    expected.push('after');
    for (const page of others) await arrived(page, 'after');
    await confirmed(server);
    for (const page of others) {
      assert.deepEqual((await received(page)).sort(), [...expected].sort());
      assert.deepEqual(page.problems, []);
    }
  });
}

test('a leader that thaws or hangs no more dispatches nothing of its old stream, and follows', async (t) => {
  const server = await startServer(t, '--demo', ...HISTORY);
  const pages = await openWindows(t, server, 2);
  await shareAll(pages, server);
  const [old, next] = pages;
  const first = await idOf(old);
  old.evaluate(() => {
    const end = Date.now() + 4000;
    while (Date.now() < end);
  }).catch(() => {});
  await until(async () => ((await idOf(next)) ?? first) !== first, 'the other leads');
  await server.send('1', 'news', 'while it hung', { qos: true });
  await arrived(next, 'while it hung');
  await until(async () => (await idOf(old)) === (await idOf(next)), 'the old leader follows');
  await server.send('1', 'news', 'after', { qos: true });
  await arrived(old, 'after');
  assert.equal((await received(old)).filter((data) => data === 'after').length, 1);
  assert.ok((await received(old)).filter((data) => data === 'while it hung').length <= 1);
  await streams(server, 1);
});

/** Tabs of a browser that hides and freezes them as a user's does: the last that is opened is the visible one. */
async function openTabs(t, server, count) {
  const browser = await startChromium(t);
  const tabs = [];
  for (let i = 0; i < count; i += 1) {
    const tab = await browser.open(`${server.url}/favicon.svg`);
    await share(tab);
    await connected(tab);
    tabs.push(tab);
  }
  await streams(server, 1);
  return tabs;
}

test('when the leader is frozen, the visible tab takes over within two seconds, and a thawed one follows', async (t) => {
  const server = await startServer(t, '--demo', ...HISTORY);
  const tabs = await openTabs(t, server, 3);
  const [leader, , visible] = tabs;
  assert.equal(await leader.evaluate(() => document.visibilityState), 'hidden');
  const first = await idOf(leader);
  await server.send('1', 'news', 'before', { qos: true });
  for (const tab of tabs) await arrived(tab, 'before');
  await confirmed(server);
  const begin = Date.now();
  await leader.setLifecycle('frozen');
  await server.send('1', 'news', 'meanwhile', { qos: true });
  await until(async () => ((await idOf(visible)) ?? first) !== first, 'the visible tab leads');
  t.diagnostic(`another led after ${Date.now() - begin} ms`);
  await server.send('1', 'news', 'after');
  for (const tab of tabs.slice(1)) {
    await arrived(tab, 'after');
    assert.deepEqual(await received(tab), ['before', 'meanwhile', 'after']);
  }
  await confirmed(server);
  const [connection] = await server.connections();
  assert.equal(connection.clientInstanceId, await visible.evaluate(() => window.client.instanceId));
  assert.deepEqual(await received(leader), ['before'], 'a frozen tab gets nothing');
  await leader.setLifecycle('active');
  await arrived(leader, 'after');
  await server.send('1', 'news', 'last');
  for (const tab of tabs) {
    await arrived(tab, 'last');
    assert.deepEqual(await received(tab), ['before', 'meanwhile', 'after', 'last']);
  }
  await streams(server, 1);
});

test('a hidden tab that leads passes on and confirms at once', async (t) => {
  const server = await startServer(t, '--demo', ...HISTORY);
  const [leader, visible] = await openTabs(t, server, 2);
  assert.equal(await leader.evaluate(() => document.visibilityState), 'hidden');
  await leader.evaluate(() => {
    window.setTimeout = () => 0; // as good as throttled to once a minute
  });
  await server.send('1', 'news', 'x', { qos: true });
  await arrived(visible, 'x');
  await confirmed(server);
});

test('hidden windows leave unless they are to stay, and the visible one leads', async (t) => {
  const server = await startServer(t, '--demo', ...HISTORY);
  const pages = await openWindows(t, server, 2);
  for (const page of pages) {
    await share(page, ['news'], { whenHidden: 'close' });
    await connected(page);
  }
  await streams(server, 1);
  await setVisibility(pages[0], 'hidden');
  await until(() => pages[0].evaluate(() => window.client.state === 2), 'the hidden window has left');
  await connected(pages[1]);
  await server.send('1', 'news', 'while hidden');
  await arrived(pages[1], 'while hidden');
  await setVisibility(pages[0], 'visible');
  await connected(pages[0]);
  await arrived(pages[0], 'while hidden');
  assert.deepEqual(await received(pages[0]), ['while hidden']);
  assert.deepEqual(await received(pages[1]), ['while hidden']);
  await streams(server, 1);
});

test('among windows that stay, a visible one is preferred', async (t) => {
  const server = await startServer(t, '--demo');
  const pages = await openWindows(t, server, 4);
  await shareAll(pages, server);
  for (const page of pages.slice(1, 3)) await setVisibility(page, 'hidden');
  await pages[0].evaluate(() => window.client.close());
  await connected(pages[3]);
  await until(async () => {
    const [connection] = await server.connections();
    return connection && connection.clientInstanceId === (await pages[3].evaluate(() => window.client.instanceId));
  }, 'the visible window leads');
  await connected(pages[1]);
});

test('a server’s connect-close ends the connection of all windows', async (t) => {
  const server = await startServer(t, '--demo');
  const pages = await openWindows(t, server, 3);
  await shareAll(pages, server);
  await server.admin('POST', '/api/v1/connections/close', { ids: [await idOf(pages[1])] });
  for (const page of pages) await until(() => page.evaluate(() => window.client.state === 2), 'the window is closed');
  await streams(server, 0);
  await pages[2].evaluate(() => window.client.connect());
  await connected(pages[2]);
  await streams(server, 1);
});

test('a restart of the server is one reconnect for all windows', async (t) => {
  const server = await startServer(t, '--demo');
  const pages = await openWindows(t, server, 3);
  await shareAll(pages, server);
  await server.stop('SIGKILL');
  for (const page of pages) await until(() => page.evaluate(() => window.client.state === 0), 'the window notices');
  const answers = Promise.all(pages.map((page) => page.evaluate(async () => (await window.client.send('hi')).status)));
  await server.start();
  assert.deepEqual(await answers, [200, 200, 200]);
  await streams(server, 1);
});

const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'";
const SCRIPTS = {
  module: '<script type="module" src="main.js"></script>',
  'classic script': '<script src="/my-sse?script-type=text/javascript"></script><script src="start.js"></script>',
};

for (const [kind, script] of Object.entries(SCRIPTS)) {
  test(`the ${kind} loads its part under a strict policy with Trusted Types`, async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sse-policy-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const start = "window.client = new Sse({ query: { userId: '1' }, share: true });";
    const policy = `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
    await writeFile(path.join(folder, 'start.js'), start);
    await writeFile(path.join(folder, 'main.js'), `import Sse from '/my-sse';\n${start}`);
    await writeFile(path.join(folder, 'index.html'), `<!doctype html>${policy}<title>x</title>${script}`);
    const server = await startServer(t, '--demo', '--web-root', folder);
    const page = await openPage(t, `${server.url}/`);
    await connected(page);
    assert.ok(await page.evaluate(async () => (await navigator.locks.query()).held.length), 'it shares');
    assert.deepEqual(page.problems, []);
  });
}

test('without Web Locks a window has a connection of its own', async (t) => {
  const server = await startServer(t, '--demo');
  const [page] = await openWindows(t, server, 1);
  await page.evaluate(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
  await share(page);
  await connected(page);
  await server.send('1', 'news', 'alone');
  await arrived(page, 'alone');
  assert.deepEqual(page.problems, []);
});
