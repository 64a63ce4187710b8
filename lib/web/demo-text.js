// The texts of the demo page. index.html has the English ones; elements with data-t are translated.

const CHINESE = {
  subtitle: '本页面中的实时服务器推送事件',
  second: '第二个用户',
  identity: '身份',
  user: '用户 ID',
  apply: '应用',
  advanced: '高级',
  tenant: '租户 ID',
  channel: '频道',
  publish: '发布事件',
  to: '发送给',
  toUser: '用户',
  toChannel: '频道',
  toAll: '所有人',
  name: '名称',
  eventName: '事件',
  data: '数据',
  qos: 'qos：直到确认',
  publishButton: '发布',
  listening: '正在监听',
  anotherEvent: '另一个事件',
  listen: '监听',
  channels: '频道',
  anotherChannel: '另一个频道',
  join: '加入',
  toOwn: '以本用户身份',
  sendTitle: '发送给应用',
  messageTo: '消息发给',
  send: '发送',
  connection: '连接',
  reconnect: '重新连接',
  closeClient: '从页面关闭',
  closeServer: '从服务器关闭',
  service: '服务',
  connectionId: '连接 ID',
  serverVersion: '服务器版本',
  activity: '您的活动',
  events: '事件',
  newest: '最新 ↓',
  raw: '原始数据',
  clear: '清空',
  empty: '还没有事件。来自服务器的事件会显示在这里。',
  logHint: '用方向键选择一行；下方显示其详细信息。',
  detail: '详细信息',
  frame: '帧',
  none: '无',
  nothing: '没有监听任何事件',
  noChannel: '没有加入任何频道',
  leave: '离开频道 {0}',
  members: '{0} 位成员',
  noJson: '数据不是 JSON',
  stop: '停止监听 {0}',
  copy: '复制',
  copied: '已复制',
  connecting: '连接中',
  connected: '已连接',
  closed: '已关闭',
  byServer: '由服务器',
  byPage: '由本页面',
  noModule: '没有客户端模块',
  active: '活跃，{0} 秒',
  away: '离开，{0} 秒',
  unconfirmed: 'qos · 未确认',
  confirmed: 'qos · 已确认',
  chart: '往返 {0} 毫秒，中位数 {1} 毫秒，重新连接 {2} 次',
  chartEmpty: '还没有往返时间，重新连接 {0} 次',
  otherUser: '用户 {0}',
};

// Those that are not in index.html.
const ENGLISH = {
  none: 'none',
  nothing: 'nothing',
  noChannel: 'none joined',
  leave: 'Leave the channel {0}',
  members: '{0} members',
  noJson: 'the data is not JSON',
  stop: 'Stop listening to {0}',
  copy: 'Copy',
  copied: 'Copied',
  connecting: 'Connecting',
  connected: 'Connected',
  closed: 'Closed',
  byServer: 'by the server',
  byPage: 'by this page',
  noModule: 'no client module',
  active: 'active, {0} s',
  away: 'away, {0} s',
  unconfirmed: 'qos · not confirmed',
  confirmed: 'qos · confirmed',
  chart: 'Round trip {0} ms, median {1} ms, {2} reconnects',
  chartEmpty: 'No round trip yet, {0} reconnects',
  otherUser: 'User {0}',
};

for (const element of document.querySelectorAll('[data-t]')) ENGLISH[element.dataset.t] = element.textContent;

let texts = ENGLISH;

/** The text in the language of the page; `{0}`, `{1}` are the values. */
export function text(key, ...values) {
  return texts[key].replace(/\{(\d)\}/g, (_, i) => values[i]);
}

/** `language`: en or zh. */
export function setLanguage(language) {
  texts = language === 'zh' ? CHINESE : ENGLISH;
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = texts[element.dataset.t];
  const other = document.getElementById('language');
  other.textContent = language === 'zh' ? 'English' : '中文';
  other.lang = language === 'zh' ? 'en' : 'zh';
}
