// The demo page. The user's identity is in the URL, so that two tabs can be two users and a reload changes nothing.

import { joinAll, labelChannels, leaveRefused, showChips, startChannels } from './demo-channels.js';
import { addReconnect, addRoundTrip, drawChart } from './demo-chart.js';
import { addDetail, addLine, awaitConfirmation, labelCopyButtons, setConfirmed, showDetail } from './demo-log.js';
import { setLanguage, text } from './demo-text.js';
import { curlForm, curlPost, forgetRequest, frameOf, lastRequest, shellLine, watchWire } from './demo-wire.js';

const STATES = ['connecting', 'connected', 'closed'];
const FIELDS = { user: 'userId', tenant: 'tenantId', channel: 'channel' };
const FIRST_EVENTS = ['server-push', 'message'];
const MAX_AWAITED = 100;
const MAX_RAW = 50_000;

const element = (id) => document.getElementById(id);
const page = new URL(location.href);
const isSecond = page.searchParams.has('second');

let Sse;
let sse;
let connectURL = '';
let goodbye; // the curl line of the last one
let hasConnected = false;
const published = new Map(); // event id → when it was published
const arrived = new Map(); // event id → when it arrived, which may be before the answer to the publisher

// ---- the connection

function showState(state, detail = '') {
  const pill = element('state');
  pill.dataset.state = state;
  pill.textContent = text(state);
  element('state-detail').textContent = detail;
}

function showConnection({ connectionId, serverVersion }) {
  element('connection-id').textContent = connectionId ?? '–';
  element('server-version').textContent = serverVersion ?? '–';
}

function remember(times, id, time) {
  times.set(id, time);
  if (times.size > MAX_AWAITED) times.delete(times.keys().next().value);
  if (!published.has(id) || !arrived.has(id)) return;
  addRoundTrip(arrived.get(id) - published.get(id));
  published.delete(id);
}

const listeners = {
  'connect-finish'(event) {
    const detail = {
      frame: frameOf(event),
      curl: shellLine('curl', '-N', connectURL),
      ssectl: shellLine('ssectl', 'connections', 'show', this.connectionId),
    };
    addLine('finish', this.connectionId, event.type, event.data, detail);
    showConnection(this);
    if (hasConnected) addReconnect();
    hasConnected = true;
  },
  'connect-close'(event) {
    const isServer = event.whoTriggerClose === 'server';
    const detail = isServer
      ? { frame: frameOf(event), ssectl: shellLine('ssectl', 'events', '--type', 'disconnect', '--last', '1') }
      : { curl: goodbye, ssectl: shellLine('ssectl', 'connections', 'close', this.connectionId) };
    addLine('close', this.connectionId, event.type, `${event.data}. whoTriggerClose=${event.whoTriggerClose}`, detail);
    if (!isServer) showDetail(detail);
    showConnection({});
    if (!this.isActive()) element('state-detail').textContent = text(isServer ? 'byServer' : 'byPage');
  },
  'sse-change-state'(event) {
    showState(STATES[event.data.newState]);
  },
  'sse-connect-failed'(event) {
    const detail = {
      curl: shellLine('curl', '-I', connectURL),
      ssectl: shellLine('ssectl', 'events', '--type', 'refused', '--last', '1'),
    };
    addLine('problem', null, event.type, JSON.stringify(event.data), detail);
  },
  'sse-change-active'(event) {
    const { newActive, duration } = event.data;
    const seconds = duration.sessionDuration + duration.duration;
    element('activity').textContent = text(newActive ? 'active' : 'away', seconds);
  },
  'sse-channel-refused'(event) {
    const { channel } = JSON.parse(event.data);
    const ssectl = shellLine('ssectl', 'explain', '--user', element('user').value, '--channel', channel);
    addLine('problem', this.connectionId, event.type, event.data, { frame: frameOf(event), ssectl });
    leaveRefused(channel);
  },
  resync(event) {
    addLine('problem', this.connectionId, event.type, event.data, { frame: frameOf(event) });
  },
};

function showEvent(event) {
  const options = ['--event', event.type, ...(event.qos ? ['--qos'] : [])];
  const to = event.channel ? ['--channel', event.channel] : ['--user', element('user').value];
  const detail = { frame: frameOf(event), ssectl: shellLine('ssectl', 'send', ...to, ...options, event.data) };
  const line = addLine('event', this.connectionId, event.type, event.data, detail, event.channel);
  if (event.qos) awaitConfirmation(line, event.lastEventId);
  if (event.lastEventId) remember(arrived, event.lastEventId, performance.now());
}

/** The events that the user has chosen. */
const listening = new Set(FIRST_EVENTS);

function showListening() {
  showChips('listening', listening, { nothing: 'nothing', label: 'stop', remove: stopListening });
}

function keepListening() {
  const others = [...listening].filter((name) => !FIRST_EVENTS.includes(name));
  if (others.length) page.searchParams.set('events', others.join(','));
  else page.searchParams.delete('events');
  history.replaceState(null, '', page);
  showListening();
}

