// Streams: the list of those that are open, those that have closed, and one in full.

import { get, request } from './api.js';
import {
  age,
  ask,
  block,
  button,
  bytes,
  count,
  dateTime,
  duration,
  el,
  facts,
  link,
  livePlace,
  names,
  notice,
  orNone,
  section,
} from './dom.js';
import { listView } from './list.js';

export const REASONS = [
  'client-closed',
  'connection-lost',
  'disconnect',
  'slow-consumer',
  'keepalive',
  'replaced',
  'server-closed',
  'shutdown',
  'refused',
  'token-expired',
  'unconfirmed',
];

export const userLink = (row) =>
  row.accessUserId ? link(row.accessUserId, 'users', row.accessUserId, { service: row.service }) : '–';

export const channelLinks = (list, service) =>
  list?.length ? list.map((name, i) => [i > 0 && ', ', link(name, 'channels', name, { service })]) : '–';

const channelsOf = (row) => row.channels ?? (row.channel ? [row.channel] : []);

/** Columns of a table of streams. */
export const STREAM_COLUMNS = [
  { label: 'Stream', cell: (row) => link(row.id, 'streams', row.id, { service: row.service }) },
  { label: 'User', sort: 'user', cell: userLink },
  { label: 'Tenant', sort: 'tenant', cell: (row) => orNone(row.accessTenantId) },
  { label: 'Channels', sort: 'channel', cell: (row) => channelLinks(channelsOf(row), row.service) },
  { label: 'Address', cell: (row) => orNone(row.requestIp) },
  { label: 'Open for', sort: 'created', number: true, cell: (row) => age(row.createTime) },
  { label: 'Events', sort: 'messages', number: true, cell: (row) => count(row.messageCount) },
  { label: 'Sent', sort: 'bytes', number: true, cell: (row) => bytes(row.bytesSent) },
  { label: 'Backlog', sort: 'backlog', number: true, cell: (row) => bytes(row.backlogBytes) },
  { label: 'Last write', sort: 'lastWrite', number: true, cell: (row) => age(row.lastWriteTime) },
];

const tabs = (current) =>
  el(
    'p',
    { class: 'tabs' },
    el('a', { href: '#/streams', 'aria-current': current === 'open' && 'page' }, 'Open'),
    el('a', { href: '#/closed', 'aria-current': current === 'closed' && 'page' }, 'Recently closed'),
  );

export function streams(context) {
  const find = el('input', {
    id: 'find-stream',
    inputmode: 'numeric',
    pattern: '[0-9]+',
    maxlength: '20',
    autocomplete: 'off',
    required: true,
    title: 'The id of a stream, a number',
  });
  const go = (event) => {
    event.preventDefault();
    location.hash = `#/streams/${find.value}`;
  };
  return [
    el('h1', { tabindex: '-1' }, 'Streams'),
    el(
      'div',
      { class: 'bar' },
      tabs('open'),
      el(
        'form',
        { class: 'find', submit: go },
        el('label', { for: 'find-stream' }, 'Stream id'),
        find,
        el('button', { type: 'submit' }, 'Show'),
      ),
    ),
    listView(context, {
      label: 'Open streams',
      view: 'streams',
      path: 'connections',
      service: context.service,
      columns: STREAM_COLUMNS,
      filters: [
        ['User', 'user'],
        ['Tenant', 'tenant'],
        ['Channel', 'channel'],
        ['Listens to', 'listening'],
        ['Client id', 'client'],
        ['Name contains', 'name'],
      ],
      empty: 'No stream is open that matches.',
      actions: (refresh, values) => button('Close these…', () => closeMatching(values(), context, refresh), 'danger'),
    }),
  ];
}

// The API closes the streams of one target.
async function closeMatching(filter, context, refresh) {
  const given = Object.entries(filter).filter(([, value]) => value);
  const known = { user: 'users', tenant: 'tenants', channel: 'channels' };
  if (given.length > 1 || (given.length === 1 && !known[given[0][0]]))
    throw new Error(
      'Streams are closed by user, by tenant or by channel: fill in exactly one of these, or none for all.',
    );
  const [[name, value]] = given.length ? given : [['all', true]];
  const target = name === 'all' ? { all: true } : { [known[name]]: [value] };
  const whose = name === 'all' ? 'all streams' : `all streams of the ${name} “${value}”`;
  if (!(await ask(`Close ${whose}? Their pages do not reconnect by themselves.`, 'Close'))) return;
  const { closed } = await request('POST', 'connections/close', { body: { target, service: context.service } });
  notice(`${count(closed)} streams are closed.`);
  await refresh();
}

