// Questions to the server, and what they are answered with as React state.

import { useCallback, useEffect, useState } from 'react';

/** Asks the server; an error says what the server said. */
export async function ask<T>(query: string, variables: object = {}): Promise<T> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
    },
    body: JSON.stringify({ query, variables }),
  });
  const said: { data?: T; errors?: { message: string }[]; detail?: string } = await response
    .json()
    .catch(() => ({}));
  if (said.errors?.length) throw new Error(said.errors.map((it) => it.message).join('; '));
  if (!said.data) throw new Error(said.detail ?? `the server answers ${response.status}`);
  return said.data;
}

export interface Asked<T> {
  data: T | null;
  error: string | null;
  again: () => void;
}

/** The answer to a question, asked anew when its variables change. `null` asks nothing. */
export function useAnswer<T>(query: string, variables: object | null): Asked<T> {
  const key = variables === null ? null : JSON.stringify(variables);
  const [answer, setAnswer] = useState<{ key: string | null; data: T | null; error: string | null }>({
    key: null,
    data: null,
    error: null,
  });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (key === null) return;
    let isWanted = true;
    ask<T>(query, JSON.parse(key) as object).then(
      (data) => isWanted && setAnswer({ key, data, error: null }),
      (error: unknown) =>
        isWanted &&
        setAnswer((before) => ({ key, data: before.key === key ? before.data : null, error: text(error) })),
    );
    return () => {
      isWanted = false;
    };
  }, [query, key, turn]);
  const again = useCallback(() => setTurn((before) => before + 1), []);
  const isOwn = answer.key === key;
  return { data: isOwn ? answer.data : null, error: isOwn ? answer.error : null, again };
}

/** What a thrown value says. */
export function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
