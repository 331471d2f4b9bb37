import { useState } from 'react';
import type { FormEvent } from 'react';

import { authorization } from '../key';
import { text } from './ask';
import { signIn, useAccess } from './caller';

/** Asks for the API key that the server wants, and tries it. */
export function SignIn() {
  const { wasRefused } = useAccess();
  const [error, setError] = useState<string | null>(
    wasRefused ? 'The API key does not hold any more.' : null,
  );
  const [isTrying, setTrying] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget).get('key');
    const wanted = typeof given === 'string' ? given.trim() : '';
    setTrying(true);
    setError(null);
    try {
      await tried(wanted);
      signIn(wanted);
    } catch (failure) {
      setError(text(failure));
      setTrying(false);
    }
  };

  return (
    <form className="start" onSubmit={(event) => void submit(event)}>
      <h2>This server asks for an API key</h2>
      <label>
        API key
        <input type="password" name="key" required autoComplete="off" placeholder="kn_…" />
      </label>
      <p className="quiet">
        An administrator makes one with <code>knowledge key create</code>. It is kept in this browser
        until you sign out.
      </p>
      <p>
        <button className="main" disabled={isTrying}>
          Sign in
        </button>
      </p>
      {error && <p className="error">{error}</p>}
    </form>
  );
}

async function tried(key: string): Promise<void> {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('This is no API key.');
  const query = encodeURIComponent('{ caller { role } }');
  const response = await fetch(`/graphql?query=${query}`, { headers: authorization(key) });
  if (response.ok) return;
  const problem: { detail?: string } = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? `the server answers ${response.status}`);
}
