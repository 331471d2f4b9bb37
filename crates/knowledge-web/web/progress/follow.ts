// A log of events, followed to its end over connections that break.

import { createClient } from 'graphql-ws';

/** How a log is being followed. */
export type Following =
  | { state: 'connecting' }
  | { state: 'live' }
  /** The connection broke; another one is tried by itself. */
  | { state: 'reconnecting' }
  /** The last event of the run was seen. */
  | { state: 'ended' }
  /** The server refuses: there is no such batch, say. */
  | { state: 'refused'; message: string };

/** One message of a subscription. */
export interface Result {
  data?: Record<string, unknown> | null;
  errors?: readonly { message: string }[];
}

/**
 * Opens a stream of results, and says when there is a connection for it. The stream ends with the
 * log, and throws where the connection breaks.
 */
export type Open = (
  query: string,
  variables: object,
  connected: () => void,
) => AsyncIterable<Result>;

export interface Log<E> {
  /** A subscription with the variables `id` and `after`, its events aliased as `event`. */
  query: string;
  id: string;
  /** The last event that is known. */
  after: number;
  read: (received: object) => E;
}

interface Listener<E> {
  events: (events: readonly E[]) => void;
  following: (following: Following) => void;
}

/** Milliseconds before the next connection, and at most. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 5_000;
/** Milliseconds in which events are gathered: a page is drawn as often. */
const FRAME = 50;

/** Connections to a GraphQL endpoint, one for all that is followed there. */
export function sockets(url: string): Open {
  // Who follows tries again by itself, from the last event that it saw.
  const client = createClient({ url, retryAttempts: 0 });
  let isUp = false;
  client.on('connected', () => (isUp = true));
  client.on('closed', () => (isUp = false));
  return (query, variables, connected) => {
    const forget = client.on('connected', () => {
      forget();
      connected();
    });
    if (isUp) {
      forget();
      connected();
    }
    return client.iterate<Record<string, unknown>>({ query, variables: { ...variables } });
  };
}

/**
 * Hands over every event after the last one that is known, once and in order, until the log ends, the
 * server refuses, or the signal comes.
 */
export async function follow<E extends { sequence: number }>(
  open: Open,
  log: Log<E>,
  listener: Listener<E>,
  signal: AbortSignal,
): Promise<void> {
  const gathered = new Gathered(listener.events);
  let last = log.after;
  let failures = 0;
  listener.following({ state: 'connecting' });
  while (!signal.aborted) {
    try {
      const connected = () => {
        failures = 0;
        if (!signal.aborted) listener.following({ state: 'live' });
      };
      const stream = open(log.query, { id: log.id, after: last }, connected);
      const results = stream[Symbol.asyncIterator]();
      const stop = () => void results.return?.();
      signal.addEventListener('abort', stop);
      try {
        for (;;) {
          const { done, value } = await results.next();
          if (done) break;
          if (value.errors?.length) throw value.errors;
          const received = value.data?.['event'];
          if (typeof received !== 'object' || received === null) continue;
          const event = log.read(received);
          if (event.sequence <= last) continue;
          last = event.sequence;
          if (failures > 0 || last === event.sequence) listener.following({ state: 'live' });
          failures = 0;
          gathered.add(event);
        }
      } finally {
        signal.removeEventListener('abort', stop);
      }
      if (signal.aborted) break;
      gathered.hand();
      listener.following({ state: 'ended' });
      return;
    } catch (error) {
      gathered.hand();
      if (signal.aborted) break;
      const refusal = refused(error);
      if (refusal !== null) {
        listener.following({ state: 'refused', message: refusal });
        return;
      }
      listener.following({ state: 'reconnecting' });
      await pause(Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE), signal);
      failures += 1;
    }
  }
  gathered.drop();
}

/** What the server says where it refuses; `null` where the connection broke. */
function refused(error: unknown): string | null {
  if (!Array.isArray(error)) return null;
  const messages = error.map((it: { message?: unknown }) => String(it.message ?? it));
  return messages.join('; ');
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, milliseconds);
    signal.addEventListener('abort', over);
  });
}

/** Events that are handed over a few times a second, however many there are. */
class Gathered<E> {
  #events: E[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly to: (events: readonly E[]) => void) {}

  add(event: E): void {
    this.#events.push(event);
    this.#timer ??= setTimeout(() => this.hand(), FRAME);
  }

  hand(): void {
    const events = this.#events;
    this.drop();
    if (events.length > 0) this.to(events);
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#events = [];
  }
}
