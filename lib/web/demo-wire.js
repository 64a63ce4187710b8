// What the demo page shows of the wire: it watches the requests that the client module makes.

const JSON_TYPE = 'application/json;charset=UTF-8';

// POSIX: a word in single quotes may contain any character except a single quote.
export function shellWord(word) {
  return /^[\w.@:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function shellLine(...words) {
  return words.map(shellWord).join(' ');
}

/** The curl line of a POST with a JSON body. */
export function curlPost(url, body) {
  return shellLine('curl', '-X', 'POST', url, '-H', `Content-Type: ${JSON_TYPE}`, '-d', JSON.stringify(body));
}

/** The curl line of a POST with a form, of which each field is readable. */
export function curlForm(url, form) {
  const fields = [...new URLSearchParams(form)].flatMap(([name, value]) => ['--data-urlencode', `${name}=${value}`]);
  return shellLine('curl', url, ...fields);
}

/** An event as the server has sent it (WHATWG HTML §9.2.6). */
export function frameOf({ type, data, lastEventId, qos, channel }) {
  const of = channel ? `event:sse-channel\ndata:${JSON.stringify({ channel, event: type })}\n\n` : '';
  const mark = (qos ? 'event:sse-qos\ndata:\n\n' : '') + of;
  const id = lastEventId ? `id:${lastEventId}\n` : '';
  const lines = String(data).split('\n');
  return `${mark}${id}event:${type}\n${lines.map((line) => `data:${line}\n`).join('')}\n`;
}

const pathOf = (url) => new URL(url, location.href).pathname;

function confirmedIds(url, body) {
  if (!pathOf(url).endsWith('/connect/ack.do')) return [];
  return JSON.parse(body).ids;
}

async function readText(body, onText) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onText(value);
  }
}

const answers = new Map(); // action, such as subscribe → the last request and its answer

/** What the last request of an action was, once it has been answered: `{ curl, answer }`. */
export async function lastRequest(action) {
  const { url, body, status, content } = answers.get(action) ?? {};
  return url && { curl: curlPost(url, JSON.parse(body)), answer: `${status} ${await content}` };
}

export const forgetRequest = (action) => answers.delete(action);

function noteAnswer(url, body, response) {
  const [, action] = pathOf(url).match(/\/connect\/(subscribe|unsubscribe|publish)\.do$/) ?? [];
  if (!action) return;
  const content = response.clone().text();
  answers.set(action, { url: new URL(url, location.href).href, body, status: response.status, content });
}

/**
 * `onConnect(url)` is called for each stream that is opened, `onRaw(text)` with the bytes of one that is read with fetch,
 * `onConfirmed(ids)` when the server has confirmations, `onGoodbye(url, form)` when the page leaves its stream.
 */
export function watchWire({ onConnect, onRaw, onConfirmed, onGoodbye }) {
  const isConnect = (url) => pathOf(url).endsWith('/connect');
  const watchGoodbye = (url, body) => {
    if (pathOf(url).endsWith('/connect/disconnect.do')) onGoodbye(new URL(url, location.href).href, String(body));
  };
  const { EventSource, fetch } = window;
  window.EventSource = class extends EventSource {
    constructor(url, options) {
      super(url, options);
      onConnect(this.url);
    }
  };
  window.fetch = async (resource, options) => {
    const url = resource.url ?? String(resource);
    const isStream = isConnect(url) && options?.method !== 'HEAD';
    if (isStream) onConnect(new URL(url, location.href).href);
    watchGoodbye(url, options?.body);
    const response = await fetch(resource, options);
    noteAnswer(url, options?.body, response);
    if (isStream && response.ok && response.body) {
      const [own, copy] = response.body.tee();
      readText(copy, onRaw).catch((error) => onRaw(`\n(${error.message})\n`));
      return new Response(own, response);
    }
    if (response.ok) onConfirmed(confirmedIds(url, options?.body));
    return response;
  };
  const beacon = navigator.sendBeacon.bind(navigator);
  navigator.sendBeacon = (url, body) => {
    watchGoodbye(url, body);
    const sent = beacon(url, body);
    if (sent) onConfirmed(confirmedIds(url, body));
    return sent;
  };
}
