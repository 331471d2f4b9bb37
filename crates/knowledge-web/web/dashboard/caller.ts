// Who uses the page: the API key that the server asks for, kept in this browser.

import { createContext, useContext, useSyncExternalStore } from 'react';

import { STORED_KEY } from '../key';

interface Access {
  key: string | null;
  /** Whether the server asks for a key. */
  isAsked: boolean;
  /** Whether it refused the last one. */
  wasRefused: boolean;
}

/** What another page of this browser has stored, or this one before. */
const stored = (): Access => ({
  key: localStorage.getItem(STORED_KEY),
  isAsked: false,
  wasRefused: false,
});

let access = stored();
const listeners = new Set<() => void>();

function become(next: Access): void {
  access = next;
  for (const changed of listeners) changed();
}

/** The key that the server is called with. */
export function apiKey(): string | null {
  return access.key;
}

addEventListener('storage', ({ key }) => {
  if (key === STORED_KEY || key === null) become(stored());
});

/**
 * The server refused a request with this key. A key that does not hold is forgotten: the server may
 * be another one, which asks for none.
 */
export function refused(used: string | null): void {
  if (used !== access.key || access.isAsked) return;
  if (used !== null) localStorage.removeItem(STORED_KEY);
  become({
    key: null,
    isAsked: used === null,
    wasRefused: access.wasRefused || used !== null,
  });
}

export function signIn(key: string): void {
  localStorage.setItem(STORED_KEY, key);
  become({ key, isAsked: false, wasRefused: false });
}

export function signOut(): void {
  localStorage.removeItem(STORED_KEY);
  become({ key: null, isAsked: false, wasRefused: false });
}

export function useAccess(): Access {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    () => access,
  );
}

/** Whether the caller may start and steer; they may until the server says otherwise. */
export const MayChange = createContext(true);

export function useMayChange(): boolean {
  return useContext(MayChange);
}
