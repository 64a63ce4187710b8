// The demo page and the client module over the server's own TLS.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { closeBrowser, logged, openPage, startServer, stateIs, until } from './harness.mjs';

after(closeBrowser);

function certificate(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'sse-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = { cert: path.join(folder, 'cert.pem'), key: path.join(folder, 'key.pem') };
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', ...kind, ...name, '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  chmodSync(files.key, 0o600);
  return files;
}

test('a page over TLS gets its events, confirms them, sends and uploads, and comes back after a restart', async (t) => {
  const { cert, key } = certificate(t);
  const server = await startServer(t, '--tls-cert', cert, '--tls-key', key, '--reconnect-time', '200ms');
  assert.match(server.url, /^https:/);
  const page = await openPage(t, `${server.url}/?userId=1`, { ignoreHTTPSErrors: true });
  await stateIs(page, 'Connected');
  await server.send('1', 'server-push', 'over TLS', { qos: true });
  await logged(page, /over TLS/);
  const pending = async () => (await server.admin('GET', '/api/v1/messages')).json.total;
  await until(async () => (await pending()) === 0, 'the page confirms');

  const answers = await page.evaluate(async () => {
    const { default: Sse } = await import('/my-sse');
    window.events = [];
    window.client = new Sse({
      url: '/my-sse',
      query: { userId: '2' },
      eventListeners: { news: (event) => window.events.push(event.data) },
    });
    const form = new FormData();
    form.append('file', new Blob(['x'.repeat(300_000)]), 'x.txt');
    const both = [await window.client.send('greeting', { text: 'hi' }), await window.client.upload('file', form)];
    return Promise.all(both.map((answer) => answer.json()));
  });
  for (const answer of answers) assert.equal(answer.success, true, JSON.stringify(answer));

  await server.stop('SIGKILL');
  await server.start();
  await server.send('2', 'news', 'after the restart', { qos: true });
  await until(() => page.evaluate(() => window.events.includes('after the restart')), 'the client is back');
  await until(async () => (await pending()) === 0, 'the client confirms');
  assert.deepEqual(page.problems, []);
});
