// The part of a batch's graph that is drawn.

import { ask } from './ask';
import type { PageInfo } from './paging';

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
}

interface Page {
  batch: {
    relations: { nodes: Statement[]; pageInfo: PageInfo };
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

/** So many pages of a batch's relations. */
export async function graphOf(batch: string, pages: number, signal: AbortSignal): Promise<Drawn> {
  const statements: Statement[] = [];
  let after: string | null = null;
  for (let page = 0; page < pages; page += 1) {
    const answer: Page = await ask<Page>(RELATIONS, { id: batch, after }, signal);
    if (!answer.batch) break;
    const { nodes, pageInfo } = answer.batch.relations;
    statements.push(...nodes);
    if (!pageInfo.hasNextPage) return { statements, isPart: false };
    after = pageInfo.endCursor;
  }
  return { statements, isPart: true };
}
