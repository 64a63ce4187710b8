// The recipes of lib/web/README.md, as they are written there, except for the server's address.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { closeBrowser, openPage, startServer, until } from './harness.mjs';
import { startScripted } from './scripted_server.mjs';

const WEB = fileURLToPath(new URL('../../lib/web', import.meta.url));
const MODULES = fileURLToPath(new URL('node_modules', import.meta.url));

let manual;
let project; // a folder with the packages that the recipes import

before(async () => {
  manual = await readFile(path.join(WEB, 'README.md'), 'utf8');
  project = await mkdtemp(path.join(tmpdir(), 'sse-recipes-'));
  await mkdir(path.join(project, 'node_modules'));
  for (const name of ['react', 'react-dom', 'scheduler', 'vue', '@vue', 'eventsource', 'eventsource-parser']) {
    await symlink(path.join(MODULES, name), path.join(project, 'node_modules', name));
  }
  await symlink(WEB, path.join(project, 'node_modules', 'sse-server-client'));
});

after(async () => {
  await closeBrowser();
  await rm(project, { recursive: true, force: true });
});

/** The code below a heading of the manual, for a server at `url`. */
function recipe(heading, url = 'http://127.0.0.1:8080') {
  const [, code] = manual.split(new RegExp(`^##+ ${heading.replace('.', '\\.')}$`, 'm'))[1].match(/```\w+\n(.*?)```/s);
  return code.replaceAll('http://127.0.0.1:8080', url);
}

