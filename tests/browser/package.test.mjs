// The client module as those who install it from npm get it: the files of `npm pack`, checked, bundled and run.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { checkPackage, Package } from '@arethetypeswrong/core';
import { build as esbuild, transform } from 'esbuild';
import { build as vite } from 'vite';
import webpack from 'webpack';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';

const WEB = new URL('../../lib/web/', import.meta.url);
const MODULES = fileURLToPath(new URL('node_modules', import.meta.url));
const PROGRAM = `
import Sse from 'sse-server-client';
window.received = [];
window.client = new Sse({ url: '/my-sse', query: { userId: '1' }, share: true });
window.client.on('news', (event) => window.received.push(event.data));
`;

const run = promisify(execFile);
let project; // a folder with the package installed

before(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'sse-package-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: fileURLToPath(WEB) });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  const installed = path.join(project, 'node_modules', 'sse-server-client');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', path.join(project, filename), '-C', installed, '--strip-components=1']);
  await writeFile(path.join(project, 'package.json'), '{"private": true, "type": "module"}');
  await writeFile(path.join(project, 'main.js'), PROGRAM);
  await writeFile(path.join(project, 'index.html'), '<!doctype html><script type="module" src="/main.js"></script>');
});

after(async () => {
  await closeBrowser();
  await rm(project, { recursive: true, force: true });
});

const packageFolder = () => path.join(project, 'node_modules', 'sse-server-client');

test('the package has the module with its parts, its types, the manual and the license, and nothing else', async () => {
  const parts = (await readdir(WEB)).filter((name) => /^sse-.*\.js$/.test(name));
  const expected = ['LICENSE', 'README.md', 'package.json', 'sse.d.ts', 'sse.js', ...parts];
  assert.deepEqual((await readdir(packageFolder())).sort(), expected.sort());
  for (const name of expected.filter((each) => each !== 'LICENSE')) {
    assert.deepEqual(await readFile(path.join(packageFolder(), name)), await readFile(new URL(name, WEB)), name);
  }
  assert.ok(!(await readdir(WEB)).includes('LICENSE'), 'npm pack leaves nothing behind');
  const { version, dependencies } = JSON.parse(await readFile(new URL('package.json', WEB)));
  assert.equal(dependencies, undefined);
  assert.match(await readFile(new URL('sse.js', WEB), 'utf8'), new RegExp(`static version = '${version}';`));
});

test('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pkgDir: packageFolder(), strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg, { color: false })),
    [],
  );
});

test('attw finds the types wherever import finds the module', async () => {
  const files = {};
  for (const name of await readdir(packageFolder())) {
    files[`/node_modules/sse-server-client/${name}`] = await readFile(path.join(packageFolder(), name));
  }
  const { version } = JSON.parse(files['/node_modules/sse-server-client/package.json']);
  const { types, problems } = await checkPackage(new Package(files, 'sse-server-client', version));
  assert.equal(types.kind, 'included');
  // From CommonJS only import() loads an ES module, and node10 knows no exports: attw's profile esm-only.
  const isOfModules = ({ resolutionKind }) => !['node10', 'node16-cjs'].includes(resolutionKind);
  assert.deepEqual(problems.filter(isOfModules), []);
});

test('importing it in Node.js does nothing and leaves nothing running', () => {
  const program = `
    const before = Object.getOwnPropertyNames(globalThis).sort().join();
    const { default: Sse } = await import('sse-server-client');
    if (Object.getOwnPropertyNames(globalThis).sort().join() !== before) throw new Error('a global was added');
    console.log(Sse.version);`;
  const options = { cwd: project, encoding: 'utf8', timeout: 60_000 };
  const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', program], options);
  assert.equal(ended.stderr, '');
  assert.match(ended.stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(ended.status, 0);
});

/** Bytes of a file of lib/web, minified and gzipped. */
async function sizeOf(name) {
  const { code } = await transform(await readFile(new URL(name, WEB), 'utf8'), { minify: true, format: 'esm' });
  return gzipSync(code, { level: 9 }).length;
}

test('the client is at most 6.4 kB and with all its parts 12.3 kB, minified and gzipped', async (t) => {
  let all = 0;
  for (const name of (await readdir(WEB)).filter((file) => /^sse.*\.js$/.test(file)).sort()) {
    const size = await sizeOf(name);
    t.diagnostic(`${name}: ${size} bytes`);
    if (name === 'sse.js') assert.ok(size <= 6400, `sse.js is ${size} bytes`);
    all += size;
  }
  assert.ok(all <= 12_300, `all are ${all} bytes`);
});

const BUNDLERS = {
  async esbuild(out) {
    const entryPoints = [path.join(project, 'main.js')];
    await esbuild({ entryPoints, outdir: out, bundle: true, minify: true, splitting: true, format: 'esm' });
  },
  async vite(out) {
    await vite({ root: project, configFile: false, logLevel: 'error', build: { outDir: out, emptyOutDir: true } });
  },
  async webpack(out) {
    const stats = await new Promise((resolve, reject) => {
      const options = { mode: 'production', context: project, entry: './main.js', output: { path: out, filename: 'main.js' } };
      webpack(options, (error, result) => (error ? reject(error) : resolve(result)));
    });
    assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).errors, []);
    assert.deepEqual(stats.toJson({ all: false, errors: true, warnings: true }).warnings, []);
  },
};

async function mainOf(out) {
  const html = await readFile(path.join(out, 'index.html'), 'utf8');
  return html.match(/src="\/?([^"]+\.js)"/)[1];
}

for (const [name, bundle] of Object.entries(BUNDLERS)) {
  test(`a page bundled by ${name} gets events, and loads the parts that it uses`, async (t) => {
    const out = path.join(project, `of-${name}`);
    await bundle(out);
    if (name !== 'vite') {
      const page = '<!doctype html><title>bundle</title><script type="module" src="main.js"></script>';
      await writeFile(path.join(out, 'index.html'), page);
    }
    const server = await startServer(t, '--demo', '--web-root', out);
    const page = await openPage(t, `${server.url}/`);
    await until(() => page.evaluate(() => window.client?.isActive()), 'the client is connected');
    await server.send('1', 'news', 'bundled');
    await until(() => page.evaluate(() => window.received.length), 'the event arrives');
    assert.deepEqual(await page.evaluate(() => window.received), ['bundled']);
    assert.ok(await page.evaluate(async () => (await navigator.locks.query()).held.length), 'the part is loaded');
    const main = await readFile(path.join(out, await mainOf(out)), 'utf8');
    assert.ok(!main.includes('BroadcastChannel'), 'the part is a file of its own');
    assert.deepEqual(page.problems, []);
  });
}
