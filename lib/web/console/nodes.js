// The nodes of the cluster; a server without a cluster is its only node.

import { get, request } from './api.js';
import { age, ask, button, bytes, count, el, field, livePlace, notice, orNone, table } from './dom.js';

export function nodes(context) {
  async function drain(node) {
    const values = await ask(
      `Drain ${node.id}? It accepts no new streams, and its ${count(node.connections)} streams move to other nodes.`,
      'Drain',
      [field('Streams a second', 'rate', { value: '500', type: 'number', min: '1', max: '1000000', required: true })],
    );
    if (!values) return;
    const started = await request('POST', 'nodes/drain', { body: { node: node.id, rate: Number(values.rate) } });
    notice(`${node.id} drains ${count(started.streams)} streams, ${count(started.rate)} a second.`);
    await refresh();
  }

  async function undrain(node) {
    await request('POST', 'nodes/undrain', { body: { node: node.id } });
    notice(`${node.id} is ready again.`);
    await refresh();
  }

  const columns = [
    { label: 'Node', cell: (node) => [node.id, node.self && ' (this one)'] },
    { label: 'State', cell: (node) => el('span', { class: 'pill', 'data-state': node.state }, node.state) },
    {
      label: 'Acts',
      cell: (node) =>
        node.state === 'draining'
          ? button('Undrain', () => undrain(node))
          : button('Drain…', () => drain(node), 'danger'),
    },
    { label: 'Address', cell: (node) => orNone(node.url) },
    { label: 'Version', cell: (node) => orNone(node.version) },
    { label: 'Up for', number: true, cell: (node) => age(node.startTime) },
    { label: 'Streams', number: true, cell: (node) => count(node.connections) },
    { label: 'Users', number: true, cell: (node) => count(node.users) },
    { label: 'Delivered', number: true, cell: (node) => count(node.deliveries) },
    { label: 'Dropped', number: true, cell: (node) => count(node.dropped) },
    { label: 'Memory', number: true, cell: (node) => bytes(node.memoryBytes) },
    { label: 'Problem', cell: (node) => orNone(node.refused ?? node.unlisted) },
  ];

  const describe = (answer) => [
    answer.degraded && el('p', { class: 'warning' }, `Degraded: ${answer.degraded}`),
    el(
      'p',
      { class: 'summary' },
      answer.cluster ? `${count(answer.list.length)} nodes` : 'This server is in no cluster.',
    ),
    table('Nodes', columns, answer.list),
  ];
  const [place, refresh] = livePlace(context.signal, 2000, () => get('nodes', {}, context.signal), describe);
  return [el('h1', { tabindex: '-1' }, 'Nodes'), place];
}
