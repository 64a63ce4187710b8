// The form to send an event, its result, and who would get it.

import { get, request } from './api.js';
import { ask, button, check, count, el, facts, field, link, orNone, section, table, run } from './dom.js';

const NAMED = [
  ['Users', 'users'],
  ['Channels', 'channels'],
  ['Access tokens', 'tokens'],
  ['Tenants', 'tenants'],
  ['Streams, by id', 'connections'],
];

export function send(context) {
  const given = (name) => context.query.get(name) ?? '';
  const result = el('div', { class: 'stack', 'aria-live': 'polite' });
  const form = el(
    'form',
    { class: 'stack', submit: (event) => (event.preventDefault(), run(sendIt)), change: enable },
    el(
      'div',
      { class: 'halves' },
      el(
        'fieldset',
        {},
        el('legend', {}, 'To'),
        check('All streams', 'all'),
        el('p', { class: 'hint' }, 'Or a union of the following, one name a line.'),
        el(
          'div',
          { class: 'grid' },
          NAMED.map(([label, name]) => field(label, name, { lines: 2, value: given(name) })),
        ),
        field('Only of tenant (with users or channels)', 'tenant', { value: given('tenant') }),
        check('Only streams that listen to the event', 'listening'),
        field('Except the client id or page', 'except'),
      ),
      el(
        'div',
        { class: 'stack' },
        el(
          'fieldset',
          {},
          el('legend', {}, 'Event'),
          field('Name', 'event', { value: given('event') || 'server-push', required: true }),
          field('Data', 'data', { lines: 6, value: given('data') }),
        ),
        el(
          'fieldset',
          {},
          el('legend', {}, 'Delivery'),
          check('Store until confirmed (qos)', 'qos'),
          check('Tell the application what becomes of it (notify)', 'notify'),
          el(
            'div',
            { class: 'grid' },
            field('Time to live', 'ttl', { placeholder: 'such as 1h, 7d' }),
            field('Idempotency key', 'id', { maxlength: '256' }),
            field('Collapse key', 'collapse', { maxlength: '256' }),
            field('Wait for confirmation', 'wait', {
              options: [
                ['', 'no'],
                ['5s', '5 s'],
                ['30s', '30 s'],
              ],
              value: '',
            }),
          ),
        ),
      ),
    ),
    el(
      'div',
      { class: 'buttons' },
      el('button', { type: 'submit', class: 'primary' }, 'Send'),
      button('Who would get it?', explainIt),
    ),
  );
  enable();

  const value = (name) => form.elements[name].value.trim();
  const lines = (name) =>
    value(name)
      .split(/[\r\n]+/)
      .map((one) => one.trim())
      .filter(Boolean);

  // What an option needs is enabled with it, so that the form cannot say what the API refuses.
  function enable() {
    const { all, qos, except } = form.elements;
    for (const name of [...NAMED.map(([, one]) => one), 'tenant']) form.elements[name].disabled = all.checked;
    for (const name of ['notify', 'ttl', 'id', 'collapse', 'wait']) form.elements[name].disabled = !qos.checked;
    except.disabled = qos.checked;
  }

  function target() {
    const { all, listening } = form.elements;
    const to = all.checked ? { all: true } : {};
    if (!all.checked) {
      for (const [, name] of NAMED) if (lines(name).length) to[name] = lines(name);
      if (value('tenant')) to.tenant = value('tenant');
      if (!NAMED.some(([, name]) => to[name])) throw new Error('Name a recipient, or choose all streams.');
    }
    if (listening.checked) to.listening = true;
    return to;
  }

  async function sendIt() {
    const body = { target: target(), event: form.elements.event.value, data: form.elements.data.value };
    const service = given('service') || context.service;
    if (service) body.service = service;
    if (form.elements.qos.checked) {
      body.qos = true;
      if (form.elements.notify.checked) body.notify = true;
      for (const name of ['ttl', 'id', 'collapse', 'wait']) if (value(name)) body[name] = value(name);
    } else if (value('except')) {
      body.except = value('except');
    }
    if (body.target.all && !(await ask('Send this event to all streams?', 'Send'))) return;
    const sending = form.querySelector('button[type=submit]');
    sending.disabled = true;
    try {
      showSent(await request('POST', 'send', { body, signal: context.signal }), body);
    } finally {
      sending.disabled = false;
    }
  }

  function showSent(sent, body) {
    const recipients = sent.recipients ?? [];
    const stated = recipients.some((one) => one.state);
    result.replaceChildren(
      section(
        sent.repeated ? 'Sent before: nothing was sent now' : 'Sent',
        facts([
          ['Event id', body.qos ? link(sent.id, 'messages', sent.id) : sent.id],
          ['Streams that took it', count(sent.delivered)],
          ['Pending for', body.qos ? count(sent.pending) : undefined],
          ['Nodes that did not answer', sent.missing?.join(', ')],
        ]),
        recipients.length > 0 &&
          table(
            'Recipients',
            [
              {
                label: 'Recipient',
                cell: (one) => `${one.kind} ${one.name ?? ''}${one.tenant ? ` of ${one.tenant}` : ''}`,
              },
              { label: 'Streams', number: true, cell: (one) => count(one.delivered) },
              ...(stated ? [{ label: 'State', cell: (one) => orNone(one.state) }] : []),
            ],
            recipients,
          ),
      ),
    );
  }

  async function explainIt() {
    const to = target();
    const kinds = NAMED.filter(([, name]) => to[name]);
    if (kinds.length > 1 || to.connections || kinds.some(([, name]) => name !== 'users' && to[name].length > 1))
      throw new Error(
        'This is answered for users, or for one channel, token or tenant, or for all streams, not for a union or single streams.',
      );
    const answer = await get(
      'explain',
      {
        service: given('service') || context.service,
        user: to.users,
        channel: to.channels,
        token: to.tokens,
        tenant: to.tenants ?? to.tenant,
        event: form.elements.event.value,
        listening: to.listening,
        pageSize: 50,
      },
      context.signal,
    );
    result.replaceChildren(
      section(
        `${count(answer.receivers)} streams would get it`,
        answer.total > answer.list.length &&
          el('p', { class: 'hint' }, `The first ${answer.list.length} of ${count(answer.total)} candidates.`),
        table(
          'Who would get it',
          [
            { label: 'Gets it', cell: (one) => (one.gets ? 'yes' : 'no') },
            { label: 'User', cell: (one) => orNone(one.user) },
            {
              label: 'Stream',
              cell: (one) => (one.connection ? link(one.connection, 'streams', one.connection) : '–'),
            },
            { label: 'Why', cell: (one) => orNone(one.reasons?.map((reason) => reason.detail).join('; ')) },
          ],
          answer.list,
        ),
      ),
    );
  }

  return [el('h1', { tabindex: '-1' }, 'Send an event'), form, result];
}
