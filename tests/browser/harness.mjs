// What the browser tests share: the real server on a free port, its admin socket, ssectl, a browser, waiting.
// SSE_SERVE and SSECTL name the programs, SSE_CHROMIUM the browser (default /usr/bin/chromium).

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const DEADLINE = 30_000;

function program(variable) {
  const file = process.env[variable];
  if (!file) throw new Error(`${variable} must name the program to test; ctest sets it.`);
  return file;
}

/** Calls `condition` until what it returns is truthy, and returns that. */
export async function until(condition, what) {
  const deadline = Date.now() + DEADLINE;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`Waited ${DEADLINE / 1000} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A running sse-serve with nothing of its own on disk but a temporary folder. */
class Server {
  #args;
  #folder;
  #process;
  #talk = '';
  url;

  constructor(args, folder) {
    this.#args = args;
    this.#folder = folder;
  }

  get socket() {
    return path.join(this.#folder, 'admin.sock');
  }

  /** What it has printed since it was started last. */
  get log() {
    return this.#talk;
  }

  /** Starts, also again after stop(): then on the same port. */
  async start() {
    const listen = this.url ? new URL(this.url).host : '127.0.0.1:0';
    const common = [
      '--listen',
      listen,
      '--db',
      path.join(this.#folder, 'pending.db'),
    ];
    if (!this.#args.includes('--admin')) common.push('--admin', `unix:${this.socket}`);
    const child = spawn(program('SSE_SERVE'), [...common, ...this.#args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    running.add(child);
    child.on('exit', () => running.delete(child));
    this.#talk = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.#talk += text));
    let failure;
    child.on('error', (error) => (failure = error));
    child.on('exit', (code, signal) => (failure ??= new Error(`sse-serve ended with ${code ?? signal}`)));
    const address = await until(() => {
      if (failure) throw new Error(`${failure.message}; it said:\n${this.#talk}`);
      return this.#talk.match(/https?:\/\/127\.0\.0\.1:\d+/);
    }, 'sse-serve prints its address');
    this.url = address[0];
  }

  async stop(signal = 'SIGTERM') {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const impatience = setTimeout(() => child.kill('SIGKILL'), DEADLINE);
    child.kill(signal);
    await ended;
    clearTimeout(impatience);
  }

  async dispose() {
    await this.stop('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** A request to the admin API. `body`: bytes or text as they are, anything else as JSON. */
  admin(method, where, body) {
    const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const headers =
      bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) };
    return new Promise((resolve, reject) => {
      const request = http.request(
        { socketPath: this.socket, method, path: where, headers, agent: false },
        (response) => {
          const parts = [];
          response.on('data', (part) => parts.push(part));
          response.on('end', () => {
            const text = Buffer.concat(parts).toString();
            let json;
            try {
              json = JSON.parse(text);
            } catch {
              json = undefined;
            }
            resolve({ status: response.statusCode, text, json });
          });
        },
      );
      request.on('error', reject);
      request.end(bytes);
    });
  }

  async send(user, event, data, more = {}) {
    const answer = await this.admin('POST', '/api/v1/send', { target: { users: [user] }, event, data, ...more });
    if (answer.status !== 200) throw new Error(`send was answered ${answer.status}: ${answer.text}`);
    return answer.json;
  }

  async connections() {
    return (await this.admin('GET', '/api/v1/connections')).json.list;
  }

  /** Runs ssectl against this server; rejects when it exits with anything but 0. */
  ssectl(...args) {
    const env = { ...process.env, SSECTL_SERVER: `unix:${this.socket}` };
    const child = promisify(execFile)(program('SSECTL'), args, { env });
    child.child.stdin.end();
    return child;
  }
}

/** Starts a server for test or suite `t`, which also ends it. */
export async function startServer(t, ...args) {
  const server = new Server(args, await mkdtemp(path.join(tmpdir(), 'sse-browser-')));
  t.after(() => server.dispose());
  await server.start();
  return server;
}

let browser;

/** The one browser of this test file, with a profile of its own that is thrown away. */
export async function openBrowser() {
  browser ??= await chromium.launch({
    executablePath: process.env.SSE_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A page with storage of its own; `problems` collects whatever it complains about. Closed with test `t`. */
export async function openPage(t, url, options = {}) {
  const context = await (await openBrowser()).newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) page.problems.push(message.text());
  });
  if (url) await page.goto(url);
  return page;
}

/** What is in the demo page's log, a string a line. */
export function logLines(page) {
  return page.locator('#log li').allTextContents();
}

/** Waits until `count` log lines match, and returns them. */
export async function logged(page, pattern, count = 1) {
  let lines = [];
  await until(async () => {
    lines = await logLines(page);
    return lines.filter((line) => pattern.test(line)).length >= count;
  }, `${count} log line(s) like ${pattern}`).catch((error) => {
    throw new Error(`${error.message}; the log holds:\n${lines.join('\n')}`);
  });
  return lines.filter((line) => pattern.test(line));
}

export function stateIs(page, text) {
  return until(async () => (await page.locator('#state').textContent()) === text, `the page says ${text}`);
}

/** Makes the page believe that its tab went to the back or came to the front. Headless tabs are always in front. */
export function setVisibility(page, state) {
  return page.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => value });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value === 'hidden' });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  }, state);
}
