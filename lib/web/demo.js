// The demo page. The user's identity is in the URL, so that two tabs can be two users and a reload changes nothing.

const MAX_LINES = 1000;
const MAX_SHOWN = 4000;
const STATES = ['connecting', 'connected', 'closed'];
const FIELDS = { user: 'userId', tenant: 'tenantId', channel: 'channel' };
const FIRST_EVENTS = ['server-push', 'message'];

const element = (id) => document.getElementById(id);
const log = element('log');
const page = new URL(location.href);

let Sse;
let sse;
let lines = 0;

// ---- the log

const followsNewest = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

function showNewest() {
  log.scrollTop = log.scrollHeight;
  element('newest').hidden = true;
}

function span(className, text) {
  const part = document.createElement('span');
  part.className = className;
  part.textContent = text;
  return part;
}

function shorten(text) {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${text.length} characters)` : text;
}

/** The text with an optional line break after every comma: to the browser, JSON is one long word. */
function breakable(text) {
  return text.split(/(?<=,)/).flatMap((piece, i) => (i ? [document.createElement('wbr'), piece] : [piece]));
}

/** A line reads `ID:… name text`; it contains only text nodes, so that the server cannot insert markup. */
function addLine(kind, id, name, text) {
  const follow = followsNewest();
  const line = document.createElement('li');
  line.dataset.kind = kind;
  line.dataset.time = new Date().toLocaleTimeString([], { hour12: false });
  line.append(span('id', `ID:${id ?? '–'}`), ' ', span('name', name), ' ', ...breakable(shorten(text)));
  log.append(line);
  while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  lines += 1;
  element('count').textContent = lines;
  element('empty').hidden = true;
  if (follow) showNewest();
  else element('newest').hidden = false;
}

function clean() {
  log.replaceChildren();
  lines = 0;
  element('count').textContent = lines;
  element('empty').hidden = false;
  element('newest').hidden = true;
}

// ---- the connection

function showState(state, detail = '') {
  const pill = element('state');
  pill.dataset.state = state;
  pill.textContent = state[0].toUpperCase() + state.slice(1);
  element('state-detail').textContent = detail;
}

function showConnection({ connectionId, serverVersion }) {
  element('connection-id').textContent = connectionId ?? '–';
  element('server-version').textContent = serverVersion ?? '–';
}

const listeners = {
  'connect-finish'(event) {
    addLine('finish', this.connectionId, event.type, event.data);
    showConnection(this);
  },
  'connect-close'(event) {
    addLine('close', this.connectionId, event.type, `${event.data}. whoTriggerClose=${event.whoTriggerClose}`);
    showConnection({});
    const who = event.whoTriggerClose === 'server' ? 'by the server' : 'by this page';
    if (!this.isActive()) element('state-detail').textContent = who;
  },
  'sse-change-state'(event) {
    showState(STATES[event.data.newState]);
  },
  'sse-change-active'(event) {
    const { newActive, duration } = event.data;
    const seconds = duration.sessionDuration + duration.duration;
    element('activity').textContent = `${newActive ? 'active' : 'away'}, ${seconds} s`;
  },
  resync(event) {
    addLine('problem', this.connectionId, event.type, event.data);
  },
};

function showEvent(event) {
  addLine('event', this.connectionId, event.type, event.data);
}

/** The events that the user has chosen. */
const listening = new Set(FIRST_EVENTS);

function showListening() {
  const chips = [...listening].map((name) => {
    const chip = document.createElement('li');
    const stop = document.createElement('button');
    stop.type = 'button';
    stop.textContent = '×';
    stop.setAttribute('aria-label', `Stop listening to ${name}`);
    stop.addEventListener('click', () => stopListening(name));
    chip.append(span('', name), stop);
    return chip;
  });
  element('listening').replaceChildren(...chips);
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
  showAnswer('addListener', name, () => sse.addListener(name, showEvent));
}

function stopListening(name) {
  if (!sse) return;
  listening.delete(name);
  keepListening();
  element('event').focus();
  showAnswer('removeListener', name, () => sse.removeListener(name));
}

function connectAs() {
  sse?.destroy();
  sse = new Sse({
    url: service(),
    query: {
      userId: element('user').value,
      tenantId: element('tenant').value || null,
      channel: element('channel').value || null,
    },
    eventListeners: { ...listeners, ...Object.fromEntries([...listening].map((name) => [name, showEvent])) },
    useWindowEventBus: false,
  });
  showState(STATES[sse.state]);
}

/** Only paths of this server: the module at that path runs with the rights of this page. */
function service() {
  const path = page.searchParams.get('service') ?? '/my-sse';
  const url = new URL(path, location.origin);
  return url.origin === location.origin && path.startsWith('/') ? url.pathname.replace(/\/+$/, '') : '/my-sse';
}

// ---- the buttons

function send(path, body) {
  return showAnswer('send', `${path} ${JSON.stringify(body)}`, () => sse.send(path, body));
}

async function showAnswer(name, text, request) {
  const sender = sse;
  const id = sender.connectionId;
  addLine('sent', id, name, `${text}${sender.isActive() ? '' : ' (waits for the connection)'}`);
  try {
    const answer = await request();
    addLine(
      answer.ok ? 'sent' : 'problem',
      id ?? sender.connectionId,
      'answer',
      `${answer.status} ${await answer.text()}`,
    );
  } catch (error) {
    addLine('problem', id, 'answer', error.message);
  }
}

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

// POSIX: a word in single quotes may contain any character except a single quote.
function shellWord(text) {
  return /^[\w.@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function showIdentity() {
  const user = element('user').value;
  document.title = `${user} · sse-server demo`;
  element('shell-example').textContent = `ssectl send --user ${shellWord(user)} --qos`;
}

function changeIdentity() {
  if (!element('identity').reportValidity()) return;
  const before = page.search;
  keepIdentity();
  if (page.search === before) return;
  showIdentity();
  if (Sse) connectAs();
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
  if (sse) send('hello', { text: element('text').value });
});
element('reconnect').addEventListener('click', () => {
  sse?.close('reconnect');
  sse?.connect();
});
element('close-client').addEventListener('click', () => sse?.close());
element('close-server').addEventListener('click', () => sse && send('close', { reason: 'asked by the page' }));
element('clean').addEventListener('click', clean);
element('newest').addEventListener('click', showNewest);
log.addEventListener('scroll', () => {
  if (followsNewest()) element('newest').hidden = true;
});

readIdentity();
keepIdentity();
keepListening();
showIdentity();
element('service').textContent = service();
showState('connecting');
try {
  ({ default: Sse } = await import(service()));
  connectAs();
} catch (error) {
  showState('closed', 'no client module');
  addLine('problem', null, 'import', `The client could not be loaded from ${service()}: ${error.message}`);
}
