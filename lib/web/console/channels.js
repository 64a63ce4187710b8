// Channels: the list, and one with its members.

import { get } from './api.js';
import { age, bytes, count, el, facts, link, livePlace, orNone, section, table } from './dom.js';
import { listView } from './list.js';

const MAX_MEMBERS = 500;

export function channels(context) {
  return [
    el('h1', { tabindex: '-1' }, 'Channels'),
    listView(context, {
      label: 'Channels',
      view: 'channels',
      path: 'channels',
      service: context.service,
      columns: [
        {
          label: 'Channel',
          sort: 'name',
          cell: (row) => link(row.name, 'channels', row.name, { service: context.service }),
        },
        { label: 'Streams', sort: 'connections', number: true, cell: (row) => count(row.connections) },
        { label: 'Users', sort: 'users', number: true, cell: (row) => count(row.users) },
        { label: 'First stream', sort: 'first', number: true, cell: (row) => age(row.firstConnectTime) },
        { label: 'Last stream', sort: 'last', number: true, cell: (row) => age(row.lastConnectTime) },
      ],
      filters: [
        ['Begins with', 'prefix'],
        ['User', 'user'],
        ['Tenant', 'tenant'],
        ['Listens to', 'listening'],
      ],
      empty: 'No stream is in a channel that matches.',
    }),
  ];
}

export function channel(context) {
  const service = context.query.get('service') ?? context.service;
  const [place] = livePlace(
    context.signal,
    3000,
    () => get('channel', { name: context.id, service }, context.signal),
    describeChannel,
  );
  return [
    el('h1', { tabindex: '-1' }, `Channel ${context.id}`),
    el(
      'p',
      { class: 'links' },
      link('Send to this channel', 'send', undefined, { channels: context.id, service }),
      link('Its streams', 'streams', undefined, { channel: context.id }),
      link('Pending messages', 'pending', undefined, { kind: 'channel', recipient: context.id }),
    ),
    place,
  ];
}

function describeChannel(row) {
  const members = row.members ?? [];
  const shown = members.slice(0, MAX_MEMBERS);
  return [
    section(
      'Now',
      facts([
        ['Service', row.service],
        ['Streams', count(row.connections)],
        ['Members', count(row.memberCount)],
        ['Events in the last minute', count(row.eventsPerMinute)],
        ['History', row.history ? `${count(row.history.events)} events, ${bytes(row.history.bytes)}` : undefined],
        ['First stream', age(row.firstConnectTime)],
        ['Last stream', age(row.lastConnectTime)],
      ]),
    ),
    section(
      'Members',
      shown.length < (row.memberCount ?? 0) &&
        el('p', { class: 'hint' }, `The first ${count(shown.length)} of ${count(row.memberCount)}.`),
      table(
        'Members',
        [
          {
            label: 'User',
            cell: (member) => (member.user ? link(member.user, 'users', member.user, { service: row.service }) : '–'),
          },
          { label: 'Tenant', cell: (member) => orNone(member.tenant) },
          { label: 'Streams', number: true, cell: (member) => count(member.connections) },
          {
            label: 'Profile',
            cell: (member) => (member.profile ? el('code', {}, JSON.stringify(member.profile)) : '–'),
          },
        ],
        shown,
      ),
    ),
  ];
}
