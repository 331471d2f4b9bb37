import { useDeferredValue, useRef, useState } from 'react';

import { useAnswer, useChange } from './ask';
import { hue } from './format';
import type { Thing } from './graphOf';

interface Page {
  batch: { entities: { nodes: Thing[]; pageInfo: { hasNextPage: boolean } } } | null;
}

const ENTITIES = `
query Entities($id: ID!, $search: String, $type: String) {
  batch(id: $id) {
    entities(first: 50, search: $search, type: $type) {
      nodes { id name types }
      pageInfo { hasNextPage }
    }
  }
}`;

interface Properties {
  batch: string;
  revision: string;
  chosen: string | null;
  choose: (id: string) => void;
}

/** The first entities of a batch whose name or type is asked for. */
export function Entities({ batch, revision, chosen, choose }: Properties) {
  const [search, setSearch] = useState('');
  const [type, setType] = useState('');
  const wanted = useDeferredValue(search.trim());
  const wantedType = useDeferredValue(type.trim());
  const { data, error, again } = useAnswer<Page>(ENTITIES, {
    id: batch,
    search: wanted === '' ? null : wanted,
    type: wantedType === '' ? null : wantedType,
  });
  useChange(revision, again);
  // What was found stays until the next answer, so that nothing below it jumps.
  const found = useRef(data);
  found.current = data ?? found.current;
  const entities = found.current?.batch?.entities;
  return (
    <div className="entities">
      <p>
        <Search of="Name" value={search} change={setSearch} />{' '}
        <Search of="Type" value={type} change={setType} />
      </p>
      {error && <p className="error">{error}</p>}
      {entities?.nodes.length === 0 && <p className="quiet">No entity.</p>}
      <ul>
        {entities?.nodes.map((entity) => (
          <li key={entity.id}>
            <button
              className="entity"
              aria-pressed={entity.id === chosen}
              onClick={() => choose(entity.id)}
            >
              <i style={{ background: `hsl(${hue(entity.types[0] ?? '')}, 55%, 52%)` }} />
              {entity.name} <small>{entity.types.join(', ')}</small>
            </button>
          </li>
        ))}
      </ul>
      {entities?.pageInfo.hasNextPage && <p className="quiet">The first 50; search for others.</p>}
    </div>
  );
}

function Search(box: { of: string; value: string; change: (value: string) => void }) {
  return (
    <input
      type="search"
      placeholder={box.of}
      aria-label={`Search for a ${box.of.toLowerCase()}`}
      value={box.value}
      onChange={(event) => box.change(event.target.value)}
    />
  );
}
