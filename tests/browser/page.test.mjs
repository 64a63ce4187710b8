// The demo page as its users see it, against the real server.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
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
    new RegExp(`^ID:${first} connect-close \\{"connectionId": ?"${first}","reason":"closed-by-operator"\\}\\. whoTriggerClose=server$`),
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

test('joins channels, marks their events, publishes to them as its user, and leaves them', async (t) => {
  const { server, page } = await openDemo(t);
  const channels = async () => (await server.connections())[0]?.channels.sort().join(' ');
  await page.fill('#join-channel', 'room.1');
  await page.press('#join-channel', 'Enter');
  await logged(page, /^ID:\d+ answer 200 .*"channel":"room\.1","joined":true/);
  await detailIs(page, 'shell-example', /^ssectl explain --user 1 --channel room\.1$/);
  await server.ssectl('send', '--channel', 'room.1', 'to the room');
  await logged(page, / server-push to the room$/);
  const marked = page.locator('#log .name[data-channel="room.1"]');
  assert.equal(await marked.count(), 1);
  await marked.click();
  assert.match(await shown(page, 'frame'), /^event:sse-channel\ndata:\{"channel":"room\.1","event":"server-push"\}\n\nid:/);
  await detailIs(page, 'shell-example', /^ssectl send --channel room\.1 --event server-push /);
  await page.selectOption('#to', 'own');
  await page.fill('#to-name', 'room.1');
  await page.fill('#data', '{"text":"Hello"}');
  assert.equal(await page.isVisible('#qos'), false);
  await page.click('#publish-button');
  await logged(page, / server-push \{"from":\{"user":"1"\},"data":\{"text":"Hello"\}\}$/);
  await detailIs(page, 'curl', /^curl -X POST .*\/connect\/publish\.do/);
  assert.match(JSON.parse((await shell(server, await shown(page, 'curl'))).stdout).data.id, /^\d+$/);
  await page.fill('#data', 'not JSON');
  await page.click('#publish-button');
  await logged(page, /^ID:\d+ publish the data is not JSON$/);
  await page.reload();
  await until(async () => (await channels()) === 'room.1', 'it joins again after a reload');
  await page.getByRole('button', { name: 'Leave the channel room.1' }).click();
  await logged(page, /answer 200 .*"left":true/);
  await until(async () => (await channels()) === '', 'the stream has left');
  assert.ok(!page.url().includes('room.1'));
  assert.deepEqual(page.problems, []);
});

test('shows who is in the channels that it has joined', async (t) => {
  const { server, page } = await openDemo(t, '?join=room.1&userId=ann', '--presence-grace', '50ms', '--presence-max', '6');
  const members = page.locator('#channels small');
  const membersAre = (wanted) => until(async () => (await members.textContent()) === wanted, `the members are '${wanted}'`);
  await membersAre('ann');
  const other = await openPage(t, `${server.url}/?join=room.1&userId=bob&tenantId=acme`);
  await membersAre('ann, bob@acme');
  await until(async () => (await other.textContent('#channels small')) === 'ann, bob@acme', 'the other page knows both');
  const crowd = [];
  const end = new AbortController();
  const open = async (user) =>
    crowd.push(await fetch(`${server.url}/my-sse/connect?userId=${user}&channel=room.1`, { signal: end.signal }));
  for (const user of ['cid', 'dan', 'eve', 'fay']) await open(user);
  await membersAre('ann, bob@acme, cid, dan, eve +1');
  assert.equal(await members.getAttribute('title'), 'ann\nbob@acme\ncid\ndan\neve\nfay');
  await open('gus');
  await membersAre('7 members');
  await page.click('#language');
  await membersAre('7 位成员');
  end.abort();
  await other.close();
  await membersAre('ann');
  assert.deepEqual(page.problems, []);
});

