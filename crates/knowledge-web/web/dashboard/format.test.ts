import { expect, it } from 'vitest';

import { percent, remaining } from './format';

it('says every whole share, and 100 only of what is done', () => {
  for (let share = 0; share <= 100; share += 1) expect(percent(share / 100)).toBe(`${share} %`);
  expect([percent(0.9999), percent(1)]).toEqual(['99 %', '100 %']);
});

it('says how long it takes in the unit that fits', () => {
  expect(remaining({ low: 20, likely: 30, high: 41 })).toBe('about 30 s (20 to 41) left');
  expect(remaining({ low: 120, likely: 120, high: 120 })).toBe('about 2 min left');
  expect(remaining({ low: 3_600, likely: 7_200, high: 10_800 })).toBe('about 2 h (1 to 3) left');
});
