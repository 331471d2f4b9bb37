import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { follow } from './follow';
import type { Following, Open, Result } from './follow';

interface Event {
  sequence: number;
}

/** A server whose connections each tell some events, and then break, end, or refuse. */
type Connection = { tells: number[]; then: 'break' | 'end' | 'refuse' | 'fail' | 'forbid' };

function server(connections: Connection[]): { open: Open; asked: number[] } {
  const asked: number[] = [];
  const open: Open = (_query, variables, connected) => {
    asked.push((variables as { after: number }).after);
    const connection = connections.shift() ?? { tells: [], then: 'break' };
    return stream(connection, connected);
  };
  return { open, asked };
}

async function* stream({ tells, then }: Connection, connected: () => void): AsyncGenerator<Result> {
  if (then === 'break' && tells.length === 0) throw new Error('nobody answers');
  connected();
  for (const sequence of tells) yield { data: { event: { sequence } } };
  if (then === 'break') throw new Error('the connection is lost');
  if (then === 'refuse') {
    yield { errors: [{ message: 'there is no such batch', extensions: { code: 'NOT_FOUND' } }] };
  }
  if (then === 'forbid') throw { code: 4403, reason: 'Forbidden' };
  if (then === 'fail') throw [{ message: 'internal error', extensions: { code: 'INTERNAL' } }];
}

async function watched(connections: Connection[], after = 0, abortAfter?: number) {
  const { open, asked } = server(connections);
  const seen: number[] = [];
  const states: Following[] = [];
  const abort = new AbortController();
  const done = follow<Event>(
    open,
    { query: 'subscription', id: 'batch', after, read: (event) => event as Event },
    {
      events: (events) => seen.push(...events.map((it) => it.sequence)),
      following: (following) => states.push(following),
    },
    abort.signal,
  );
  if (abortAfter !== undefined) setTimeout(() => abort.abort(), abortAfter);
  await vi.runAllTimersAsync();
  await done;
  return { seen, asked, states: states.map((it) => it.state), last: states.at(-1) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('goes on after the last event that it saw, whatever breaks', async () => {
  const { seen, asked, states } = await watched([
    { tells: [1, 2], then: 'break' },
    { tells: [], then: 'break' },
    { tells: [3], then: 'break' },
    { tells: [4, 5], then: 'end' },
  ]);
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  expect(asked).toEqual([0, 2, 2, 3]);
  expect(states.filter((state) => state === 'reconnecting')).toHaveLength(3);
  expect(states.at(-1)).toBe('ended');
});

it('tells nothing twice, even where the server does', async () => {
  const { seen } = await watched([
    { tells: [7, 8], then: 'break' },
    { tells: [8, 7, 9], then: 'end' },
  ], 6);
  expect(seen).toEqual([7, 8, 9]);
});

it('does not ask again with a key that does not hold', async () => {
  const { seen, asked, last } = await watched([{ tells: [1], then: 'forbid' }]);
  expect(seen).toEqual([1]);
  expect(asked).toEqual([0]);
  expect(last).toEqual({ state: 'refused', message: 'The server asks for an API key that holds.' });
});

it('does not ask again where the server refuses', async () => {
  const { asked, last } = await watched([{ tells: [], then: 'refuse' }]);
  expect(asked).toEqual([0]);
  expect(last).toEqual({ state: 'refused', message: 'there is no such batch' });
});

it('asks again where the server fails', async () => {
  const { seen, states } = await watched([
    { tells: [], then: 'fail' },
    { tells: [1], then: 'end' },
  ]);
  expect(seen).toEqual([1]);
  expect(states).toEqual(['connecting', 'live', 'reconnecting', 'live', 'ended']);
});

it('says once that it is live, however many events there are', async () => {
  const tells = Array.from({ length: 1_000 }, (_, at) => at + 1);
  const { seen, states } = await watched([{ tells, then: 'end' }]);
  expect(seen).toHaveLength(1_000);
  expect(states).toEqual(['connecting', 'live', 'ended']);
});

it('tells its stream when nothing is wanted any more, and ends', async () => {
  let end = () => {};
  const waiting = new Promise<IteratorResult<Result>>((resolve) => {
    end = () => resolve({ done: true, value: undefined });
  });
  const returned = vi.fn(async (): Promise<IteratorResult<Result>> => {
    end();
    return { done: true, value: undefined };
  });
  const open: Open = () => ({
    [Symbol.asyncIterator]: () => ({ next: () => waiting, return: returned }),
  });
  const abort = new AbortController();
  const states: Following[] = [];
  const listener = { events: () => {}, following: (it: Following) => states.push(it) };
  const log = { query: '', id: '', after: 0, read: (event: object) => event as Event };
  const done = follow(open, log, listener, abort.signal);
  abort.abort();
  await done;
  expect(returned).toHaveBeenCalled();
  expect(states).toEqual([{ state: 'connecting' }]);
});

it('stops at once, and tells nothing afterwards', async () => {
  const { seen, states } = await watched([{ tells: [], then: 'break' }], 0, 100);
  expect(seen).toEqual([]);
  expect(states).toEqual(['connecting', 'reconnecting']);
});

it.each([false, true])('waits longer and longer, and not for ever (connected: %s)', async (connects) => {
  const times: number[] = [];
  const open: Open = (_query, _variables, connected) => {
    times.push(Date.now());
    if (connects) connected();
    return stream({ tells: [], then: 'break' }, () => {});
  };
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 60_000);
  const listener = { events: () => {}, following: () => {} };
  const log = { query: '', id: '', after: 0, read: (event: object) => event as Event };
  const done = follow(open, log, listener, abort.signal);
  await vi.runAllTimersAsync();
  await done;
  const pauses = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  expect(pauses.slice(0, 6)).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000]);
  expect(Math.max(...pauses)).toBe(5_000);
});
