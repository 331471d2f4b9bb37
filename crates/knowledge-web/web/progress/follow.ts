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
  errors?: readonly ServerError[];
}

interface ServerError {
  message: string;
  extensions?: { code?: unknown };
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

/** Milliseconds between two signs of life of a connection, and how long one is waited for. */
const ALIVE = 15_000;
const PATIENCE = 10_000;

/** What the server says where asking again is of no use. */
const REFUSALS = ['NOT_FOUND', 'BAD_USER_INPUT', 'INVALID_REQUEST'];
/** The code of a connection that the server closes for want of a key. */
const FORBIDDEN = 4403;

/** Connections to a GraphQL endpoint, one for all that is followed there with one API key. */
export function sockets(url: string, apiKey: string | null = null): Open {
  let isUp = false;
  let silence: ReturnType<typeof setTimeout> | undefined;
  // Who follows tries again by itself, from the last event that it saw.
  const client = createClient({
    url,
    ...(apiKey !== null && { connectionParams: { authorization: `Bearer ${apiKey}` } }),
    retryAttempts: 0,
    keepAlive: ALIVE,
    connectionAckWaitTimeout: PATIENCE,
    on: {
      connected: () => (isUp = true),
      closed: () => {
        isUp = false;
        clearTimeout(silence);
      },
      // A network that vanished says nothing: the connection is given up when no answer comes.
      ping: (received) => {
        if (!received) silence = setTimeout(() => client.terminate(), PATIENCE);
      },
      pong: (received) => {
        if (received) clearTimeout(silence);
      },
    },
  });
  return (query, variables, connected) => {
    const forget = client.on('connected', connected);
    if (isUp) connected();
    const values = client.iterate<Record<string, unknown>>({ query, variables: { ...variables } });
    const iterator: AsyncIterator<Result> = {
      next: () => values.next(),
      return: async () => {
        forget();
        await values.return?.();
        return { done: true, value: undefined };
      },
    };
    return { [Symbol.asyncIterator]: () => iterator };
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
    const begun = Date.now();
    try {
      let isLive = false;
      const live = () => {
        if (!isLive && !signal.aborted) listener.following({ state: 'live' });
        isLive = true;
      };
      const stream = open(log.query, { id: log.id, after: last }, live);
      for await (const { data, errors } of until(signal, stream)) {
        if (errors?.length) throw errors;
        const received = data?.['event'];
        if (typeof received !== 'object' || received === null) continue;
        const event = log.read(received);
        if (event.sequence <= last) continue;
        last = event.sequence;
        failures = 0;
        live();
        gathered.add(event);
      }
      if (signal.aborted) break;
      gathered.hand();
      listener.following({ state: 'ended' });
      return;
    } catch (error) {
      if (signal.aborted) break;
      gathered.hand();
      const refusal = refused(error);
      if (refusal !== null) {
        listener.following({ state: 'refused', message: refusal });
        return;
      }
      listener.following({ state: 'reconnecting' });
      if (Date.now() - begun > LONGEST_PAUSE) failures = 0;
      await pause(Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE), signal);
      failures += 1;
    }
  }
  gathered.drop();
}

/** The values of a stream until the signal comes; the stream is told when no more is wanted. */
async function* until<T>(signal: AbortSignal, stream: AsyncIterable<T>): AsyncGenerator<T> {
  const values = stream[Symbol.asyncIterator]();
  const stop = () => void values.return?.();
  signal.addEventListener('abort', stop);
  try {
    while (!signal.aborted) {
      const next = await values.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** What the server says where it refuses; `null` where the connection broke, or the server failed. */
function refused(error: unknown): string | null {
  if (isClose(error) && error.code === FORBIDDEN) return 'The server asks for an API key that holds.';
  if (!Array.isArray(error)) return null;
  const errors = error as ServerError[];
  const isRefusal = errors.some(({ extensions }) => REFUSALS.includes(String(extensions?.code)));
  return isRefusal ? errors.map((it) => it.message).join('; ') : null;
}

function isClose(error: unknown): error is { code: number } {
  return typeof error === 'object' && error !== null && 'code' in error;
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
