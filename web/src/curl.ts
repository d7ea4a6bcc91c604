import { type CallRecord, recentCalls } from './api.ts';
import { fill, h, icon, iconButton } from './dom.ts';
import { copy } from './notices.ts';

/** The calls that the page just made, as they can be made by hand. The token is never shown. */
export function showCalls(): void {
  const calls = recentCalls();
  const code = h('pre', { tabIndex: 0, 'aria-label': 'The call as curl' });
  const facts = h('p', { class: 'quiet small' });
  const select = h(
    'select',
    { id: 'calls' },
    calls.map((record, i) =>
      h('option', { value: String(i) }, `${record.verb} ${record.path.split('?')[0]}`),
    ),
  );
  const dialog = h('dialog', { class: 'calls', 'aria-labelledby': 'calls-title' });
  const show = () => {
    const record = calls[Number(select.value)];
    if (!record) return;
    code.textContent = curlOf(record);
    fill(
      facts,
      `HTTP ${record.http}, ${Math.round(record.ms)} ms. `,
      record.requestId !== '' && ['Request id ', h('code', {}, record.requestId)],
    );
  };
  select.addEventListener('change', show);
  fill(
    dialog,
    h(
      'header',
      { class: 'row' },
      h('h2', { id: 'calls-title' }, 'The same with the API'),
      h('span', { class: 'grow' }),
      iconButton('close', 'Close', () => dialog.close()),
    ),
    calls.length === 0
      ? h('p', {}, 'This page has not called the server yet.')
      : [
          h('div', { class: 'field' }, h('label', { for: 'calls' }, 'Call'), select),
          code,
          facts,
          h(
            'div',
            { class: 'row wrap' },
            h(
              'button',
              { type: 'button', class: 'primary', on: { click: () => copy(code.textContent ?? '') } },
              icon('copy'),
              'Copy',
            ),
            h('span', { class: 'quiet small' }, 'Set FOVEA_PAT to your token first.'),
            h('span', { class: 'grow' }),
            h('a', { href: '/docs' }, 'All calls'),
          ),
        ],
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  show();
  dialog.showModal();
}

/** A call as a line for a POSIX shell. */
export function curlOf(
  { verb, path, body }: Pick<CallRecord, 'verb' | 'path' | 'body'>,
  origin = location.origin,
): string {
  const lines = [
    `curl ${verb === 'GET' ? '' : `-X ${verb} `}${quoted(origin + path)}`,
    '  -H "Authorization: Key $FOVEA_PAT"',
    ...(body === undefined ? [] : [`  -d ${quoted(JSON.stringify(body, null, 2))}`]),
  ];
  return lines.join(' \\\n');
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
