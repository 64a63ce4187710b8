// Users who are online, and one of them with all streams.

import { get, request } from './api.js';
import {
  age,
  ask,
  block,
  button,
  count,
  duration,
  el,
  facts,
  link,
  livePlace,
  names,
  notice,
  orNone,
  section,
  table,
} from './dom.js';
import { listView } from './list.js';
import { STREAM_COLUMNS } from './streams.js';

export function users(context) {
  const find = el('input', {
    id: 'find-user',
    maxlength: '1000',
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    required: true,
  });
  const go = (event) => {
    event.preventDefault();
    location.hash = `#/users/${encodeURIComponent(find.value)}`;
  };
  return [
    el('h1', { tabindex: '-1' }, 'Users online'),
    el(
      'form',
      { class: 'find', submit: go },
      el('label', { for: 'find-user' }, 'User id'),
      find,
      el('button', { type: 'submit' }, 'Is online?'),
    ),
    listView(context, {
      label: 'Users online',
      view: 'users',
      path: 'users',
      service: context.service,
      columns: [
        { label: 'User', sort: 'id', cell: (row) => link(row.id, 'users', row.id, { service: row.service }) },
        { label: 'Name', cell: (row) => orNone(row.name) },
        { label: 'Tenants', cell: (row) => names(row.tenants) },
        { label: 'Channels', cell: (row) => names(row.channels) },
        { label: 'Streams', sort: 'connections', number: true, cell: (row) => count(row.connections) },
        { label: 'First stream', sort: 'first', number: true, cell: (row) => age(row.firstConnectTime) },
        { label: 'Last stream', sort: 'last', number: true, cell: (row) => age(row.lastConnectTime) },
        { label: 'Last request', number: true, cell: (row) => age(row.lastRequestTime) },
      ],
      filters: [
        ['User', 'user'],
        ['Name contains', 'name'],
        ['Tenant', 'tenant'],
        ['Channel', 'channel'],
        ['Listens to', 'listening'],
      ],
      empty: 'No user is online who matches.',
    }),
  ];
}

export function user(context) {
  const service = context.query.get('service') ?? context.service;
  const close = button(
    'Close all streams…',
    async () => {
      if (
        !(await ask(
          `Close all streams of the user “${context.id}”? The pages do not reconnect by themselves.`,
          'Close',
        ))
      )
        return;
      const { closed } = await request('POST', 'connections/close', {
        body: { target: { users: [context.id] }, service },
      });
      notice(`${count(closed)} streams are closed.`);
      await refresh();
    },
    'danger',
  );
  const [place, refresh] = livePlace(
    context.signal,
    3000,
    () => get('user', { id: context.id, service }, context.signal),
    describeUser,
    (row) => (close.hidden = !row),
  );
  const more = { service };
  return [
    el(
      'div',
      { class: 'bar' },
      el('h1', { tabindex: '-1' }, `User ${context.id}`),
      el('div', { class: 'buttons' }, close),
    ),
    el(
      'p',
      { class: 'links' },
      link('Send to this user', 'send', undefined, { users: context.id, ...more }),
      link('Pending messages', 'pending', undefined, { kind: 'user', recipient: context.id }),
      link('Dead letters', 'dead', undefined, { kind: 'user', recipient: context.id }),
      link('Activity', 'activity', undefined, { user: context.id }),
    ),
    place,
  ];
}

function describeUser(row) {
  return [
    section(
      'Online',
      facts([
        ['Name', orNone(row.name)],
        ['Service', row.service],
        ['Tenants', names(row.tenants)],
        ['Access tokens', names(row.tokens)],
        ['Streams', count(row.connections)],
        ['First stream', age(row.firstConnectTime)],
        ['Last stream', age(row.lastConnectTime)],
        ['Last request', age(row.lastRequestTime)],
        ['Online in this session', duration(row.sessionDuration * 1000)],
      ]),
    ),
    row.user && section('Profile', block('Profile', JSON.stringify(row.user, null, 2))),
    section('Streams', table('Streams of this user', STREAM_COLUMNS, row.connectionList ?? [])),
  ].filter(Boolean);
}
