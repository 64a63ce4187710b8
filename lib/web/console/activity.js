// The activity feed: connects, disconnects, requests of pages, sends, as they happen.

import { follow } from './api.js';
import { el, field, link } from './dom.js';

const MAX_ROWS = 500;
const TYPES = [
  'connect',
  'disconnect',
  'refused',
  'send',
  'message',
  'upload',
  'listening',
  'occupied',
  'vacated',
  'confirmed',
  'expired',
  'dead',
  'deleted',
  'replaced',
];

export function activity(context) {
  const body = el('tbody');
  const state = el('span', { class: 'summary', role: 'status' }, 'Connecting…');
  const filters = el(
    'form',
    {
      class: 'filters',
      role: 'search',
      'aria-label': 'Filter: activity',
      submit: (event) => (event.preventDefault(), restart()),
      change: restart,
    },
    field('Type', 'type', {
      options: [['', 'all'], ...TYPES.map((type) => [type, type])],
      value: context.query.get('type') ?? '',
    }),
    field('User', 'user', { value: context.query.get('user') ?? '' }),
    el('button', { type: 'submit' }, 'Search'),
    el('button', { type: 'button', 'aria-pressed': 'false', click: pause }, 'Pause'),
    el('button', { type: 'button', click: () => body.replaceChildren() }, 'Clear'),
    state,
  );
  let waiting = [];
  let paused = false;
  let drawn = 0;
  let attempt = new AbortController();
  context.signal.addEventListener('abort', () => attempt.abort());

  function pause(event) {
    paused = !paused;
    event.currentTarget.setAttribute('aria-pressed', paused);
    draw();
  }

  function restart() {
    attempt.abort();
    attempt = new AbortController();
    body.replaceChildren();
    waiting = [];
    read(attempt.signal);
  }

  async function read(signal) {
    const values = Object.fromEntries(new FormData(filters));
    let last = 100;
    while (!signal.aborted && !context.signal.aborted) {
      try {
        state.textContent = 'Live';
        for await (const event of follow({ ...values, service: context.service, last }, signal)) {
          last = 0;
          waiting.push(event);
          // What is never drawn is not kept, however fast events come.
          if (waiting.length > 2 * MAX_ROWS) waiting.splice(0, waiting.length - MAX_ROWS);
          if (waiting.length === 1) setTimeout(draw, 100);
        }
        state.textContent = 'The server has ended the feed; reconnecting';
      } catch (error) {
        if (signal.aborted || context.signal.aborted) return;
        state.textContent = error.message;
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }

  function draw() {
    if (paused || waiting.length === 0) return;
    const rows = waiting.slice(-MAX_ROWS).map(describe).reverse();
    waiting = [];
    body.prepend(...rows);
    while (body.childElementCount > MAX_ROWS) body.lastElementChild.remove();
    drawn += rows.length;
    body.dataset.drawn = drawn;
  }

  read(attempt.signal);
  const heads = ['Time', 'What', 'User', 'Stream', 'Details'].map((label) => el('th', { scope: 'col' }, label));
  return [
    el('h1', { tabindex: '-1' }, 'Activity'),
    filters,
    el(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Activity' },
      el('table', {}, el('thead', {}, el('tr', {}, heads)), body),
    ),
  ];
}

function describe(event) {
  const time = event.time ? new Date(event.time).toLocaleTimeString('en-GB') : '';
  return el(
    'tr',
    {},
    el('td', {}, time),
    el('td', {}, el('span', { class: 'pill', 'data-state': event.type }, event.type)),
    el('td', {}, event.user ? link(event.user, 'users', event.user, { service: event.service }) : '–'),
    el(
      'td',
      {},
      event.connection ? link(event.connection, 'streams', event.connection, { service: event.service }) : '–',
    ),
    el('td', {}, details(event)),
  );
}

function details(event) {
  const targets = [event, ...(event.also ?? [])]
    .filter((one) => one.kind)
    .map((one) => `${one.kind} ${one.names?.join(', ') ?? one.recipient ?? ''}`.trim());
  const parts = [
    event.event && `“${event.event}”`,
    targets.length > 0 && `to ${targets.join(' and ')}`,
    event.delivered !== undefined && `${event.delivered} delivered`,
    event.attempts !== undefined && `message ${event.id}, ${event.attempts} attempts`,
    event.key && `key ${event.key}`,
    event.qos && `${event.pending ?? 0} pending`,
    event.channel && `channel ${event.channels?.join(', ') ?? event.channel}`,
    event.address && `from ${event.address}`,
    event.path,
    event.status && `status ${event.status}`,
    event.reason,
    event.note,
    event.durationMillis !== undefined && `after ${Math.round(event.durationMillis / 1000)} s`,
    event.added?.length && `+ ${event.added.join(', ')}`,
    event.removed?.length && `− ${event.removed.join(', ')}`,
    event.type === 'missed' && `${event.count} events missed: they came too fast`,
  ];
  return parts.filter(Boolean).join(' · ') || '–';
}