test('says why it may not join a channel or publish to it', async (t) => {
  const { server, page } = await openDemo(t, '?join=public.a', '--channel-rule', 'public.*=anyone', '--publish-rule', 'public.b=anyone');
  await logged(page, / answer 200 .*"channel":"public\.a","joined":true/);
  await page.fill('#join-channel', 'board');
  await page.press('#join-channel', 'Enter');
  await logged(page, /answer 403 .*"channel":"board","joined":false,"reason":"no-rule"/);
  assert.deepEqual(await page.locator('#channels span').allTextContents(), ['public.a']);
  await page.selectOption('#to', 'own');
  await page.fill('#to-name', 'public.a');
  await page.click('#publish-button');
  // Not the answer about the other channel.
  await logged(page, /answer 403 (?!.*"joined").*"reason":"no-rule"/);
  const { stdout } = await shell(server, `${await shown(page, 'shell-example')} || true`);
  assert.match(stdout, /user 1 may join public\.a: .*\nuser 1 may not publish to public\.a: no --publish-rule names it/);
  assert.deepEqual(page.problems.filter((problem) => !/403/.test(problem)), []);
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
    const long = 'a-rather-long-name-'.repeat(5);
    const page = await openPage(t, `${server.url}/?events=${long}&join=${long}`, {
      viewport: { width, height: 700 },
    });
    await logged(page, FINISH);
    const problems = await page.evaluate(() => {
      const wide = [...document.querySelectorAll('body *')].filter(
        (part) => part.getBoundingClientRect().right > innerWidth + 0.5,
      );
      const nameless = [...document.querySelectorAll('button, input, select, textarea')].filter(
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

/** Runs a line that the page shows, as if it were pasted into a shell. */
function shell(server, line) {
  const ssectl = `ssectl() { "$SSECTL" "$@"; }\n`;
  const env = { ...process.env, SSECTL_SERVER: `unix:${server.socket}` };
  return promisify(execFile)('sh', ['-c', `${ssectl}${line}`], { env, timeout: 30_000 });
}

const shown = (page, id) => page.locator(`#${id}`).textContent();
const detailIs = (page, id, pattern) =>
  until(async () => pattern.test(await shown(page, id)), `${id} is like ${pattern}`).catch(async (error) => {
    throw new Error(`${error.message}; it is ${await shown(page, id)}`);
  });

test('publishes to a user, a channel and everyone, and the shown lines of curl and ssectl do the same', async (t) => {
  const { server, page } = await openDemo(t, '?channel=c1');
  const targets = [
    ['users', '1', /^ssectl send --user 1 --event note 'it'\\''s <b>'$/],
    ['channels', 'c1', /^ssectl send --channel c1 --event note /],
    ['all', undefined, /^ssectl send --all --event note /],
  ];
  await page.fill('#event', 'note');
  await page.press('#event', 'Enter');
  await logged(page, /answer 200 .*note/);
  await page.fill('#publish-event', 'note');
  await page.fill('#data', "it's <b>");
  let arrived = 0;
  for (const [kind, name, line] of targets) {
    await page.selectOption('#to', kind);
    if (name) await page.fill('#to-name', name);
    await page.click('#publish-button');
    await detailIs(page, 'shell-example', line);
    await logged(page, / note it's <b>$/, (arrived += 1));
    await detailIs(page, 'curl', /^curl -X POST .*publish\.do/);
    const { stdout } = await shell(server, await shown(page, 'curl'));
    assert.equal(JSON.parse(stdout).data.delivered, 1, stdout);
    await logged(page, / note it's <b>$/, (arrived += 1));
    await shell(server, await shown(page, 'shell-example'));
    await logged(page, / note it's <b>$/, (arrived += 1));
  }
  assert.deepEqual(page.problems, []);
});

test('every action of the page shows lines of curl and ssectl that work', async (t) => {
  const { server, page } = await openDemo(t);
  const both = async (curl, ssectl) => {
    await detailIs(page, 'curl', curl);
    await detailIs(page, 'shell-example', ssectl);
    return shell(server, await shown(page, 'curl'));
  };
  await page.fill('#event', 'note');
  await page.press('#event', 'Enter');
  const added = await both(/^curl .*addListener\.do/, /^ssectl listen --user 1 --event note$/);
  assert.match(added.stdout, /"note"/);
  await page.click('#listening li:has-text("note") button');
  await both(/^curl .*removeListener\.do/, /^ssectl explain --user 1 --event note --listening$/);
  const explained = await shell(server, `${await shown(page, 'shell-example')} || true`);
  assert.match(explained.stdout, /does not listen|no/);
  await page.click('#send');
  const said = await both(/^curl .*message\/hello\.do/, /^ssectl events --type message --user 1 --last 1$/);
  assert.equal(JSON.parse(said.stdout).success, true);
  assert.match((await shell(server, await shown(page, 'shell-example'))).stdout, /hello/);
  const id = await shown(page, 'connection-id');
  await page.click('#close-client');
  const goodbye = await both(/^curl .*disconnect\.do/, new RegExp(`^ssectl connections close ${id}$`));
  assert.equal(JSON.parse(goodbye.stdout).data.count, 0, 'the page has said it');
  await page.click('#reconnect');
  await stateIs(page, 'Connected');
  await page.click('#close-server');
  await stateIs(page, 'Closed');
  await page.locator('#log li[data-kind="close"]').last().click();
  await detailIs(page, 'shell-example', /^ssectl events --type disconnect --last 1$/);
  assert.match((await shell(server, await shown(page, 'shell-example'))).stdout, /disconnect/);
  assert.deepEqual(page.problems, []);
});

test('a refused try is a line of the log, with the way to see why', async (t) => {
  const { server, page } = await openDemo(t);
  await page.route(/\/connect\?/, (route) => route.fulfill({ status: 403, body: '' }));
  await page.click('#reconnect');
  await logged(page, /sse-connect-failed .*403/);
  await page.locator('#log li[data-kind="problem"]').first().click();
  await detailIs(page, 'curl', /^curl -I 'http.*\/connect\?/);
  assert.match((await shell(server, await shown(page, 'curl'))).stdout, /^HTTP\/1\.1 200/);
  await detailIs(page, 'shell-example', /^ssectl events --type refused --last 1$/);
});

test('shows of each message whether it is confirmed, and its frame', async (t) => {
  const { server, page } = await openDemo(t);
  await page.check('#qos');
  await page.fill('#data', 'two\nlines');
  await page.click('#publish-button');
  await logged(page, / server-push two\nlines$/);
  const line = page.locator('#log li[data-qos="confirmed"]', { hasText: 'two' });
  await until(() => line.count(), 'the message is confirmed');
  assert.match(await line.getAttribute('data-mark'), /^qos · confirmed$/);
  await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'the server knows');
  await line.click();
  const id = JSON.parse((await logged(page, /answer 200 .*delivered/))[0].match(/answer 200 (.*)$/)[1]).data.id;
  assert.equal(await shown(page, 'frame'), `event:sse-qos\ndata:\n\nid:${id}\nevent:server-push\ndata:two\ndata:lines\n\n`);
  assert.equal(await page.locator('#log li[data-qos]', { hasText: 'sendByUserId' }).count(), 0);
});

test('shows the stream as it comes, and the events as before', async (t) => {
  const { server, page } = await openDemo(t);
  await page.click('#raw-button');
  await detailIs(page, 'raw', /^id:\d+\nretry:\d+\nevent:connect-finish\ndata:\{.*\}\n\n/);
  await stateIs(page, 'Connected');
  await server.send('1', 'server-push', 'two\nlines <b>', { qos: true });
  await detailIs(page, 'raw', /event:sse-qos\n(data:?\n)?\nid:\d+\nevent:server-push\ndata:two\ndata:lines <b>\n\n/);
  await page.click('#raw-button');
  await logged(page, / server-push two\nlines <b>$/);
  await stateIs(page, 'Connected');
  assert.deepEqual(page.problems, []);
});

test('arrow keys choose a line, and its details follow', async (t) => {
  const { page } = await openDemo(t);
  await page.focus('#log');
  await page.keyboard.press('Home');
  await detailIs(page, 'frame', /^id:\d+\nevent:connect-finish\ndata:\{/);
  await detailIs(page, 'curl', /^curl -N 'http.*\/my-sse\/connect\?.*userId=1/);
  assert.match(await shown(page, 'chosen'), FINISH);
  await logged(page, / server-push /);
  await page.keyboard.press('ArrowDown');
  await detailIs(page, 'shell-example', /^ssectl send --user 1 --event server-push /);
  assert.equal(await page.locator('#log [aria-current]').count(), 1);
});

test('two users are side by side', async (t) => {
  const { server, page } = await openDemo(t);
  await page.click('#second');
  const other = page.frameLocator('#other iframe');
  await until(async () => (await server.connections()).length === 2, 'both are connected');
  assert.equal(await other.locator('#user').inputValue(), '2');
  await page.selectOption('#to', 'users');
  await page.fill('#to-name', '2');
  await page.fill('#data', 'from 1 to 2');
  await page.click('#publish-button');
  await until(async () => (await other.locator('#log li', { hasText: 'server-push from 1 to 2' }).count()) === 1, 'it arrives');
  assert.equal(await page.locator('#log li', { hasText: 'server-push from 1 to 2' }).count(), 0);
  await page.click('#second');
  await until(async () => (await server.connections()).length === 1, 'the second is gone');
});

test('draws round trips and reconnects', async (t) => {
  const { page } = await openDemo(t);
  await detailIs(page, 'chart-text', /^No round trip yet, 0 reconnects$/);
  await page.click('#publish-button');
  await detailIs(page, 'chart-text', /^Round trip [\d.]+ ms, median [\d.]+ ms, 0 reconnects$/);
  await page.click('#reconnect');
  await detailIs(page, 'chart-text', /, 1 reconnects$/);
  assert.equal(await page.locator('#chart line').count(), 1);
  assert.ok(await page.locator('#chart rect').count());
});

test('speaks Chinese where the browser does, and English when asked', async (t) => {
  const server = await startServer(t, '--demo');
  const page = await openPage(t, `${server.url}/`, { locale: 'zh-CN' });
  await stateIs(page, '已连接');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh');
  assert.equal(await page.textContent('#publish-button'), '发布');
  const english = await page.evaluate(() =>
    [...document.querySelectorAll('[data-t]')].map((part) => part.textContent).filter((text) => /^[\x20-\x7e]+$/.test(text)),
  );
  assert.deepEqual(english, [], 'everything is translated');
  await page.click('#language');
  await stateIs(page, 'Connected');
  assert.equal(await page.textContent('#publish-button'), 'Publish');
  await page.reload();
  await stateIs(page, 'Connected');
});

const AXE = fileURLToPath(new URL('node_modules/axe-core/axe.min.js', import.meta.url));

for (const [what, options] of Object.entries({
  'on a phone': { viewport: { width: 390, height: 844 } },
  'in the dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  'in Chinese': { viewport: { width: 1280, height: 800 }, locale: 'zh-CN' },
  'with two users': { viewport: { width: 1440, height: 900 } },
})) {
  test(`axe finds nothing ${what}`, async (t) => {
    const server = await startServer(t, '--demo');
    const page = await openPage(t, `${server.url}/`, options);
    await logged(page, FINISH);
    await page.check('#qos');
    await page.click('#publish-button');
    await logged(page, / answer 200 /);
    await until(
      () =>
        page.evaluate(() => {
          const log = document.getElementById('log');
          return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
        }),
      'the newest line is in view',
    );
    if (what === 'with two users') {
      await page.click('#second');
      await until(async () => (await server.connections()).length === 2, 'both are connected');
    }
    await page.evaluate(await readFile(AXE, 'utf8'));
    const violations = await page.evaluate(async () =>
      (await window.axe.run()).violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 120))]),
    );
    assert.deepEqual(violations, []);
    const wide = await page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((part) => part.getBoundingClientRect().right > innerWidth + 0.5)
        .map((part) => part.outerHTML.slice(0, 100)),
    );
    assert.deepEqual(wide, []);
    if (process.env.SSE_SCREENSHOTS) await page.screenshot({ path: `${process.env.SSE_SCREENSHOTS}/${what}.png` });
  });
}
