import { LabIcon } from '@jupyterlab/ui-components';

import type { RoleSession } from '../server/api';

/** A badge, since a role is worn for a while. */
export const roleIcon = new LabIcon({
  name: 'jupyterlab-wb-aws:role',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3 jp-icon-selectable" fill="#616161"><path d="M12 2 4 5v6c0 5 3.4 9.7 8 11 4.6-1.3 8-6 8-11V5l-8-3zm6 9c0 4-2.6 7.8-6 8.9C8.6 18.800 6 15 6 11V6.400l6-2.300 6 2.300V11z"/><circle cx="12" cy="9.500" r="2.300"/><path d="M7.800 15.200c0-1.700 2.800-2.500 4.200-2.500s4.200.8 4.200 2.500v.8H7.800z"/></g></svg>`
});

const active = icon('active', 'M9 16.200 4.800 12l-1.400 1.400L9 19 21 7l-1.400-1.400z');
const waiting = icon(
  'waiting',
  'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 18a8 8 0 1 1 0-16 8 8 0 0 1 0 16zm.5-13H11v6l5.200 3.200.8-1.300-4.500-2.700z'
);
const warning = icon('warning', 'M1 21h22L12 2 1 21zm12-3h-2v-2h2v2zm0-4h-2v-4h2v4z');
const stopped = icon(
  'stopped',
  'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm1 15h-2v-2h2v2zm0-4h-2V7h2v6z'
);
const key = icon(
  'key',
  'M12.700 10A6 6 0 1 0 12.700 14H17v4h4v-4h2v-4H12.700zM7 14a2 2 0 1 1 0-4 2 2 0 0 1 0 4z'
);

/** A cloud that is crossed out: the server does not answer. */
export const offlineIcon = icon(
  'offline',
  'M19.400 10A7.500 7.500 0 0 0 9 4.700l1.500 1.500A5.500 5.500 0 0 1 17.500 11.500v.5H19a3 3 0 0 1 1.600 5.500l1.500 1.500A5 5 0 0 0 19.400 10zM3 5.300 5.700 8A6 6 0 0 0 6 20h11.700l2 2 1.300-1.300L4.300 4 3 5.300zM7.700 10l8 8H6a4 4 0 0 1 0-8h1.700z'
);

/** Different shapes, so that color alone never shows a state. */
export const STATE_ICONS: Readonly<Record<RoleSession['state'], LabIcon>> = {
  starting: waiting,
  active,
  degraded: warning,
  sign_in_required: key,
  expired: stopped,
  ended: stopped
};

/** Return a state's icon; the role's icon for a state that this page does not know. */
export function stateIcon(state: RoleSession['state']): LabIcon {
  const icons: Partial<Record<string, LabIcon>> = STATE_ICONS;
  return icons[state] ?? roleIcon;
}

/** Return a state's icon with a bar in the role's color, if the browser knows that color. */
export function withRoleColor(
  state: RoleSession['state'],
  color: string | null | undefined
): LabIcon {
  const plain = stateIcon(state);
  if (!color || !CSS.supports('color', color)) {
    return plain;
  }
  const name = `${plain.name}:${color}`;
  const known = colored.get(name);
  if (known !== undefined) {
    return known;
  }
  const bar = `<rect x="4" y="20.5" width="16" height="3.5" rx="1" stroke="#888" fill="${escaped(color)}"/>`;
  const made = new LabIcon({ name, svgstr: plain.svgstr.replace('</svg>', `${bar}</svg>`) });
  colored.set(name, made);
  return made;
}

const colored = new Map<string, LabIcon>();

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}

function icon(name: string, path: string): LabIcon {
  return new LabIcon({
    name: `jupyterlab-wb-aws:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`
  });
}
