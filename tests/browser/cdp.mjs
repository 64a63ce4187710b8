// A Chromium without Playwright, which keeps every page visible and focused: here, tabs are hidden and frozen like a user's.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './harness.mjs';

/** A tab. `evaluate` takes a function, or text, and the arguments of the function, as JSON; it waits for promises. */
class Tab {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, { browser, targetId, sessionId });
  }

  send(method, params) {
    return this.browser.send(method, params, this.sessionId);
  }

  async evaluate(fn, ...args) {
    const expression = `(${fn})(${args.map((arg) => JSON.stringify(arg)).join()})`;
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  show() {
    return this.browser.send('Target.activateTarget', { targetId: this.targetId });
  }

  /** `state`: frozen or active. Only hidden tabs can be frozen. */
  setLifecycle(state) {
    return this.send('Page.setWebLifecycleState', { state });
  }
}

class Chromium {
  #process;
  #calls = new Map();
  #last = 0;

  constructor(process) {
    this.#process = process;
    let text = '';
    process.stdio[4].on('data', (part) => {
      const messages = (text + part).split('\0');
      text = messages.pop();
      for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
        const call = this.#calls.get(id);
        this.#calls.delete(id);
        if (error) call?.reject(new Error(error.message));
        else call?.resolve(result);
      }
    });
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  async open(url) {
    const { targetId } = await this.send('Target.createTarget', { url });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, targetId, sessionId);
    await until(() => tab.evaluate(() => document.readyState === 'complete' && location.href !== 'about:blank'), url);
    return tab;
  }
}

/** Starts a browser with a profile of its own, for test `t`, which also ends it. */
export async function startChromium(t) {
  const profile = await mkdtemp(path.join(tmpdir(), 'sse-chromium-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
  const browser = spawn(
    process.env.SSE_CHROMIUM ?? '/usr/bin/chromium',
    [...flags, '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  process.on('exit', () => browser.kill('SIGKILL'));
  t.after(async () => {
    browser.kill('SIGKILL');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  return new Chromium(browser);
}
