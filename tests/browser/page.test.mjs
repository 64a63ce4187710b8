// The demo page as its users see it, against the real server.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { closeBrowser, logged, logLines, openPage, setVisibility, startServer, stateIs, until } from './harness.mjs';

after(closeBrowser);

const FINISH = /^ID:(\d+) connect-finish \{/;

async function openDemo(t, query = '', ...args) {
  const server = await startServer(t, '--demo', ...args);
  const page = await openPage(t, `${server.url}/${query}`);
  await logged(page, FINISH);
  await stateIs(page, 'Connected');
  return { server, page };
}

test('shows who is connected and the connect-finish line', async (t) => {
  const { server, page } = await openDemo(t);
  const [line] = await logged(page, FINISH);
  const [, id, json] = line.match(/^ID:(\d+) connect-finish (\{.*\})$/);
  const finish = JSON.parse(json);
  assert.equal(finish.connectionId, id);
  assert.equal(finish.name, 'defaultConnectionService');
  assert.equal(finish.reconnectTime, 5000);
  assert.equal(finish.enableCluster, false);
  assert.equal(typeof finish.serverTime, 'number');
  assert.equal(await page.inputValue('#user'), '1');
  const [connection] = await server.connections();
  assert.equal(connection.id, id);
  assert.equal(connection.accessUserId, '1');
  assert.deepEqual(page.problems, []);
});

test('shows what the demo pushes every three seconds', async (t) => {
  const { page } = await openDemo(t);
  const [, id] = (await logged(page, FINISH))[0].match(FINISH);
  for (const line of await logged(page, / server-push /, 2)) {
    assert.equal(line, `ID:${id} server-push {"name":"sendByUserId 服务端推送的"}`);
  }
});

test('shows what ssectl sends', async (t) => {
  const { server, page } = await openDemo(t);
  await server.ssectl('send', '--user', '1', '--event', 'server-push', 'from a shell <b>&amp;');
  await logged(page, /^ID:\d+ server-push from a shell <b>&amp;$/);
});

test('Send shows the answer', async (t) => {
  const { page } = await openDemo(t);
  await page.fill('#text', 'héllo "服务"');
  await page.click('#send');
  await logged(page, /^ID:\d+ send hello \{"text":"héllo \\"服务\\""\}$/);
  const [answer] = await logged(page, /^ID:\d+ answer /);
  assert.match(answer, /answer 200 \{.*"success":true/);
});

test('Close from the page closes for good, Reconnect opens a new connection', async (t) => {
  const { server, page } = await openDemo(t);
  const [, first] = (await logged(page, FINISH))[0].match(FINISH);
  await page.click('#close-client');
  await stateIs(page, 'Closed');
  const [line] = await logged(page, / connect-close /);
  assert.equal(line, `ID:${first} connect-close {"connectionId": "${first}"}. whoTriggerClose=client`);
  await until(async () => (await server.connections()).length === 0, 'the server knows');
  await page.click('#reconnect');
  const [, second] = (await logged(page, FINISH, 2))[1].match(FINISH);
  assert.ok(BigInt(second) > BigInt(first));
  await stateIs(page, 'Connected');
});

test('Close from the server makes the server close, Reconnect opens a new connection', async (t) => {
  const { server, page } = await openDemo(t);
  const [, first] = (await logged(page, FINISH))[0].match(FINISH);
  await page.click('#close-server');
  const [line] = await logged(page, / connect-close /);
  assert.match(
    line,
    new RegExp(`^ID:${first} connect-close \\{"connectionId": ?"${first}"\\}\\. whoTriggerClose=server$`),
  );
  await stateIs(page, 'Closed');
  await logged(page, /^ID:\d+ answer 200 /);
  await until(async () => (await server.connections()).length === 0, 'the server knows');
  await page.click('#reconnect');
  await logged(page, FINISH, 2);
  await stateIs(page, 'Connected');
});

test('Clear empties the log', async (t) => {
  const { page } = await openDemo(t);
  await page.click('#close-client');
  await logged(page, / connect-close /);
  await page.click('#clean');
  assert.deepEqual(await logLines(page), []);
  assert.equal(await page.textContent('#count'), '0');
});

test('a hidden tab is not connected, and is again when it is shown', async (t) => {
  const { server, page } = await openDemo(t);
  await setVisibility(page, 'hidden');
  await stateIs(page, 'Closed');
  await logged(page, / connect-close .* whoTriggerClose=client$/);
  await until(async () => (await server.connections()).length === 0, 'the server knows');
  await setVisibility(page, 'visible');
  await logged(page, FINISH, 2);
  await until(async () => (await server.connections()).length === 1, 'the server knows');
});

test('what is sent from a hidden tab arrives once it is shown', async (t) => {
  const { page } = await openDemo(t);
  await setVisibility(page, 'hidden');
  await stateIs(page, 'Closed');
  await page.click('#send');
  await logged(page, / send hello .*waits for the connection/);
  await setVisibility(page, 'visible');
  await logged(page, / answer 200 /);
});

for (const signal of ['SIGTERM', 'SIGKILL']) {
  test(`a server restart is survived (${signal})`, async (t) => {
    const { server, page } = await openDemo(t);
    await server.stop(signal);
    await stateIs(page, 'Connecting');
    await server.start();
    await logged(page, FINISH, 2);
    await stateIs(page, 'Connected');
    await server.send('1', 'server-push', 'after the restart');
    await logged(page, / server-push after the restart$/);
  });
}

test('another user id reconnects as that user and survives a reload', async (t) => {
  const { server, page } = await openDemo(t, '?tenantId=t1&channel=c1');
  const first = (await server.connections())[0];
  assert.equal(first.accessTenantId ?? first.httpParameters.tenantId, 't1');
  assert.equal(first.channel ?? first.httpParameters.channel, 'c1');
  await page.fill('#user', 'o’brien & 2');
  await page.press('#user', 'Enter');
  await logged(page, FINISH, 2);
  const onlyConnectionIs = (user) =>
    until(async () => {
      const list = await server.connections();
      return list.length === 1 && list[0].accessUserId === user;
    }, `one connection, of ${user}`);
  await onlyConnectionIs('o’brien & 2');
  await server.send('o’brien & 2', 'server-push', 'for you');
  await logged(page, / server-push for you$/);
  await page.reload();
  await logged(page, FINISH);
  assert.equal(await page.inputValue('#user'), 'o’brien & 2');
  await onlyConnectionIs('o’brien & 2');
});

test('listens to another event, and no more, without a new connection', async (t) => {
  const { server, page } = await openDemo(t);
  await page.fill('#event', 'order-paid');
  await page.press('#event', 'Enter');
  await logged(page, /^ID:\d+ answer 200 .*order-paid/);
  await server.send('1', 'order-paid', 'number 7', { target: { users: ['1'], listening: true } });
  await logged(page, /^ID:\d+ order-paid number 7$/);
  await page.reload();
  await logged(page, FINISH);
  assert.ok((await server.connections())[0].listeners.includes('order-paid'));
  await page.getByRole('button', { name: 'Stop listening to order-paid' }).click();
  await logged(page, / answer 200 /);
  assert.ok(!(await server.connections())[0].listeners.includes('order-paid'));
  assert.ok(!page.url().includes('order-paid'));
  assert.equal((await logged(page, FINISH)).length, 1);
});

test('nothing is wider than a phone, and everything has a name', async (t) => {
  const server = await startServer(t, '--demo');
  for (const width of [320, 375, 768, 1280]) {
    const page = await openPage(t, `${server.url}/?events=${'a-rather-long-event-name-'.repeat(4)}`, {
      viewport: { width, height: 700 },
    });
    await logged(page, FINISH);
    const problems = await page.evaluate(() => {
      const wide = [...document.querySelectorAll('body *')].filter(
        (part) => part.getBoundingClientRect().right > innerWidth + 0.5,
      );
      const nameless = [...document.querySelectorAll('button, input')].filter(
        (part) => !part.textContent && !part.ariaLabel && !part.labels?.length,
      );
      return [...wide, ...nameless].map((part) => part.outerHTML.slice(0, 100));
    });
    assert.deepEqual(problems, [], `at ${width}`);
  }
});

test('leaving the page closes its connection', async (t) => {
  const { server, page } = await openDemo(t);
  await page.goto('about:blank');
  await until(async () => (await server.connections()).length === 0, 'the server knows');
});

test('the log keeps the newest thousand lines in view', async (t) => {
  const { server, page } = await openDemo(t);
  for (let i = 0; i < 1010; i += 1) await server.send('1', 'server-push', `line ${i}`);
  await logged(page, / server-push line 1009$/);
  const lines = await logLines(page);
  assert.equal(lines.length, 1000);
  assert.ok(!lines.some((line) => FINISH.test(line)));
  const below = await page.evaluate(() => {
    const log = document.getElementById('log');
    return log.scrollHeight - log.scrollTop - log.clientHeight;
  });
  assert.ok(below < 2, `${below} pixels are below the fold`);
});

test('a service path of another origin is not loaded', async (t) => {
  const server = await startServer(t, '--demo');
  for (const path of ['//example.com/x', 'https://example.com/x', '/\\example.com']) {
    const page = await openPage(t, `${server.url}/?service=${encodeURIComponent(path)}`);
    await logged(page, FINISH);
    assert.equal(await page.textContent('#service'), '/my-sse');
  }
});
