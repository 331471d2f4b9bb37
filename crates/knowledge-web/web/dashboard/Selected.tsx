import { useEffect } from 'react';

import { useAnswer, useChange } from './ask';
import { percent } from './format';
import type { Statement } from './graphOf';

interface Evidence {
  text: string;
  startChar: number;
  endChar: number;
  document: { name: string };
}

interface Node {
  id: string;
  __typename: string;
  name?: string;
  types?: string[];
  aliases?: string[];
  attributes?: Record<string, string>;
  predicate?: string;
  subject?: { id: string; name: string };
  object?: { id: string; name: string } | null;
  literal?: string | null;
  confidence: number;
  evidence: Evidence[];
}

const NODE = `
query Node($id: ID!) {
  node(id: $id) {
    id __typename
    ... on Entity {
      name types aliases attributes confidence
      evidence { text startChar endChar document { name } }
    }
    ... on Relation {
      predicate literal confidence
      subject { id name }
      object { id name }
      evidence { text startChar endChar document { name } }
    }
  }
}`;

/** Pieces of evidence that are shown. */
const SHOWN = 20;

interface Properties {
  id: string;
  revision: string;
  statements: Statement[];
  choose: (id: string) => void;
}

/** What was chosen, and the words that prove it. */
export function Selected({ id, revision, statements, choose }: Properties) {
  const { data, error, again } = useAnswer<{ node: Node | null }>(NODE, { id });
  useChange(revision, again);
  const node = data?.node;
  // Resolution has merged it into another meanwhile, which answers for it.
  const own = node?.id ?? id;
  useEffect(() => {
    if (own !== id) choose(own);
  }, [own, id, choose]);
  if (!data) return <p className={error ? 'error' : 'quiet'}>{error ?? 'Loading…'}</p>;
  if (!node) return <p className="quiet">It is not there any more.</p>;
  return (
    <aside className="selected" aria-label="What was chosen">
      {node.predicate === undefined ? (
        <Entity id={own} node={node} statements={statements} choose={choose} />
      ) : (
        <Relation node={node} choose={choose} />
      )}
      <p className="quiet">Confidence {percent(node.confidence)}</p>
      <h4>Evidence</h4>
      <Quotes evidence={node.evidence} />
    </aside>
  );
}

function Entity(of: Omit<Properties, 'revision'> & { node: Node }) {
  const { id, node, statements, choose } = of;
  const said = statements.filter((it) => it.subject.id === id || it.object?.id === id);
  const attributes = Object.entries(node.attributes ?? {});
  return (
    <>
      <h3>{node.name}</h3>
      <p>{node.types?.join(', ')}</p>
      {node.aliases && node.aliases.length > 0 && <p>Also called {node.aliases.join(', ')}</p>}
      {attributes.map(([name, value]) => (
        <p key={name}>
          {name}: {value}
        </p>
      ))}
      <ul>
        {said.map((it) => (
          <li key={it.id}>
            <End end={it.subject} own={id} choose={choose} />{' '}
            <button className="link" onClick={() => choose(it.id)}>
              {it.predicate}
            </button>{' '}
            {it.object ? <End end={it.object} own={id} choose={choose} /> : `“${it.literal}”`}
          </li>
        ))}
      </ul>
    </>
  );
}

function Relation({ node, choose }: { node: Node; choose: (id: string) => void }) {
  return (
    <h3>
      {node.subject && <End end={node.subject} choose={choose} />} {node.predicate}{' '}
      {node.object ? <End end={node.object} choose={choose} /> : `“${node.literal}”`}
    </h3>
  );
}

function End(of: { end: { id: string; name: string }; own?: string; choose: (id: string) => void }) {
  const { end, own, choose } = of;
  if (end.id === own) return <b>{end.name}</b>;
  return (
    <button className="link" onClick={() => choose(end.id)}>
      {end.name}
    </button>
  );
}

function Quotes({ evidence }: { evidence: Evidence[] }) {
  return (
    <>
      {evidence.slice(0, SHOWN).map((it) => (
        <blockquote key={`${it.document.name} ${it.startChar} ${it.endChar}`}>
          {it.text}
          <footer>
            {it.document.name}, {it.startChar} to {it.endChar}
          </footer>
        </blockquote>
      ))}
      {evidence.length > SHOWN && <p className="quiet">and {evidence.length - SHOWN} more</p>}
    </>
  );
}
