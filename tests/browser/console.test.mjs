// The admin console as an operator sees it, through ssectl console and at the admin listener, against the real server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';

after(closeBrowser);

const AXE = fileURLToPath(new URL('node_modules/axe-core/axe.min.js', import.meta.url));
const HOSTILE = '<img src=x onerror="window.hacked=1">';

/** Starts `ssectl console` against a server; `next()` is the next address that it prints. */
async function startConsole(t, server) {
  const child = spawn(process.env.SSECTL, ['console', '-o', 'ndjson'], {
    env: { ...process.env, SSECTL_SERVER: `unix:${server.socket}` },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(
    () =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill('SIGINT');
      }),
  );
  let text = '';
  child.stdout.on('data', (part) => (text += part));
  let read = 0;
  const next = async () => {
    const lines = await until(
      () => text.split('\n').length > read + 1 && text.split('\n'),
      'ssectl console prints an address',
    );
    read += 1;
    return JSON.parse(lines[read - 1]).url;
  };
  return {
    next,
    another() {
      child.stdin.write('\n');
      return next();
    },
  };
}

/** Opens streams as pages do, without a browser. */
async function openStreams(t, server, users) {
  const requests = users.map((user, i) => {
    const query = new URLSearchParams({
      userId: user,
      channel: `room.${i % 3}`,
      listeners: 'note',
      clientId: `client-${i}`,
    });
    const request = http.get(`${server.url}/my-sse/connect?${query}`, { agent: false }, (response) =>
      response.resume(),
    );
    request.on('error', () => {});
    return request;
  });
  t.after(() => requests.forEach((request) => request.destroy()));
  await until(async () => (await server.connections()).length === users.length, 'all streams are open');
}

async function openConsole(t, users = [], options = {}) {
  const server = await startServer(t);
  if (users.length) await openStreams(t, server, users);
  const ssectl = await startConsole(t, server);
  const page = await openPage(t, await ssectl.next(), options);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  return { server, ssectl, page };
}

const section = (page, name) => page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
const heading = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const summary = (page, text) => page.locator('main .summary', { hasText: text }).first().waitFor();

async function axe(page) {
  await page.evaluate(await readFile(AXE, 'utf8'));
  return page.evaluate(async () =>
    (await window.axe.run()).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 160))]),
  );
}

test('the token opens the console once, and is nowhere afterwards', async (t) => {
  const { ssectl, page } = await openConsole(t);
  assert.equal(new URL(page.url()).hash, '#/');
  assert.deepEqual(await page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]), [
    '',
    0,
    0,
  ]);
  await until(() => page.locator('#state', { hasText: 'Ready' }).count(), 'the state is shown');
  assert.deepEqual(page.problems, []);

  // A reload has forgotten it; the address of the first time is refused, and a new one is accepted.
  await page.reload();
  await heading(page, 'Admin token');
  const address = await ssectl.another();
  await page.goto(address);
  await heading(page, 'Overview');
  const other = await openPage(t, address);
  await heading(other, 'Admin token');
  assert.match(await other.getByRole('alert').textContent(), /used before/);
});

test('an empty server has empty lists, and every section works', async (t) => {
  const { page } = await openConsole(t);
  for (const [name, title, text] of [
    ['Streams', 'Streams', 'No stream is open'],
    ['Users', 'Users online', 'No user is online'],
    ['Channels', 'Channels', 'No stream is in a channel'],
    ['Pending', 'Pending messages', 'No message is pending'],
    ['Dead letters', 'Dead letters', 'No dead letter'],
    ['Activity', 'Activity', 'Live'],
    ['Nodes', 'Nodes', 'in no cluster'],
  ]) {
    await section(page, name);
    await heading(page, title);
    await summary(page, text);
    assert.equal(await page.locator('nav [aria-current=page]').textContent(), name);
  }
  assert.deepEqual(page.problems, []);
});

test('shows hostile names as text', async (t) => {
  const { page, server } = await openConsole(t, [HOSTILE, 'bob']);
  await section(page, 'Users');
  await page.getByRole('link', { name: HOSTILE, exact: true }).click();
  await heading(page, `User ${HOSTILE}`);
  await page.getByRole('link', { name: 'Pending messages' }).click();
  await server.ssectl('send', '--qos', '--user', HOSTILE, '--event', '<b>', HOSTILE);
  await section(page, 'Activity');
  await page.locator('td', { hasText: HOSTILE }).first().waitFor();
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('main img').count(), 0);
  assert.deepEqual(page.problems, []);
});

