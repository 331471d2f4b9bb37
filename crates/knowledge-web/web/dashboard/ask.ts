// Questions to the server, and what they are answered with as React state.

import { useCallback, useEffect, useRef, useState } from 'react';

import { authorization } from '../key';
import { apiKey, refused } from './caller';

/** Asks the server; an error says what the server said. */
export async function ask<T>(query: string, variables: object = {}, signal?: AbortSignal): Promise<T> {
  const key = apiKey();
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      ...authorization(key),
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    },
    body: JSON.stringify({ query, variables }),
    signal: signal ?? null,
  });
  if (response.status === 401) refused(key);
  const said: { data?: T; errors?: { message: string }[]; detail?: string } = await response
    .json()
    .catch(() => ({}));
  if (said.errors?.length) throw new Error(said.errors.map((it) => it.message).join('; '));
  if (!said.data) throw new Error(said.detail ?? `the server answers ${response.status}`);
  return said.data;
}

export interface Asked<T> {
  /** The last answer that came. */
  data: T | null;
  /** Why there is no newer one. */
  error: string | null;
  /** Asks again, once what is on its way has come. */
  again: () => void;
}

/** Milliseconds before a question that failed is asked again, and how long an answer may take. */
const RETRY = 3_000;
const PATIENCE = 20_000;

/** What is loaded under a key, one load at a time, tried again by itself where it fails. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Asked<T> {
  const [loaded, setLoaded] = useState<{ key: string; data: T | null; error: string | null }>({
    key,
    data: null,
    error: null,
  });
  const latest = useRef(load);
  latest.current = load;
  const look = useRef<() => void>(() => {});

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isBusy = false;
    let isWanted = false;
    const one = async () => {
      isBusy = true;
      isWanted = false;
      clearTimeout(timer);
      try {
        // A network that vanished says nothing.
        const patience = AbortSignal.any([abort.signal, AbortSignal.timeout(PATIENCE)]);
        const data = await latest.current(patience);
        if (!abort.signal.aborted) setLoaded({ key, data, error: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        setLoaded((before) => ({
          key,
          data: before.key === key ? before.data : null,
          error: text(error),
        }));
        timer = setTimeout(() => look.current(), RETRY);
      } finally {
        isBusy = false;
      }
      if (isWanted && !abort.signal.aborted) void one();
    };
    look.current = () => {
      if (isBusy) isWanted = true;
      else void one();
    };
    look.current();
    return () => {
      look.current = () => {};
      clearTimeout(timer);
      abort.abort();
    };
  }, [key]);

  const again = useCallback(() => look.current(), []);
  const isOwn = loaded.key === key;
  return { data: isOwn ? loaded.data : null, error: isOwn ? loaded.error : null, again };
}

/** The answer to a question, asked anew when its variables change. */
export function useAnswer<T>(query: string, variables: object): Asked<T> {
  return useLoaded<T>(JSON.stringify([query, variables]), (signal) => ask(query, variables, signal));
}

/** Calls when the value has become another one; not for the first. */
export function useChange(value: unknown, changed: () => void): void {
  const before = useRef(value);
  useEffect(() => {
    if (before.current === value) return;
    before.current = value;
    changed();
  }, [value, changed]);
}

/** Calls every so many milliseconds. */
export function useEvery(milliseconds: number, call: () => void): void {
  useEffect(() => {
    const timer = setInterval(call, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds, call]);
}

/** Milliseconds between two looks at what no event tells, while a batch runs and afterwards. */
const WHILE = 2_000;
const AFTERWARDS = 10_000;

/** Looks again and again at a batch, or at a part of it, and at once when it is over or goes on. */
export function useLooks(isOver: boolean, look: () => void): void {
  useEvery(isOver ? AFTERWARDS : WHILE, look);
  useChange(isOver, look);
}

/** The value as it was at most so many milliseconds ago; at once where nothing follows. */
export function usePaced<T>(value: T, milliseconds: number, isLast: boolean): T {
  const [paced, setPaced] = useState(value);
  const at = useRef(0);
  useEffect(() => {
    const pause = isLast ? 0 : Math.max(at.current + milliseconds - Date.now(), 0);
    const timer = setTimeout(() => {
      at.current = Date.now();
      setPaced(value);
    }, pause);
    return () => clearTimeout(timer);
  }, [value, milliseconds, isLast]);
  return paced;
}

/** What a thrown value says. */
export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