function startListening(name) {
  if (!sse || listeners[name] || listening.has(name)) return;
  listening.add(name);
  keepListening();
  const ssectl = shellLine('ssectl', 'listen', '--user', element('user').value, '--event', name);
  showAnswer('addListener', name, () => sse.addListener(name, showEvent), listenerBody(name), ssectl);
}

function stopListening(name) {
  if (!sse) return;
  listening.delete(name);
  keepListening();
  element('event').focus();
  const ssectl = shellLine('ssectl', 'explain', '--user', element('user').value, '--event', name, '--listening');
  showAnswer('removeListener', name, () => sse.removeListener(name), listenerBody(name), ssectl);
}

const listenerBody = (name) => () => ({ connectionId: sse.connectionId, listener: [name] });

/** What has been read of the stream; only fetch shows that, so that the connection is made anew. */
function toggleRaw() {
  const isRaw = element('raw').hidden;
  element('raw').hidden = !isRaw;
  element('log').hidden = isRaw;
  element('raw-button').setAttribute('aria-pressed', String(isRaw));
  element('raw').textContent = '';
  if (Sse) connectAs();
}

function addRaw(raw) {
  const output = element('raw');
  const follow = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
  output.textContent = (output.textContent + raw).slice(-MAX_RAW);
  if (follow) output.scrollTop = output.scrollHeight;
}

function connectAs() {
  sse?.destroy();
  hasConnected = false;
  sse = new Sse({
    url: service(),
    query: {
      userId: element('user').value,
      tenantId: element('tenant').value || null,
      channel: element('channel').value || null,
    },
    eventListeners: { ...listeners, ...Object.fromEntries([...listening].map((name) => [name, showEvent])) },
    headers: element('raw').hidden ? null : {},
    useWindowEventBus: false,
  });
  showState(STATES[sse.state]);
  joinAll(sse);
}

/** Only paths of this server: the module at that path runs with the rights of this page. */
function service() {
  const path = page.searchParams.get('service') ?? '/my-sse';
  const url = new URL(path, location.origin);
  return url.origin === location.origin && path.startsWith('/') ? url.pathname.replace(/\/+$/, '') : '/my-sse';
}

// ---- requests

function onGoodbye(url, form) {
  goodbye = curlForm(url, form);
}

function send(path, body, ssectl) {
  return showAnswer('send', `${path} ${JSON.stringify(body)}`, () => sse.send(path, body), () => body, ssectl);
}

/** Shows a request and its answer; `body` returns what is posted. Returns the answer's text, or undefined. */
async function showAnswer(name, shown, request, body, ssectl) {
  const sender = sse;
  const id = sender.connectionId;
  const line = addLine('sent', id, name, `${shown}${sender.isActive() ? '' : ' (waits for the connection)'}`, { ssectl });
  const begin = performance.now();
  const isDirect = sender.isActive();
  try {
    const answer = await request();
    const content = await answer.text();
    if (isDirect) addRoundTrip(performance.now() - begin);
    const detail = { curl: curlPost(answer.url, body()), ssectl };
    addDetail(line, detail);
    addLine(answer.ok ? 'sent' : 'problem', id ?? sender.connectionId, 'answer', `${answer.status} ${content}`, { ...detail });
    showDetail(detail);
    return answer.ok ? content : undefined;
  } catch (error) {
    addLine('problem', id, 'answer', error.message, { ssectl });
    return undefined;
  }
}

/** Shows a call of the client, which makes a request of that action; resolves with `{ ok, result }`. */
async function showCall(action, shown, call, ssectl) {
  const sender = sse;
  const id = sender.connectionId;
  const line = addLine('sent', id, action, `${shown}${sender.isActive() ? '' : ' (waits for the connection)'}`, { ssectl });
  forgetRequest(action);
  const outcome = await call().then(
    (result) => ({ ok: true, result }),
    (error) => ({ ok: false, error }),
  );
  const { curl, answer } = (await lastRequest(action)) ?? {};
  const detail = { curl, ssectl };
  addDetail(line, detail);
  addLine(outcome.ok ? 'sent' : 'problem', id ?? sender.connectionId, 'answer', answer ?? outcome.error?.message ?? '', { ...detail });
  showDetail(detail);
  return outcome;
}

/** Publishes as this user, where the server allows that. */
async function publishAsUser(channel, event, data) {
  let value;
  try {
    value = JSON.parse(data);
  } catch {
    addLine('problem', sse.connectionId, 'publish', text('noJson'));
    return;
  }
  const begin = performance.now();
  const why = shellLine('ssectl', 'explain', '--user', element('user').value, '--channel', channel);
  const { result } = await showCall('publish', `${channel} ${event} ${data}`, () => sse.publish(channel, event, value), why);
  if (result) remember(published, result, begin);
}

