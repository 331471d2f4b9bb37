import { useEffect, useState } from 'react';

import { BatchPage } from './BatchPage';
import { Batches } from './Batches';
import { SignIn } from './SignIn';
import { useAnswer } from './ask';
import { MayChange, apiKey, signOut, useAccess } from './caller';

/** `#/batches/{id}` is a batch's page, everything else the list. */
export function App() {
  const { key, isAsked } = useAccess();
  return (
    <>
      <header className="bar">
        <a href="#/" className="name">
          knowledge
        </a>
        <nav>
          <a href="#/">Batches</a>
          <a href="/graphiql">GraphiQL</a>
          {key !== null && <button onClick={signOut}>Sign out</button>}
        </nav>
      </header>
      <main>{isAsked ? <SignIn /> : <Pages key={key} />}</main>
    </>
  );
}

interface Caller {
  caller: { role: 'VIEWER' | 'EDITOR' | 'ADMIN'; organization: { name: string } };
}

function Pages() {
  const batch = useBatchInAddress();
  const { data } = useAnswer<Caller>('{ caller { role organization { name } } }', {});
  return (
    <MayChange value={data?.caller.role !== 'VIEWER'}>
      {apiKey() !== null && data && <p className="quiet">{data.caller.organization.name}</p>}
      {batch === null ? <Batches /> : <BatchPage key={batch} id={batch} />}
    </MayChange>
  );
}

function useBatchInAddress(): string | null {
  const [address, setAddress] = useState(location.hash);
  useEffect(() => {
    const changed = () => setAddress(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  const found = /^#\/batches\/(.+)$/.exec(address)?.[1];
  return found === undefined ? null : decoded(found);
}

/** `null` where it is no address of ours. */
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

export function batchAddress(id: string): string {
  return `#/batches/${encodeURIComponent(id)}`;
}
