// Messages that are stored: pending ones, one with its trace, and dead letters.

import { get, request } from './api.js';
import {
  ask,
  block,
  button,
  bytes,
  count,
  dateTime,
  el,
  link,
  livePlace,
  notice,
  orNone,
  section,
  table,
} from './dom.js';
import { listView } from './list.js';

const KINDS = [
  ['', 'any'],
  ['user', 'user'],
  ['token', 'token'],
  ['tenant', 'tenant'],
  ['channel', 'channel'],
  ['all', 'all'],
];
const FILTERS = [
  ['Kind of recipient', 'kind', { options: KINDS }],
  ['Recipient', 'recipient'],
  ['Event', 'event'],
];
const MAX_SHOWN = 4000;

const recipient = (row) =>
  row.kind === 'all' ? 'all' : `${row.kind} ${row.recipient}${row.tenant ? ` of ${row.tenant}` : ''}`;
const shorten = (text) =>
  text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${count(text.length)} characters)` : text;

const COLUMNS = [
  { label: 'Recipient', cell: recipient },
  { label: 'Event', cell: (row) => row.event },
  { label: 'Size', number: true, cell: (row) => bytes(row.size) },
  { label: 'Sent', cell: (row) => dateTime(row.createTime) },
  { label: 'Attempts', number: true, cell: (row) => count(row.attempts) },
];

const STATE = {
  label: 'State',
  cell: (row) =>
    row.connection
      ? [`${row.state} on `, link(row.connection, 'streams', row.connection, { service: row.service })]
      : orNone(row.state),
};

export function pending(context) {
  const find = el('input', {
    id: 'find-message',
    inputmode: 'numeric',
    pattern: '[0-9]+',
    maxlength: '20',
    autocomplete: 'off',
    required: true,
    title: 'The id of a message, a number',
  });
  const go = (event) => {
    event.preventDefault();
    location.hash = `#/messages/${find.value}`;
  };
  return [
    el('h1', { tabindex: '-1' }, 'Pending messages'),
    el(
      'form',
      { class: 'find', submit: go },
      el('label', { for: 'find-message' }, 'Message id'),
      find,
      el('button', { type: 'submit' }, 'Trace'),
    ),
    listView(context, {
      label: 'Pending messages',
      view: 'pending',
      path: 'messages',
      service: context.service,
      columns: [
        { label: 'Message', cell: (row) => link(row.id, 'messages', row.id) },
        ...COLUMNS,
        { label: 'Expires', cell: (row) => dateTime(row.expireTime) },
        STATE,
      ],
      filters: FILTERS,
      empty: 'No message is pending that matches.',
      actions: (refresh, values) =>
        button('Delete these…', () => purge('messages', 'pending messages', values(), context, refresh), 'danger'),
    }),
  ];
}

function matching(values) {
  const given = Object.entries(values).filter(([, value]) => value);
  return given.length
    ? `all that match ${given.map(([name, value]) => `${name} “${value}”`).join(', ')}`
    : 'all of them';
}

async function purge(path, what, values, context, refresh) {
  if (!(await ask(`Delete ${what}: ${matching(values)}? They are gone for good.`, 'Delete'))) return;
  const { deleted } = await request('DELETE', path, { query: { ...values, service: context.service } });
  notice(`${count(deleted)} deleted.`);
  await refresh();
}

export function message(context) {
  const path = `messages/${encodeURIComponent(context.id)}`;
  const retry = button('Send again', async () => {
    const { delivered } = await request('POST', `${path}/retry`);
    notice(`Sent again to ${count(delivered)} streams.`);
    await refresh();
  });
  const remove = button(
    'Delete…',
    async () => {
      if (!(await ask(`Delete the message ${context.id} for all its recipients? It is gone for good.`, 'Delete')))
        return;
      await request('DELETE', path);
      notice('The message is deleted.');
      await refresh();
    },
    'danger',
  );
  retry.hidden = remove.hidden = true;
  const optional = async (reading) => {
    try {
      return await reading;
    } catch (error) {
      if (error.status !== 404) throw error;
      return null;
    }
  };
  // A message that is no longer pending still has a trace.
  const read = async () => [
    await optional(get(path, {}, context.signal)),
    await optional(get(`${path}/trace`, {}, context.signal)),
  ];
  const [place, refresh] = livePlace(
    context.signal,
    3000,
    read,
    ([rows, trace]) => describeMessage(rows?.list ?? [], trace),
    (both) => (retry.hidden = remove.hidden = !both?.[0]),
  );
  return [
    el(
      'div',
      { class: 'bar' },
      el('h1', { tabindex: '-1' }, `Message ${context.id}`),
      el('div', { class: 'buttons' }, retry, remove),
    ),
    place,
  ];
}