test('lists streams page by page, finds one and closes it', async (t) => {
  const users = Array.from({ length: 10 }, (_, i) => `user-${i}`);
  const { page, server } = await openConsole(t, users);
  await section(page, 'Streams');
  await summary(page, '1–10 of 10');
  await page.getByRole('columnheader', { name: 'User' }).getByRole('button').click();
  await page.locator('th[aria-sort=ascending]', { hasText: 'User' }).waitFor();
  assert.match(page.url(), /sort=user/);
  await page.getByLabel('User', { exact: true }).fill('user-7');
  await page.keyboard.press('Enter');
  await summary(page, '1–1 of 1');
  await page.locator('tbody a').first().click();
  await page.getByRole('heading', { level: 1, name: /^Stream \d+$/ }).waitFor();
  await page.getByText('client-7', { exact: true }).waitFor();

  // The question has the focus on Cancel, and Escape is no.
  await page.getByRole('button', { name: 'Close…' }).click();
  await page.getByRole('dialog').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal((await server.connections()).length, 10);
  await page.getByRole('button', { name: 'Close…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  await until(async () => (await server.connections()).length === 9, 'the stream is closed');
  await page
    .getByText(/no connection \d+ is open/)
    .first()
    .waitFor();
  await page.getByRole('link', { name: 'Recently closed streams' }).click();
  await page.getByRole('cell', { name: 'server-closed' }).waitFor();
  assert.deepEqual(page.problems, []);
});

test('sends from the form, and traces what is pending', async (t) => {
  const { page, server } = await openConsole(t, ['ann']);
  await section(page, 'Send');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('.notice.bad', { hasText: 'Name a recipient' }).waitFor();
  await page.getByLabel('Users', { exact: true }).fill('ann\nnobody');
  await page.getByLabel('Name', { exact: true }).fill('note');
  await page.getByLabel('Data', { exact: true }).fill('a "b"\nc');
  await page.getByRole('button', { name: 'Who would get it?' }).click();
  await page.getByRole('heading', { name: '1 streams would get it' }).waitFor();
  await page.getByLabel('Store until confirmed').check();
  await page.getByLabel('Time to live').fill('soon');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('.notice.bad', { hasText: 'soon' }).waitFor();
  await page.getByLabel('Time to live').fill('1h');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('heading', { name: 'Sent', exact: true }).waitFor();
  await section(page, 'Pending');
  await page.locator('td', { hasText: 'user nobody' }).waitFor();
  await page.locator('tr', { hasText: 'user nobody' }).getByRole('link').first().click();
  await page.getByRole('cell', { name: 'accepted' }).waitFor();
  await page.getByRole('region', { name: 'Data' }).getByText('a "b"\nc').waitFor();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.locator('.notice', { hasText: 'deleted' }).waitFor();
  assert.equal((await server.admin('GET', '/api/v1/messages')).json.total, 0);
  const [{ id }] = await server.connections();
  await section(page, 'Streams');
  await page.getByRole('link', { name: id }).click();
  await page.getByRole('link', { name: 'Send to this stream' }).click();
  await heading(page, 'Send an event');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('cell', { name: `connection ${id}` }).waitFor();
  assert.deepEqual(page.problems, []);
});

test('requeues a dead letter', async (t) => {
  const { page, server } = await openConsole(t);
  await server.send('late', 'note', 'again', { qos: true, ttl: '1ms' });
  await until(async () => (await server.admin('GET', '/api/v1/dead')).json.total === 1, 'it has expired');
  await section(page, 'Dead letters');
  await page.getByRole('cell', { name: 'again' }).waitFor();
  await page.getByRole('button', { name: 'Requeue', exact: true }).click();
  await page.locator('.notice p', { hasText: /^Sent again as \d+\.$/ }).waitFor();
  // It has its original time to live, and so dies again.
  const { counters } = (await server.admin('GET', '/api/v1/status')).json;
  assert.equal(counters.sse_dead_requeued_total, 1);
});

test('drains a node and lets it accept streams again', async (t) => {
  const { page, server } = await openConsole(t);
  const state = async () => (await server.admin('GET', '/api/v1/status')).json.state;
  await section(page, 'Nodes');
  await page.getByRole('button', { name: 'Drain…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await until(async () => (await state()) === 'draining', 'the node drains');
  await page.getByRole('button', { name: 'Undrain' }).click();
  await until(async () => (await state()) === 'ready', 'the node is ready');
});

test('a page of another origin reaches nothing', async (t) => {
  const { page, ssectl } = await openConsole(t);
  const port = new URL(page.url()).origin;
  const token = new URL(await ssectl.another()).hash.slice('#once='.length);
  const foreign = http.createServer((request, response) =>
    response.setHeader('Content-Type', 'text/html').end('<h1>foreign</h1>'),
  );
  t.after(() => foreign.close());
  await new Promise((resolve) => foreign.listen(0, '127.0.0.1', resolve));
  const other = await openPage(t, `http://127.0.0.1:${foreign.address().port}/`);
  const seen = await other.evaluate(
    async ([origin, once]) => {
      const tries = [
        [`${origin}/console/`, {}],
        [`${origin}/console/session`, { method: 'POST', headers: { Authorization: `Bearer ${once}` } }],
        [`${origin}/console/session`, { method: 'POST', mode: 'no-cors' }],
        [`${origin}/api/v1/status`, {}],
      ];
      return Promise.all(
        tries.map(([url, options]) =>
          fetch(url, options).then(
            (answer) => answer.type,
            () => 'failed',
          ),
        ),
      );
    },
    [port, token],
  );
  assert.deepEqual(seen, ['failed', 'failed', 'opaque', 'failed']);
  await page.goto(`${port}/console/#once=${token}`);
  await page.reload();
  await other.goto(`${port}/console/#once=${await ssectl.another().then((url) => new URL(url).hash.slice(6))}`);
  await heading(other, 'Overview');
});

test('works at an admin listener with a token, typed in or in the address', async (t) => {
  const folder = await mkdtemp('/tmp/sse-console-');
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(`${folder}/token`, 'geheim\n', { mode: 0o600 });
  const probe = http.createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  await startServer(t, '--admin', `127.0.0.1:${port}`, '--admin-token-file', `${folder}/token`);
  const page = await openPage(t, `http://127.0.0.1:${port}/`);
  await heading(page, 'Admin token');
  await page.getByLabel(/^Token/).fill('wrong');
  await page.keyboard.press('Enter');
  // The form that follows the refusal is a new one.
  await until(async () => (await page.getByLabel(/^Token/).inputValue()) === '', 'the wrong token is refused');
  assert.match(await page.getByRole('alert').textContent(), /--admin-token-file/);
  await page.getByLabel(/^Token/).fill('geheim');
  await page.keyboard.press('Enter');
  await heading(page, 'Overview');
  const again = await openPage(t, `http://127.0.0.1:${port}/#token=geheim`);
  await heading(again, 'Overview');
  assert.equal(again.url().includes('geheim'), false);
  assert.deepEqual([...page.problems, ...again.problems], []);
});

for (const [what, options] of Object.entries({
  'on a phone': { viewport: { width: 390, height: 844 } },
  'in the dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  'in the light': { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
})) {
  test(`axe finds nothing ${what}`, async (t) => {
    const { page, server } = await openConsole(
      t,
      Array.from({ length: 10 }, (_, i) => `user-${i}`),
      options,
    );
    await server.ssectl('send', '--qos', '--user', 'absent', 'x');
    const [{ id }] = await server.connections();
    for (const [where, text] of [
      ['', 'Overview'],
      ['streams', 'Streams'],
      [`streams/${id}`, `Stream ${id}`],
      ['users/user-1', 'User user-1'],
      ['channels/room.1', 'Channel room.1'],
      ['send', 'Send an event'],
      ['pending', 'Pending messages'],
      ['dead', 'Dead letters'],
      ['activity', 'Activity'],
      ['nodes', 'Nodes'],
    ]) {
      await page.evaluate((hash) => (location.hash = hash), `#/${where}`);
      await heading(page, text);
      await until(
        () =>
          page
            .getByText('Reading…')
            .count()
            .then((n) => n === 0),
        `${where} is read`,
      );
      assert.deepEqual(await axe(page), [], where);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(wide, false, `${where} is wider than the window`);
      if (process.env.SSE_SCREENSHOTS)
        await page.screenshot({
          path: `${process.env.SSE_SCREENSHOTS}/console-${where.split('/')[0]}-${what}.png`,
          fullPage: true,
        });
    }
    assert.deepEqual(page.problems, []);
  });
}