async function write(name, text) {
  const file = path.join(project, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

const textIs = (page, selector, text) =>
  until(async () => (await page.locator(selector).textContent()) === text, `${selector} shows ${text}`);
const connections = (server, count) =>
  until(async () => (await server.connections()).length === count, `there are ${count} connections`);

test('plain page', async (t) => {
  await write('plain/index.html', recipe('Plain page'));
  const server = await startServer(t, '--demo', '--web-root', path.join(project, 'plain'));
  const page = await openPage(t, `${server.url}/`);
  await connections(server, 1);
  await server.send('1', 'news', 'a <b>');
  await textIs(page, '#news', 'a <b>');
});

test('notification centre', async (t) => {
  await write('notices/index.html', recipe('Notification centre'));
  const root = path.join(project, 'notices');
  const rules = ['--channel-rule', 'team.sales=anyone', '--channel-rule', 'team.support=anyone'];
  const server = await startServer(t, '--web-root', root, '--history', '100', ...rules);
  const ann = await openPage(t, `${server.url}/?user=ann&team=sales&team=support&team=board`);
  const bob = await openPage(t, `${server.url}/?user=bob&team=support`);
  const inChannels = (count) =>
    until(async () => (await server.connections()).flatMap(({ channels }) => channels).length === count, `${count} memberships`);
  await inChannels(3);
  await until(async () => /no-rule/.test(await ann.textContent('#notices')), 'the refused team is shown');
  await ann.click('#read');
  const send = ['--event', 'notice', '--channel', 'team.sales', '--channel', 'team.support', '--user', 'ann'];
  await server.ssectl('send', ...send, '{"text":"once"}');
  await server.ssectl('send', '--event', 'notice', '--user', 'bob', '{"text":"for you <b>"}');
  await textIs(ann, '#unread', '1');
  await textIs(ann, '#notices li:first-child', 'sales: once');
  await textIs(bob, '#notices', 'you: for you <b>support: once');
  await ann.click('#read');
  await textIs(ann, '#unread', '0');
});

test('live board', async (t) => {
  await write('board/index.html', recipe('Live board'));
  const rules = ['--channel-rule', 'board.*=anyone', '--publish-rule', 'board.*=subscriber'];
  const server = await startServer(t, '--web-root', path.join(project, 'board'), ...rules);
  const [ann, bob] = [await openPage(t, `${server.url}/?user=ann`), await openPage(t, `${server.url}/?user=bob`)];
  const members = async () => (await server.connections()).flatMap(({ channels }) => channels).join();
  await until(async () => (await members()) === 'board.7,board.7', 'both are in the channel');
  await ann.click('[data-card="2"]');
  await textIs(bob, '[data-column="done"]', 'DoneBuy milk');
  await textIs(bob, '#last', 'moved by ann');
  await textIs(ann, '[data-column="done"]', 'DoneBuy milk');
  assert.equal(await ann.textContent('#last'), '');
  await bob.click('[data-card="2"]');
  await textIs(ann, '[data-column="todo"]', 'To doPaint the doorBuy milk');
  await textIs(ann, '#last', 'moved by bob');
  assert.deepEqual([...ann.problems, ...bob.problems], []);
});

const APPLICATIONS = {
  React: {
    file: 'react/use-sse.jsx',
    app: `
import { createElement, StrictMode, useState } from 'react';
import { useSse } from './use-sse.jsx';
function News() {
  const [news, setNews] = useState([]);
  useSse('news', (event) => setNews([...news, event.data]));
  return createElement('p', { id: 'news' }, news.join());
}
export function App() {
  const [shown, setShown] = useState(true);
  return createElement(StrictMode, null,
    createElement('button', { onClick: () => setShown(!shown) }, 'toggle'), shown && createElement(News));
}`,
    main: `
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
createRoot(document.getElementById('app')).render(createElement(App));`,
    ssr: `
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { App } from './app.js';
console.log(renderToString(createElement(App)));`,
  },
  Vue: {
    file: 'vue/use-sse.js',
    app: `
import { defineComponent, h, ref } from 'vue';
import { useSse } from './use-sse.js';
const News = defineComponent(() => {
  const news = ref([]);
  useSse('news', (event) => news.value.push(event.data));
  return () => h('p', { id: 'news' }, news.value.join());
});
export const App = defineComponent(() => {
  const shown = ref(true);
  return () => h('div', [h('button', { onClick: () => (shown.value = !shown.value) }, 'toggle'), shown.value && h(News)]);
});`,
    main: `
import { createApp } from 'vue';
import { App } from './app.js';
createApp(App).mount('#app');`,
    ssr: `
import { createSSRApp } from 'vue';
import { renderToString } from '@vue/server-renderer';
import { App } from './app.js';
renderToString(createSSRApp(App)).then(console.log);`,
  },
};

for (const [name, { file, app, main, ssr }] of Object.entries(APPLICATIONS)) {
  test(`${name}: a component hears events while it is mounted, and a server renders it`, async (t) => {
    const folder = path.dirname(await write(file, recipe(name)));
    await writeFile(path.join(folder, 'app.js'), app);
    await writeFile(path.join(folder, 'main.js'), main);
    await writeFile(path.join(folder, 'ssr.js'), ssr);
    await writeFile(path.join(folder, 'index.html'), '<!doctype html><div id="app"></div><script src="out.js"></script>');
    const common = { bundle: true, nodePaths: [MODULES], define: { 'process.env.NODE_ENV': '"development"' }, logLevel: 'error' };
    await build({ ...common, entryPoints: [path.join(folder, 'main.js')], outfile: path.join(folder, 'out.js') });
    await build({
      ...common,
      entryPoints: [path.join(folder, 'ssr.js')],
      outfile: path.join(folder, 'ssr.cjs'),
      platform: 'node',
    });
    const rendered = run(t, process.execPath, [path.join(folder, 'ssr.cjs')]);
    await rendered.ended;
    assert.match(rendered.output, /<p id="news">/);

    const server = await startServer(t, '--demo', '--web-root', folder);
    const page = await openPage(t, `${server.url}/`);
    const listening = (is) =>
      until(async () => {
        const list = await server.connections();
        return list.length === 1 && list[0].listeners.includes('news') === is;
      }, `one connection that ${is ? 'listens' : 'does not listen'}`);
    await listening(true);
    await server.send('1', 'news', 'one');
    await textIs(page, '#news', 'one');
    await server.send('1', 'news', 'two');
    await textIs(page, '#news', 'one,two');
    await page.click('button');
    await listening(false);
    await page.click('button');
    await listening(true);
    await server.send('1', 'news', 'three');
    await textIs(page, '#news', 'three');
    assert.deepEqual(page.problems, []);
  });
}

/** A program with its output so far; ended with the test. */
function run(t, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  const program = { output: '', errors: '' };
  child.stdout.on('data', (text) => (program.output += text));
  child.stderr.on('data', (text) => (program.errors += text));
  program.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  program.ended.catch((error) => (program.errors += error.message));
  t.after(() => {
    try {
      process.kill(-child.pid, 'SIGKILL'); // with what it has started
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
    return program.ended.catch(() => {});
  });
  return program;
}

const PROGRAMS = {
  'Node.js': { file: 'node.mjs', command: [process.execPath, 'node.mjs'] },
  curl: { file: 'confirm.sh', command: ['sh', 'confirm.sh'] },
  Python: { file: 'confirm.py', command: ['python3', 'confirm.py'] },
  Go: { file: 'confirm.go', build: ['go', 'build', '-o', 'confirm', 'confirm.go'], command: ['./confirm'] },
  Java: { file: 'Confirm.java', build: ['javac', 'Confirm.java'], command: ['java', 'Confirm'] },
};

async function start(t, name, url) {
  const { file, build: compiler, command } = PROGRAMS[name];
  await write(file, recipe(name, url));
  if (compiler) {
    const compiled = run(t, compiler[0], compiler.slice(1), { cwd: project });
    assert.equal(await compiled.ended, 0, compiled.errors);
  }
  return run(t, command[0], command.slice(1), { cwd: project });
}

const prints = (program, text) =>
  until(
    () => program.output === text,
    `the program prints ${JSON.stringify(text)}`,
  ).catch((error) => {
    throw new Error(`${error.message}; it has printed ${JSON.stringify(program.output)}, ${program.errors}`);
  });

for (const name of Object.keys(PROGRAMS)) {
  test(`${name}: confirms what it has handled`, async (t) => {
    const server = await startServer(t, '--demo');
    await server.send('1', 'news', 'waits', { qos: true });
    const program = await start(t, name, server.url);
    await prints(program, 'waits\n');
    await server.send('1', 'other', 'not for it');
    await server.send('1', 'news', 'live', { qos: true });
    await prints(program, 'waits\nlive\n');
    await until(async () => (await server.admin('GET', '/api/v1/messages')).json.total === 0, 'all is confirmed');
  });

  test(`${name}: drops what it has seen, and confirms it again`, async (t) => {
    const server = await startScripted(t, {
      onStream: (stream) => stream.finish({ ack: true, ackMarks: stream.query.ackMarks === '1' }),
    });
    const program = await start(t, name, server.url);
    await until(() => server.streams.length, 'it connects');
    const [stream] = server.streams;
    for (const id of ['7', '7', '8']) {
      if (stream.query.ackMarks) stream.event('sse-qos', '');
      stream.event('news', `number ${id}`, id);
    }
    await prints(program, 'number 7\nnumber 8\n');
    const confirmed = () => server.named('ack.do').flatMap(({ body }) => body.ids);
    await until(() => confirmed().length === 3, 'three confirmations');
    assert.deepEqual(confirmed(), ['7', '7', '8']);
    assert.equal(server.named('ack.do')[0].body.connectionId, server.streams[0].id);
  });
}