function describeMessage(rows, trace) {
  const data = rows.find((row) => row.data !== undefined)?.data;
  return [
    section(
      'Trace',
      trace
        ? table(
            'Trace',
            [
              { label: 'Time', cell: (step) => dateTime(step.time) },
              { label: 'What', cell: (step) => step.what },
              { label: 'Recipient', cell: (step) => (step.kind ? recipient(step) : '–') },
              {
                label: 'Stream',
                cell: (step) =>
                  step.connection
                    ? [
                        link(step.connection, 'streams', step.connection, { service: step.service }),
                        step.streamOpen === false && ' (closed)',
                      ]
                    : '–',
              },
              { label: 'Reason', cell: (step) => orNone(step.reason) },
            ],
            trace.list,
          )
        : el('p', { class: 'hint' }, 'No steps of this message are recorded: it is unknown, or too long ago.'),
    ),
    rows.length > 0
      ? section(
          'Pending for',
          table('Recipients', [...COLUMNS, { label: 'Expires', cell: (row) => dateTime(row.expireTime) }, STATE], rows),
        )
      : section('Pending for', el('p', { class: 'hint' }, 'Nobody: it is not pending.')),
    data !== undefined && section('Data', block('Data', shorten(data))),
  ].filter(Boolean);
}

export function dead(context) {
  const act = (row, refresh) => [
    button('Requeue', async () => {
      const { ids } = await request('POST', 'dead/requeue', { query: { id: row.id, service: row.service } });
      notice(`Sent again as ${ids.length ? ids.join(', ') : 'nothing: a newer message has replaced it'}.`);
      await refresh();
    }),
    button(
      'Delete…',
      async () => {
        if (!(await ask(`Delete the dead letters of the message ${row.id}? They are gone for good.`, 'Delete'))) return;
        const { deleted } = await request('DELETE', 'dead', { query: { id: row.id, service: row.service } });
        notice(`${count(deleted)} deleted.`);
        await refresh();
      },
      'danger',
    ),
  ];
  let again = () => {};
  return [
    el('h1', { tabindex: '-1' }, 'Dead letters'),
    el('p', { class: 'hint' }, 'Messages that expired before a recipient confirmed them.'),
    listView(context, {
      label: 'Dead letters',
      view: 'dead',
      path: 'dead',
      service: context.service,
      columns: [
        { label: 'Message', cell: (row) => link(row.id, 'messages', row.id) },
        ...COLUMNS,
        { label: 'Expired', cell: (row) => dateTime(row.diedTime ?? row.expireTime) },
        {
          label: 'Acts',
          cell: (row) =>
            el(
              'div',
              { class: 'buttons' },
              act(row, () => again()),
            ),
        },
        { label: 'Data', cell: (row) => el('code', { class: 'data' }, (row.data ?? '').slice(0, 200)) },
      ],
      filters: FILTERS,
      empty: 'No dead letter matches.',
      actions: (refresh, values) => {
        again = refresh;
        return [
          button('Requeue these…', async () => {
            if (!(await ask(`Send dead letters again: ${matching(values())}?`, 'Requeue'))) return;
            const { ids } = await request('POST', 'dead/requeue', { query: { ...values(), service: context.service } });
            notice(`${count(ids.length)} messages are sent again.`);
            await refresh();
          }),
          button('Delete these…', () => purge('dead', 'dead letters', values(), context, refresh), 'danger'),
        ];
      },
    }),
  ];
}
