// The part of a batch's graph that is drawn.

import { useEffect, useRef, useState } from 'react';

import { ask, text } from './ask';

export interface Thing {
  id: string;
  name: string;
  types: string[];
}

export interface Statement {
  id: string;
  predicate: string;
  confidence: number;
  literal: string | null;
  subject: Thing;
  object: Thing | null;
}

export interface Drawn {
  statements: Statement[];
  /** Whether the batch states more than these. */
  isPart: boolean;
  error: string | null;
}

interface Page {
  batch: {
    relations: { nodes: Statement[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
  } | null;
}

const RELATIONS = `
query Graph($id: ID!, $after: String) {
  batch(id: $id) {
    relations(first: 200, after: $after) {
      nodes {
        id predicate confidence literal
        subject { id name types }
        object { id name types }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

/** Milliseconds between two loads while the graph grows. */
const PAUSE = 3_000;

/** How much of a batch's graph can be seen by now. */
export interface Revision {
  /** Changes when there is more to see, or other things. */
  name: string;
  /** Nothing follows. */
  isLast: boolean;
}

/** So many pages of a batch's relations, loaded again when there is more to see. */
export function useGraph(batch: string, { name, isLast }: Revision, pages: number): Drawn | null {
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const loaded = useRef(0);
  useEffect(() => {
    let isWanted = true;
    const load = async () => {
      loaded.current = Date.now();
      const graph = await loadPages(batch, pages).catch((error: unknown) => text(error));
      if (!isWanted) return;
      setDrawn((before) =>
        typeof graph === 'string'
          ? { statements: before?.statements ?? [], isPart: before?.isPart ?? false, error: graph }
          : graph,
      );
    };
    const pause = isLast ? 0 : Math.max(loaded.current + PAUSE - Date.now(), 0);
    const timer = setTimeout(() => void load(), pause);
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [batch, name, isLast, pages]);
  return drawn;
}

async function loadPages(batch: string, pages: number): Promise<Drawn> {
  const statements: Statement[] = [];
  let after: string | null = null;
  for (let page = 0; page < pages; page += 1) {
    const answer: Page = await ask<Page>(RELATIONS, { id: batch, after });
    if (!answer.batch) break;
    const { nodes, pageInfo } = answer.batch.relations;
    statements.push(...nodes);
    if (!pageInfo.hasNextPage) return { statements, isPart: false, error: null };
    after = pageInfo.endCursor;
  }
  return { statements, isPart: true, error: null };
}