async function publish() {
  const kind = element('to').value;
  const name = element('to-name').value;
  const event = element('publish-event').value;
  const data = element('data').value;
  const qos = element('qos').checked;
  if (kind === 'own') {
    await publishAsUser(name, event, data);
    return;
  }
  const target = kind === 'all' ? { all: true } : { [kind]: [name] };
  const to = { users: ['--user', name], channels: ['--channel', name], all: ['--all'] }[kind];
  const begin = performance.now();
  const words = ['ssectl', 'send', ...to, '--event', event, ...(qos ? ['--qos'] : []), data];
  const content = await send('publish', { send: { target, event, data, qos } }, shellLine(...words));
  if (content) remember(published, JSON.parse(content).data.id, begin);
}

// ---- identity

function readIdentity() {
  for (const [id, parameter] of Object.entries(FIELDS)) element(id).value = page.searchParams.get(parameter) ?? '';
  element('user').value ||= '1';
  element('advanced').open = Boolean(element('tenant').value || element('channel').value);
  for (const name of (page.searchParams.get('events') ?? '').split(/[\s,]+/)) {
    if (name && !listeners[name]) listening.add(name);
  }
}

function keepIdentity() {
  for (const [id, parameter] of Object.entries(FIELDS)) {
    const value = element(id).value.trim();
    element(id).value = value;
    if (value) page.searchParams.set(parameter, value);
    else page.searchParams.delete(parameter);
  }
  history.replaceState(null, '', page);
}

function showIdentity() {
  const user = element('user').value;
  document.title = `${user} · sse-server demo`;
  element('to-name').value = user;
  showDetail({ ssectl: shellLine('ssectl', 'send', '--user', user, '--qos') });
}

function changeIdentity() {
  if (!element('identity').reportValidity()) return;
  const before = page.search;
  keepIdentity();
  if (page.search === before) return;
  showIdentity();
  if (Sse) connectAs();
}

/** Opens or closes the page of another user beside this one. */
function toggleSecond() {
  const other = element('other');
  const isOpen = !other.hidden;
  other.hidden = isOpen;
  element('second').setAttribute('aria-expanded', String(!isOpen));
  document.body.classList.toggle('split', !isOpen);
  if (isOpen) {
    other.replaceChildren();
    return;
  }
  const url = new URL(page);
  const user = element('user').value === '2' ? '1' : '2';
  url.searchParams.set('userId', user);
  url.searchParams.set('second', '');
  const frame = document.createElement('iframe');
  frame.src = url;
  frame.title = text('otherUser', user);
  other.append(frame);
}

function useLanguage(language) {
  setLanguage(language);
  labelCopyButtons();
  showListening();
  labelChannels();
  drawChart();
  for (const id of ['tenant', 'channel']) element(id).placeholder = text('none');
  element('event').placeholder = text('anotherEvent');
  showState(element('state').dataset.state);
}

element('identity').addEventListener('submit', (event) => {
  event.preventDefault();
  changeIdentity();
});
element('identity').addEventListener('change', changeIdentity);
element('listen').addEventListener('submit', (event) => {
  event.preventDefault();
  for (const name of element('event').value.split(/[\s,]+/)) if (name) startListening(name);
  element('event').value = '';
});
element('message').addEventListener('submit', (event) => {
  event.preventDefault();
  const ssectl = shellLine('ssectl', 'events', '--type', 'message', '--user', element('user').value, '--last', '1');
  if (sse) send('hello', { text: element('text').value }, ssectl);
});
element('publish').addEventListener('submit', (event) => {
  event.preventDefault();
  if (sse) publish();
});
element('to').addEventListener('change', () => {
  const isAll = element('to').value === 'all';
  element('to-name').disabled = isAll;
  element('to-name-field').hidden = isAll;
  element('qos-field').hidden = element('to').value === 'own';
});
element('reconnect').addEventListener('click', () => {
  sse?.close('reconnect');
  sse?.connect();
});
element('close-client').addEventListener('click', () => sse?.close());
element('close-server').addEventListener('click', () => {
  if (!sse) return;
  const id = sse.connectionId;
  send('close', { reason: 'asked by the page' }, id && shellLine('ssectl', 'connections', 'close', id));
});
element('second').addEventListener('click', toggleSecond);
element('raw-button').addEventListener('click', toggleRaw);
element('language').addEventListener('click', () => {
  const language = document.documentElement.lang === 'zh' ? 'en' : 'zh';
  page.searchParams.set('lang', language);
  history.replaceState(null, '', page);
  useLanguage(language);
});

document.body.classList.toggle('second', isSecond);
readIdentity();
keepIdentity();
keepListening();
startChannels(page, showCall, () => element('user').value);
showIdentity();
element('service').textContent = service();
element('state').dataset.state = 'connecting';
useLanguage(page.searchParams.get('lang') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en'));
watchWire({ onConnect: (url) => (connectURL = url), onRaw: addRaw, onConfirmed: setConfirmed, onGoodbye });
try {
  ({ default: Sse } = await import(service()));
  connectAs();
} catch (error) {
  showState('closed', text('noModule'));
  addLine('problem', null, 'import', `The client could not be loaded from ${service()}: ${error.message}`);
}
