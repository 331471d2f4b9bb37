// What the events of a batch, or of one document's workflow, come to.

import type {
  Aggregate,
  BatchEvent,
  BatchStage,
  StageProgressEvent,
  StageStatus,
  WorkflowStage,
} from './events';

export type DocumentState =
  | 'processing'
  | 'suspended'
  | 'completed'
  | 'failed'
  | 'retry'
  | 'abandoned'
  | 'skipped';

/** A document that events have told of. */
export interface DocumentProgress {
  state: DocumentState;
  stage: WorkflowStage | null;
  /** The stage's share that is done, from 0 to 100. */
  stageProgress: number;
  /** Why it failed, or what it waits for. */
  message: string | null;
  entityCount: number | null;
  relationCount: number | null;
}

/** Where a batch stands, and what its documents are doing. */
export interface BatchProgress extends Aggregate {
  stage: BatchStage;
  /** Entities and relations, once the batch has completed. */
  entityCount: number | null;
  relationCount: number | null;
  /** Entities that resolution merged into others, once it is done. */
  mergeCount: number | null;
  /** Why the batch failed. */
  error: string | null;
  /** By their ids. */
  documents: ReadonlyMap<string, DocumentProgress>;
  /** The last events, the newest first. */
  recent: readonly BatchEvent[];
}

/** Events that are kept to be shown. */
const RECENT = 50;

export const NOTHING_YET: BatchProgress = {
  sequence: 0,
  stage: 'PENDING',
  progress: 0,
  completedDocuments: 0,
  failedDocuments: 0,
  totalDocuments: 0,
  documentsByStage: null,
  documentsPerMinute: null,
  remainingSeconds: null,
  entityCount: null,
  relationCount: null,
  mergeCount: null,
  error: null,
  documents: new Map(),
  recent: [],
};

/** Whether nothing follows in this run. */
export function isOver(stage: BatchStage): boolean {
  return stage === 'COMPLETED' || stage === 'FAILED' || stage === 'CANCELLED';
}

/** The state after some events more. Those that it knows already change nothing. */
export function foldBatch(before: BatchProgress, events: readonly BatchEvent[]): BatchProgress {
  const fresh = events.filter((event) => event.sequence > before.sequence);
  if (fresh.length === 0) return before;
  const after: BatchProgress = { ...before };
  const documents = new Map(before.documents);
  for (const event of fresh) {
    after.sequence = event.sequence;
    after.progress = event.progress;
    after.completedDocuments = event.completedDocuments;
    after.failedDocuments = event.failedDocuments;
    after.totalDocuments = event.totalDocuments;
    after.documentsByStage = event.documentsByStage;
    after.documentsPerMinute = event.documentsPerMinute;
    after.remainingSeconds = event.remainingSeconds;
    foldOne(after, documents, event);
  }
  after.documents = documents;
  after.recent = [...fresh.slice(-RECENT).reverse(), ...before.recent].slice(0, RECENT);
  return after;
}

function foldOne(
  batch: BatchProgress,
  documents: Map<string, DocumentProgress>,
  event: BatchEvent,
): void {
  const change = (id: string, changed: Partial<DocumentProgress>) =>
    documents.set(id, { ...(documents.get(id) ?? BEGUN), ...changed });
  switch (event.__typename) {
    case 'BatchCreated':
      break;
    case 'BatchStageEntered':
      batch.stage = event.stage;
      if (event.stage === 'PENDING') forget(batch, documents);
      break;
    case 'DocumentStarted':
      documents.set(event.documentId, BEGUN);
      break;
    case 'StageProgress':
      change(event.documentId, {
        ...stageOf(event),
        entityCount: event.entityCount,
        relationCount: event.relationCount,
      });
      break;
    case 'DocumentCompleted':
      change(event.documentId, {
        state: 'completed',
        stageProgress: 100,
        message: null,
        entityCount: event.entityCount,
        relationCount: event.relationCount,
      });
      break;
    case 'DocumentFailed':
      change(event.documentId, {
        state: event.willRetry ? 'retry' : 'failed',
        stage: event.stage,
        message: event.error,
      });
      break;
    case 'DocumentQuarantined':
      change(event.documentId, { state: 'abandoned', message: event.error });
      break;
    case 'DocumentSkipped':
      change(event.documentId, { state: 'skipped', message: null });
      break;
    case 'DocumentSuspended':
      change(event.documentId, { state: 'suspended', message: event.message });
      break;
    case 'DocumentResumed':
      change(event.documentId, { state: 'processing', message: null });
      break;
    case 'ResolutionStarted':
      batch.stage = 'RESOLVING';
      break;
    case 'ResolutionCompleted':
      batch.mergeCount = event.mergeCount;
      break;
    case 'BatchCompleted':
      batch.stage = 'COMPLETED';
      batch.entityCount = event.entityCount;
      batch.relationCount = event.relationCount;
      break;
    case 'BatchFailed':
      batch.stage = 'FAILED';
      batch.error = event.error;
      break;
    case 'BatchCancelled':
      batch.stage = 'CANCELLED';
      break;
    default:
      // A newer server may tell more; where the batch stands is in every event.
      event satisfies never;
  }
}

/** A retry puts a batch back, and with it what the run before has come to. */
function forget(batch: BatchProgress, documents: Map<string, DocumentProgress>): void {
  batch.error = null;
  batch.entityCount = null;
  batch.relationCount = null;
  batch.mergeCount = null;
  documents.clear();
}

const BEGUN: DocumentProgress = {
  state: 'processing',
  stage: null,
  stageProgress: 0,
  message: null,
  entityCount: null,
  relationCount: null,
};

function stageOf(event: StageProgressEvent): Partial<DocumentProgress> {
  return { stage: event.stage, stageProgress: event.stageProgress };
}

/** Where the workflow of one document stands. */
export interface WorkflowProgress {
  /** The last event that was seen; 0 before the first. */
  sequence: number;
  stage: WorkflowStage | null;
  status: StageStatus | null;
  /** The stage's share that is done, from 0 to 100. */
  stageProgress: number;
  /** Units of the stage that are done, and all of them. */
  current: number;
  total: number;
  entityCount: number | null;
  relationCount: number | null;
}

export const NO_STAGE_YET: WorkflowProgress = {
  sequence: 0,
  stage: null,
  status: null,
  stageProgress: 0,
  current: 0,
  total: 0,
  entityCount: null,
  relationCount: null,
};

/** The state after some events more. Those that it knows already change nothing. */
export function foldWorkflow(
  before: WorkflowProgress,
  events: readonly StageProgressEvent[],
): WorkflowProgress {
  const last = events.at(-1);
  if (!last || last.sequence <= before.sequence) return before;
  const known = [...events].reverse();
  return {
    sequence: last.sequence,
    stage: last.stage,
    status: last.status,
    stageProgress: last.stageProgress,
    current: last.current,
    total: last.total,
    entityCount: known.find((it) => it.entityCount !== null)?.entityCount ?? before.entityCount,
    relationCount:
      known.find((it) => it.relationCount !== null)?.relationCount ?? before.relationCount,
  };
}
