// Compiled, never run: what a typed page may write, and what it may not.

import Sse, { type SseCloseEvent, type SseEvent, type SsePublication } from '../../../lib/web/sse.js';

const sse = new Sse({
  url: '/my-sse',
  query: { 'access-token': 'x', page: 1, none: null },
  eventListeners: {
    'connect-finish'(event) {
      const id: string | undefined = this.connectionId;
      const text: string = event.data;
      console.log(id, text, event.url);
    },
    'connect-close'(event: SseCloseEvent) {
      const who: 'client' | 'server' = event.whoTriggerClose;
      console.log(who, event.closeReason);
    },
    'sse-change-active': ({ data }) => console.log(data.duration.sessionDuration + 1),
    news: (event: SseEvent) => console.log(event.data),
    quiet: null,
  },
  share: 'user 7',
  whenHidden: 'stay',
  intercepts: [(event) => console.log(event.type)],
});

const answers: Promise<Response>[] = [
  sse.addListener('news', (event: SseEvent) => console.log(event.lastEventId)),
  sse.addListener({ other: () => {} }),
  sse.removeListener(['news', 'other']),
  sse.send('hello', { name: 'x' }, { q: 1 }, { 'x-header': 'y' }),
  sse.upload('avatar', new FormData()),
];
new Sse({ query: async () => ({ 'access-token': 'x' }), headers: () => ({ authorization: 'Bearer x' }) });
sse.on('sse-connect-failed', ({ data }) => console.log(data.attempt, data.status + 1, data.reason, data.nextTry ?? 0));
const stop: () => void = sse.on('news', function (event: SseEvent) {
  console.log(this.connectionId, event.data);
});
sse.on('sse-change-state', ({ data }) => console.log(data.newState), { once: true });
sse.off('news', () => {});
stop();
const sent: boolean = sse.close('done');
sse.connect();
sse.switchURL('/other');
sse.destroy();
if (sse.state === Sse.STATE_OPEN && sse.isActive()) console.log(Sse.version, answers, sent, sse.getEventListeners());

// @ts-expect-error ids are strings
const wrong: number | undefined = sse.connectionId;
// @ts-expect-error only the client sets it
sse.state = 1;
// @ts-expect-error no such option
new Sse({ uri: '/my-sse' });
// @ts-expect-error on() takes one name
sse.on(['news'], () => {});
// @ts-expect-error uploads are forms
sse.upload('avatar', 'text');
console.log(wrong);
const joined: Promise<void> = sse.subscribe('team.7', { events: ['note'] }, ({ channel, data }: SseEvent) => {
  const from: string | undefined = channel;
  console.log(from, data);
});
sse.subscribe('team.8', null, () => {});
const left: Promise<void> = sse.unsubscribe('team.7');
console.log(joined, left);
const published: Promise<string> = sse.publish('room.1', 'say', { text: 'Hello' }, { echo: false });
const said: SsePublication<{ text: string }> = JSON.parse('{"from":{"user":"ann"},"data":{"text":"Hello"}}');
console.log(published, said.from.user, said.from.tenant, said.data.text);
// @ts-expect-error an event has a name
sse.publish('room.1');
