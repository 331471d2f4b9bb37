import { useRef, useState } from 'react';

import { Canvas } from './Canvas';
import { Entities } from './Entities';
import { Selected } from './Selected';
import { useChange, useLoaded } from './ask';
import { count } from './format';
import { graphOf } from './graphOf';
import type { Drawn, Statement } from './graphOf';

/** Pages of relations that are drawn at most: what a browser lays out in a moment. */
const MOST_PAGES = 5;

const NONE: Statement[] = [];

/** The graph of a batch to look at: drawn, as a list, and what was chosen with its evidence. */
export function Graph({ batch, revision }: { batch: string; revision: string }) {
  const [pages, setPages] = useState(1);
  const [chosen, setChosen] = useState<string | null>(null);
  const { data, error, again } = useLoaded(`${batch} ${pages}`, (signal) => graphOf(batch, pages, signal));
  useChange(revision, again);
  // What is drawn stays until there is more.
  const drawn = useRef<Drawn | null>(null);
  drawn.current = data ?? drawn.current;
  const graph = drawn.current;
  const statements = graph?.statements ?? NONE;
  return (
    <section className="graph">
      <h2>Graph</h2>
      {error && <p className="error">{error}</p>}
      <div className="columns">
        <div className="drawing">
          <Canvas statements={statements} chosen={chosen} choose={setChosen} />
          <p className="quiet">
            <span data-testid="drawn">
              {graph ? summary(statements, graph.isPart) : 'Loading…'}
            </span>{' '}
            {graph?.isPart && pages < MOST_PAGES && (
              <button onClick={() => setPages(pages + 1)}>Draw more</button>
            )}
          </p>
        </div>
        <div className="beside">
          <Entities batch={batch} revision={revision} chosen={chosen} choose={setChosen} />
          {chosen !== null && (
            <Selected id={chosen} revision={revision} statements={statements} choose={setChosen} />
          )}
        </div>
      </div>
    </section>
  );
}

function summary(statements: Statement[], isPart: boolean): string {
  const ends = statements.flatMap(({ subject, object }) => (object ? [subject.id, object.id] : [subject.id]));
  const drawn = `${count(new Set(ends).size, 'entity', 'entities')} and ${count(statements.length, 'relation', 'relations')}`;
  return isPart ? `The first ${drawn}.` : `${drawn}.`;
}
