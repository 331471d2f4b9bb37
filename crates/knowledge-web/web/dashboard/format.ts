// How numbers, names and moments are shown.

import type { Remaining } from '../progress';

/** `EXTRACTING_MENTIONS` as `extracting mentions`. */
export function words(name: string): string {
  return name.toLowerCase().replaceAll('_', ' ');
}

export function percent(share: number): string {
  // Never 100 before it is done.
  // 0.58 times 100 is a little less than 58.
  return `${share >= 1 ? 100 : Math.min(Math.floor(share * 100 + 1e-9), 99)} %`;
}

export function count(number: number, one: string, many: string): string {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

export function moment(timestamp: string | null): string {
  return timestamp === null ? '' : new Date(timestamp).toLocaleString();
}

/** `about 2 min (1 to 4)`. */
export function remaining(seconds: Remaining): string {
  const [scale, unit] = seconds.likely < 90 ? [1, 's'] : seconds.likely < 5_400 ? [60, 'min'] : [3_600, 'h'];
  const shown = (value: number) => Math.max(Math.round(value / scale), 1);
  const [low, likely, high] = [shown(seconds.low), shown(seconds.likely), shown(seconds.high)];
  const range = low === high ? '' : ` (${low} to ${high})`;
  return `about ${likely} ${unit}${range} left`;
}

/** A hue of its own for every class of things, the same on every page. */
export function hue(name: string): number {
  let hash = 7;
  for (const letter of name) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 3_600;
  return hash / 10;
}
