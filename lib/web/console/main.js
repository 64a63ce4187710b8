// The console's start: the token, the sections, what the head shows.

import { get, redeem, setToken } from './api.js';
import { el, field, notice, refreshAges } from './dom.js';
import { activity } from './activity.js';
import { channel, channels } from './channels.js';
import { dead, message, pending } from './messages.js';
import { nodes } from './nodes.js';
import { overview, watchStatus } from './overview.js';
import { send } from './send.js';
import { closedStreams, stream, streams } from './streams.js';
import { user, users } from './users.js';

// View → what it shows, and with an id what it shows then.
const VIEWS = {
  '': [overview],
  streams: [streams, stream],
  closed: [closedStreams],
  users: [users, user],
  channels: [channels, channel],
  send: [send],
  pending: [pending],
  messages: [pending, message],
  dead: [dead],
  activity: [activity],
  nodes: [nodes],
};
const SECTION = { closed: 'streams', messages: 'pending' };

const main = document.getElementById('main');
const nav = document.querySelector('nav');
const state = document.getElementById('state');
const serviceChoice = document.getElementById('service');

let view = new AbortController();
let service;
let status;

function showState(name, text) {
  state.dataset.state = name;
  if (state.textContent !== text) state.textContent = text;
}

function showView(focus) {
  view.abort();
  view = new AbortController();
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, encoded] = path.split('/');
  let id;
  try {
    id = encoded === undefined ? undefined : decodeURIComponent(encoded);
  } catch {
    id = encoded;
  }
  const [list, one] = VIEWS[name] ?? [overview];
  const context = { id, query: new URLSearchParams(query), signal: view.signal, service, status };
  main.replaceChildren(...(id !== undefined && one ? one : list)(context).flat(Infinity));
  for (const link of nav.querySelectorAll('a')) {
    if (link.getAttribute('href') === `#/${SECTION[name] ?? (VIEWS[name] ? name : '')}`)
      link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const title = main.querySelector('h1');
  document.title = `${title.textContent} – sse-server console`;
  if (focus) title.focus();
}

function showStatus(now, error) {
  if (!now) {
    if (error.status === 401) {
      end.abort();
      showLogin(error.message);
    } else {
      showState('bad', 'Not reachable');
      state.title = error.message;
    }
    return;
  }
  status = now;
  state.title = '';
  showState(now.state === 'ready' ? 'good' : 'waiting', now.state === 'ready' ? 'Ready' : 'Draining');
  document.getElementById('server').textContent = `${now.serverId} · ${now.version}`;
  const hosted = now.services.map((one) => one.name);
  document.getElementById('service-field').hidden = hosted.length < 2;
  if (hosted.length > 1 && serviceChoice.childElementCount !== hosted.length + 1) {
    const choices = [['', 'all'], ...hosted.map((name) => [name, name])];
    serviceChoice.replaceChildren(
      ...choices.map(([value, label]) => el('option', { value, selected: value === service }, label)),
    );
  }
}

let end = new AbortController();

function showConsole() {
  nav.hidden = false;
  end.abort();
  end = new AbortController();
  watchStatus(end.signal, showStatus);
  showView(false);
}

function showLogin(sentence) {
  view.abort();
  nav.hidden = true;
  showState('waiting', 'No access');
  const form = el(
    'form',
    { class: 'login', submit: login },
    el('h1', { tabindex: '-1' }, 'Admin token'),
    el('p', { role: 'alert' }, sentence),
    field('Token (the first line of the file of --admin-token-file)', 'token', {
      type: 'password',
      required: true,
      maxlength: '4096',
    }),
    el('button', { type: 'submit', class: 'primary' }, 'Open the console'),
    el(
      'p',
      { class: 'hint' },
      'The page keeps it in memory only, and forgets it when it is reloaded. With ',
      el('code', {}, 'ssectl console'),
      ' you need no token: press Enter there for a new address.',
    ),
  );
  main.replaceChildren(form);
  document.title = 'Admin token – sse-server console';
}

async function login(event) {
  event.preventDefault();
  setToken(new FormData(event.currentTarget).get('token').trim());
  await enter();
}

async function enter() {
  try {
    showStatus(await get('status'));
    showConsole();
  } catch (error) {
    if (error.status === 401) showLogin(error.message);
    else showFailure(error.message);
  }
}

function showFailure(sentence) {
  showState('bad', 'Not reachable');
  const again = el('button', { type: 'button', class: 'primary', click: enter }, 'Try again');
  main.replaceChildren(
    el(
      'div',
      { class: 'login' },
      el('h1', { tabindex: '-1' }, 'No connection'),
      el('p', { role: 'alert' }, sentence),
      again,
    ),
  );
}

/** Takes the secret out of the fragment at once, so that it is in no history and in no copied address. */
function takeFragment() {
  const fragment = location.hash.slice(1);
  if (!/(^|&)(token|once)=/.test(fragment)) return {};
  history.replaceState(null, '', `${location.pathname}#/`);
  return Object.fromEntries(new URLSearchParams(fragment));
}

async function start() {
  const given = takeFragment();
  service = given.service || undefined;
  if (given.token) setToken(given.token);
  if (given.once) {
    try {
      await redeem(given.once);
    } catch (error) {
      if (error.status === 401) showLogin(error.message);
      else showFailure(error.message);
      return;
    }
  }
  await enter();
}

serviceChoice.addEventListener('change', () => {
  service = serviceChoice.value || undefined;
  showView(false);
});
window.addEventListener('hashchange', () => {
  // An address that was pasted into this page.
  if (/^#(.*&)?(token|once)=/.test(location.hash)) start();
  else if (location.hash === '#main') history.replaceState(null, '', `${location.pathname}#/`);
  else if (!nav.hidden) showView(true);
});
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('unhandledrejection', (event) => {
  if (event.reason?.name === 'AbortError') event.preventDefault();
  else notice(event.reason?.message ?? String(event.reason), 'bad');
});
setInterval(() => refreshAges(main), 1000);
start();
