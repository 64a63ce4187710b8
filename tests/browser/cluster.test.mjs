// scripts/run-cluster as its users see it: two servers, two producers, both pages show everything.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { closeBrowser, logged, openPage, until } from './harness.mjs';

after(closeBrowser);

test('both pages of a cluster show what both producers push', async (t) => {
  const script = new URL('../../scripts/run-cluster', import.meta.url).pathname;
  const cluster = spawn(script, [], { env: { ...process.env, SSE_PORTS: '0 0' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => cluster.once('exit', resolve));
  // It ends its servers; killed outright it would leave them, and node waits for their output.
  t.after(async () => {
    if (cluster.exitCode === null) cluster.kill('SIGINT');
    await ended;
  });
  let talk = '';
  for (const stream of [cluster.stdout, cluster.stderr]) stream.on('data', (text) => (talk += text));
  await until(() => {
    if (cluster.exitCode !== null) throw new Error(`run-cluster ended: ${talk}`);
    return talk.includes('Ctrl-C');
  }, 'the cluster is up');
  const urls = [...talk.matchAll(/^node\d +(http:\S+)/gm)].map((match) => match[1]);
  assert.equal(urls.length, 2, talk);
  for (const url of urls) {
    const page = await openPage(t, `${url}/`);
    const [line] = await logged(page, /^ID:\d+ connect-finish \{/);
    assert.equal(JSON.parse(line.slice(line.indexOf('{'))).enableCluster, true);
    for (const producer of ['dubbo1', 'dubbo2'])
      await logged(page, new RegExp(`server-push \\{"name":"sendByUserId ${producer}号推送的"\\}$`));
    assert.deepEqual(page.problems, []);
  }
  cluster.kill('SIGINT');
  assert.equal(await ended, 0, talk);
});
