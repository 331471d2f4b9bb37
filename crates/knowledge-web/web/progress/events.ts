// The events of batches and workflows as GraphQL tells them, and the subscriptions for them.

export type BatchStage =
  | 'PENDING'
  | 'CHUNKING'
  | 'EXTRACTING_MENTIONS'
  | 'EXTRACTING_ENTITIES'
  | 'EXTRACTING_RELATIONS'
  | 'ASSEMBLING'
  | 'RESOLVING'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED';

export type WorkflowStage = 'CHUNK' | 'MENTIONS' | 'ENTITIES' | 'RELATIONS' | 'ASSEMBLE';

export type StageStatus = 'STARTED' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';

/** What the unsettled documents of a batch are doing. */
export interface DocumentsByStage {
  waiting: number;
  chunk: number;
  mentions: number;
  entities: number;
  relations: number;
  assemble: number;
}

/** Seconds that the documents still take. */
export interface Remaining {
  low: number;
  likely: number;
  high: number;
}

/** Where a batch stands. */
export interface Aggregate {
  /** Of the last event; 0 before the first. */
  sequence: number;
  /** From 0 to 1. */
  progress: number;
  completedDocuments: number;
  failedDocuments: number;
  totalDocuments: number;
  documentsByStage: DocumentsByStage | null;
  documentsPerMinute: number | null;
  remainingSeconds: Remaining | null;
}

/** What every event carries: its place, its moment, and where the batch stood by then. */
interface Head extends Aggregate {
  timestamp: string;
}

export interface StageProgressEvent extends Head {
  __typename: 'StageProgress';
  documentId: string;
  workflowExecutionId: string;
  stage: WorkflowStage;
  status: StageStatus;
  /** From 0 to 100. */
  stageProgress: number;
  current: number;
  total: number;
  entityCount: number | null;
  relationCount: number | null;
}

export type BatchEvent =
  | (Head & { __typename: 'BatchCreated' })
  | (Head & { __typename: 'BatchStageEntered'; stage: BatchStage })
  | (Head & { __typename: 'DocumentStarted'; documentId: string; documentIndex: number })
  | StageProgressEvent
  | (Head & {
      __typename: 'DocumentCompleted';
      documentId: string;
      entityCount: number;
      relationCount: number;
    })
  | (Head & {
      __typename: 'DocumentFailed';
      documentId: string;
      stage: WorkflowStage | null;
      error: string;
      willRetry: boolean;
    })
  | (Head & { __typename: 'DocumentQuarantined'; documentId: string; error: string })
  | (Head & { __typename: 'DocumentSkipped' | 'DocumentResumed'; documentId: string })
  | (Head & { __typename: 'DocumentSuspended'; documentId: string; message: string })
  | (Head & { __typename: 'ResolutionStarted' })
  | (Head & {
      __typename: 'ResolutionCompleted';
      clusterCount: number;
      mergeCount: number;
      sameAsCount: number;
    })
  | (Head & { __typename: 'BatchCompleted'; entityCount: number; relationCount: number })
  | (Head & { __typename: 'BatchFailed'; error: string })
  | (Head & { __typename: 'BatchCancelled' });

const HEAD = `
  __typename
  sequence
  timestamp
  progress
  completedDocuments
  failedDocuments
  totalDocuments
  documentsByStage { waiting chunk mentions entities relations assemble }
  documentsPerMinute
  remainingSeconds { low likely high }
`;

const STAGE = `
  documentId
  workflowExecutionId
  enteredStage: stage
  status
  stageProgress
  current
  total
  entityCount
  relationCount
`;

/**
 * What the subscriptions call fields that several events have with different types, which GraphQL
 * does not let one selection ask for by one name.
 */
const ALIASES: Record<string, string> = {
  batchStage: 'stage',
  enteredStage: 'stage',
  failedStage: 'stage',
  entitiesFound: 'entityCount',
  relationsFound: 'relationCount',
};

/** An event with the names that the schema gives its fields. */
export function named<E>(received: object): E {
  const fields = Object.entries(received).map(([name, value]) => [ALIASES[name] ?? name, value]);
  return Object.fromEntries(fields) as E;
}

export const BATCH_PROGRESS = `
subscription BatchProgress($id: ID!, $after: Long) {
  event: batchProgress(batchId: $id, afterSequence: $after) {
    ${HEAD}
    ... on BatchStageEntered { batchStage: stage }
    ... on DocumentStarted { documentId documentIndex }
    ... on StageProgress { ${STAGE} }
    ... on DocumentCompleted {
      documentId
      entitiesFound: entityCount
      relationsFound: relationCount
    }
    ... on DocumentFailed { documentId failedStage: stage error willRetry }
    ... on DocumentQuarantined { documentId error }
    ... on DocumentSkipped { documentId }
    ... on DocumentResumed { documentId }
    ... on DocumentSuspended { documentId message }
    ... on ResolutionCompleted { clusterCount mergeCount sameAsCount }
    ... on BatchCompleted { entitiesFound: entityCount relationsFound: relationCount }
    ... on BatchFailed { error }
  }
}`;

export const WORKFLOW_PROGRESS = `
subscription WorkflowProgress($id: ID!, $after: Long) {
  event: workflowProgress(executionId: $id, afterSequence: $after) {
    ${HEAD}
    ${STAGE}
  }
}`;