export function closedStreams(context) {
  return [
    el('h1', { tabindex: '-1' }, 'Recently closed streams'),
    tabs('closed'),
    listView(context, {
      label: 'Recently closed streams',
      view: 'closed',
      path: 'connections/closed',
      service: context.service,
      columns: [
        { label: 'Stream', cell: (row) => row.id },
        { label: 'User', cell: userLink },
        { label: 'Tenant', cell: (row) => orNone(row.accessTenantId) },
        { label: 'Channels', cell: (row) => names(channelsOf(row)) },
        { label: 'Address', cell: (row) => orNone(row.requestIp) },
        { label: 'Reason', cell: (row) => row.reason },
        { label: 'Closed', cell: (row) => dateTime(row.closeTime) },
        { label: 'Was open for', number: true, cell: (row) => duration(row.closeTime - row.createTime) },
        { label: 'Events', number: true, cell: (row) => count(row.messageCount) },
        { label: 'Sent', number: true, cell: (row) => bytes(row.bytesSent) },
        { label: 'Not sent', number: true, cell: (row) => bytes(row.owedBytes) },
      ],
      filters: [
        ['User', 'user'],
        ['Reason', 'reason', { options: [['', 'any'], ...REASONS.map((reason) => [reason, reason])] }],
      ],
      empty: 'No stream has closed that matches.',
    }),
  ];
}

export function stream(context) {
  const service = context.query.get('service') ?? context.service;
  const close = button(
    'Close…',
    async () => {
      if (!(await ask(`Close the stream ${context.id}? Its page does not reconnect by itself.`, 'Close'))) return;
      await request('POST', 'connections/close', { body: { ids: [context.id], service } });
      notice('The stream is closed.');
      await refresh();
    },
    'danger',
  );
  const [place, refresh] = livePlace(
    context.signal,
    2000,
    () => get(`connections/${encodeURIComponent(context.id)}`, { service }, context.signal),
    describeStream,
    (row) => (close.hidden = !row),
  );
  return [
    el(
      'div',
      { class: 'bar' },
      el('h1', { tabindex: '-1' }, `Stream ${context.id}`),
      el('div', { class: 'buttons' }, close),
    ),
    el('p', { class: 'links' }, el('a', { href: '#/closed' }, 'Recently closed streams')),
    place,
  ];
}

function describeStream(row) {
  const user = row.accessUserId;
  const target = { users: user, tenant: row.accessTenantId, service: row.service };
  const sendTo = (fields, text) =>
    el('a', { href: `#/send?${new URLSearchParams(Object.entries(fields).filter(([, value]) => value))}` }, text);
  return [
    el(
      'div',
      { class: 'columns' },
      section(
        'Identity',
        facts([
          ['User', userLink(row)],
          ['Tenant', orNone(row.accessTenantId)],
          ['Access token', orNone(row.accessToken)],
          ['Client id', orNone(row.clientId)],
          ['Page (instance id)', orNone(row.clientInstanceId)],
          ['Client version', orNone(row.clientVersion)],
          ['Service', row.service],
          ['Node', orNone(row.serverId)],
        ]),
        el(
          'p',
          { class: 'links' },
          sendTo({ connections: row.id, service: row.service }, 'Send to this stream'),
          user && sendTo(target, 'Send to this user'),
        ),
      ),
      section(
        'Delivery',
        facts([
          ['Open for', age(row.createTime)],
          ['Events', count(row.messageCount)],
          ['Sent', bytes(row.bytesSent)],
          ['Backlog', bytes(row.backlogBytes)],
          ['Oldest unsent', row.oldestUnsentMillis === null ? 'none' : duration(row.oldestUnsentMillis)],
          ['Last write', age(row.lastWriteTime)],
          ['Dropped', count(row.droppedCount)],
          ['Confirms itself', row.ack ? 'yes' : 'no, by its TCP'],
          ['In flight', count(row.inFlight)],
        ]),
      ),
      section(
        'Page',
        facts([
          ['Address', orNone(row.requestIp)],
          ['Host', orNone(row.requestDomain)],
          ['Location', orNone(row.locationHref)],
          ['User agent', orNone(row.userAgent)],
          ['Screen', orNone(row.screen)],
          ['Online in this session', duration(row.sessionDuration * 1000)],
          ['Messages of the page', count(row.requestMessageCount)],
          ['Uploads of the page', count(row.requestUploadCount)],
          ['Last request', age(row.lastRequestTime)],
        ]),
      ),
    ),
    section('Channels', el('p', {}, channelLinks(channelsOf(row), row.service))),
    section('Listens to', el('p', {}, names(row.listeners))),
    row.accessUser && section('Profile', block('Profile', JSON.stringify(row.accessUser, null, 2))),
    section('Parameters', block('Parameters', JSON.stringify(row.httpParameters ?? {}, null, 2))),
  ].filter(Boolean);
}
