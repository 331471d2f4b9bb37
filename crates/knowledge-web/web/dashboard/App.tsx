import { useEffect, useState } from 'react';

import { BatchPage } from './BatchPage';
import { Batches } from './Batches';

/** `#/batches/{id}` is a batch's page, everything else the list. */
export function App() {
  const batch = useBatchInAddress();
  return (
    <>
      <header className="bar">
        <a href="#/" className="name">
          knowledge
        </a>
        <nav>
          <a href="#/">Batches</a>
          <a href="/graphiql">GraphiQL</a>
        </nav>
      </header>
      <main>{batch === null ? <Batches /> : <BatchPage key={batch} id={batch} />}</main>
    </>
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
