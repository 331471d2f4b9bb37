// React hooks that follow a batch, or the workflow of one document, live.

import { useCallback, useEffect, useState } from 'react';

import { BATCH_PROGRESS, WORKFLOW_PROGRESS, named } from './events';
import type { BatchEvent, StageProgressEvent } from './events';
import { NOTHING_YET, NO_STAGE_YET, foldBatch, foldWorkflow } from './fold';
import type { BatchProgress, WorkflowProgress } from './fold';
import { follow, sockets } from './follow';
import type { Following, Open } from './follow';

export interface Options<S> {
  /** The server's GraphQL endpoint, `ws://…/graphql`; the page's own host when left out. */
  url?: string;
  /** The API key, for a server that asks for one. */
  apiKey?: string | null;
  /**
   * What is known already, with its `sequence`: the events until then are not asked for. Everything
   * is, when left out. Looked at when the following begins.
   */
  known?: Partial<S>;
}

/** What is known, how it is being followed, and a way to go on: after a retry of an ended batch. */
export interface Followed<S> {
  progress: S;
  following: Following;
  resume: () => void;
}

/** Where a batch stands, live. `null` follows nothing. */
export function useBatchProgress(
  batchId: string | null,
  options?: Options<BatchProgress>,
): Followed<BatchProgress> {
  return useLog<BatchEvent, BatchProgress>(BATCH_PROGRESS, batchId, NOTHING_YET, foldBatch, options);
}

/** Where the workflow of one document stands, live. `null` follows nothing. */
export function useWorkflowProgress(
  executionId: string | null,
  options?: Options<WorkflowProgress>,
): Followed<WorkflowProgress> {
  return useLog<StageProgressEvent, WorkflowProgress>(
    WORKFLOW_PROGRESS,
    executionId,
    NO_STAGE_YET,
    foldWorkflow,
    options,
  );
}

interface Known<S> {
  /** Of what: the endpoint, who asks, and the id. */
  of: string;
  progress: S;
  following: Following;
}

function useLog<E extends { sequence: number }, S extends { sequence: number }>(
  query: string,
  id: string | null,
  nothing: S,
  fold: (before: S, events: readonly E[]) => S,
  options?: Options<S>,
): Followed<S> {
  const url = options?.url ?? ownUrl();
  const apiKey = options?.apiKey ?? null;
  const progress = { ...nothing, ...options?.known };
  const of = JSON.stringify([url, apiKey, id]);
  const fresh: Known<S> = { of, progress, following: { state: 'connecting' } };
  const [stored, setKnown] = useState(fresh);
  const [run, setRun] = useState(0);
  // What is known of another batch, or was told somebody else, is nothing of this one.
  const known = stored.of === of ? stored : fresh;
  const after = known.progress.sequence;

  useEffect(() => {
    if (id === null) return;
    const abort = new AbortController();
    const change = (changed: (before: Known<S>) => Partial<Known<S>>) =>
      setKnown((before) => {
        const own = before.of === of ? before : fresh;
        return abort.signal.aborted ? before : { ...own, ...changed(own) };
      });
    void follow<E>(
      connection(url, apiKey),
      { query, id, after, read: named },
      {
        events: (events) => change((before) => ({ progress: fold(before.progress, events) })),
        following: (following) => change(() => ({ following })),
      },
      abort.signal,
    );
    return () => abort.abort();
    // The rest follows from these; what is known grows meanwhile, and `follow` keeps its own count.
  }, [url, apiKey, query, id, run]);

  const resume = useCallback(() => setRun((before) => before + 1), []);
  return { progress: known.progress, following: known.following, resume };
}

function ownUrl(): string {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${location.host}/graphql`;
}

const connections = new Map<string, Open>();

/** One connection for all hooks that follow something at one endpoint with one key. */
function connection(url: string, apiKey: string | null): Open {
  const which = JSON.stringify([url, apiKey]);
  const known = connections.get(which) ?? sockets(url, apiKey);
  connections.set(which, known);
  return known;
}
