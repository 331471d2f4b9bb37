import { describe, expect, it } from 'vitest';

import type { BatchEvent, StageProgressEvent } from './events';
import { named } from './events';
import { NOTHING_YET, NO_STAGE_YET, foldBatch, foldWorkflow, isOver } from './fold';

const head = (sequence: number, completedDocuments = 0) => ({
  sequence,
  timestamp: '2026-11-20T08:00:00Z',
  progress: sequence / 20,
  completedDocuments,
  failedDocuments: 0,
  totalDocuments: 2,
  documentsByStage: null,
  documentsPerMinute: null,
  remainingSeconds: null,
});

const stage = (sequence: number, stageProgress: number): StageProgressEvent => ({
  ...head(sequence),
  __typename: 'StageProgress',
  documentId: 'a',
  workflowExecutionId: 'w',
  stage: 'MENTIONS',
  status: 'IN_PROGRESS',
  stageProgress,
  current: 1,
  total: 2,
  entityCount: sequence === 4 ? 3 : null,
  relationCount: null,
});

/** Every kind of event: a document that completes, one that fails, and a retry. */
const LOG: BatchEvent[] = [
  { ...head(1), __typename: 'BatchCreated' },
  { ...head(2), __typename: 'DocumentStarted', documentId: 'a', documentIndex: 0 },
  { ...head(3), __typename: 'BatchStageEntered', stage: 'EXTRACTING_MENTIONS' },
  stage(4, 50),
  { ...head(5), __typename: 'DocumentSuspended', documentId: 'a', message: 'the budget is spent' },
  { ...head(6), __typename: 'DocumentResumed', documentId: 'a' },
  { ...head(7, 1), __typename: 'DocumentCompleted', documentId: 'a', entityCount: 3, relationCount: 1 },
  { ...head(8, 1), __typename: 'DocumentStarted', documentId: 'b', documentIndex: 1 },
  {
    ...head(9, 1),
    __typename: 'DocumentFailed',
    documentId: 'b',
    stage: 'CHUNK',
    error: 'it is empty',
    willRetry: false,
  },
  { ...head(10, 1), __typename: 'DocumentQuarantined', documentId: 'b', error: 'it keeps failing' },
  { ...head(11, 1), __typename: 'DocumentSkipped', documentId: 'c' },
  { ...head(12, 1), __typename: 'ResolutionStarted' },
  { ...head(13, 1), __typename: 'ResolutionCompleted', clusterCount: 2, mergeCount: 1, sameAsCount: 1 },
  { ...head(14, 1), __typename: 'BatchCompleted', entityCount: 2, relationCount: 1 },
];

describe('a batch', () => {
  it('comes to what its log says, however its events are handed over', () => {
    const whole = foldBatch(NOTHING_YET, LOG);
    const oneByOne = LOG.reduce((state, event) => foldBatch(state, [event]), NOTHING_YET);
    expect(oneByOne).toEqual(whole);
    expect(whole).toMatchObject({
      sequence: 14,
      stage: 'COMPLETED',
      completedDocuments: 1,
      entityCount: 2,
      relationCount: 1,
      mergeCount: 1,
      error: null,
    });
    expect(whole.documents.get('a')).toEqual({
      state: 'completed',
      stage: 'MENTIONS',
      stageProgress: 100,
      message: null,
      entityCount: 3,
      relationCount: 1,
    });
    expect(whole.documents.get('b')).toMatchObject({ state: 'abandoned', message: 'it keeps failing' });
    expect(whole.documents.get('c')?.state).toBe('skipped');
    expect(whole.recent[0]?.sequence).toBe(14);
  });

  it('takes every event once', () => {
    const once = foldBatch(NOTHING_YET, LOG);
    expect(foldBatch(once, LOG)).toBe(once);
    const overlapping = foldBatch(foldBatch(NOTHING_YET, LOG.slice(0, 9)), LOG.slice(5));
    expect(overlapping).toEqual(once);
  });

  it('waits with its reason, and goes on without it', () => {
    const waiting = foldBatch(NOTHING_YET, LOG.slice(0, 5));
    expect(waiting.documents.get('a')).toMatchObject({
      state: 'suspended',
      message: 'the budget is spent',
      stageProgress: 50,
    });
    const goingOn = foldBatch(waiting, LOG.slice(5, 6));
    expect(goingOn.documents.get('a')).toMatchObject({ state: 'processing', message: null });
  });

  it('is no failure any more when it is tried again', () => {
    const failed = foldBatch(NOTHING_YET, [{ ...head(1), __typename: 'BatchFailed', error: 'no key' }]);
    expect([failed.stage, failed.error, isOver(failed.stage)]).toEqual(['FAILED', 'no key', true]);
    const again = foldBatch(failed, [{ ...head(2), __typename: 'BatchStageEntered', stage: 'PENDING' }]);
    expect([again.stage, again.error, isOver(again.stage)]).toEqual(['PENDING', null, false]);
    const done = foldBatch(NOTHING_YET, LOG);
    const back = foldBatch(done, [{ ...head(15), __typename: 'BatchStageEntered', stage: 'PENDING' }]);
    expect([back.entityCount, back.relationCount, back.mergeCount]).toEqual([null, null, null]);
    expect(back.documents.size).toBe(0);
  });

  it('survives an event of a newer server', () => {
    const unknown = { ...head(1), __typename: 'Unheard' } as unknown as BatchEvent;
    expect(foldBatch(NOTHING_YET, [unknown]).sequence).toBe(1);
  });

  it('does not change what it was handed', () => {
    const before = foldBatch(NOTHING_YET, LOG.slice(0, 4));
    const copy = structuredClone(before);
    foldBatch(before, LOG.slice(4));
    expect(before).toEqual(copy);
    expect(NOTHING_YET.documents.size).toBe(0);
  });
});

describe('a workflow', () => {
  it('is where its last event says, with what was found by then', () => {
    const whole = foldWorkflow(NO_STAGE_YET, [stage(4, 50), stage(6, 100)]);
    expect(whole).toMatchObject({ sequence: 6, stage: 'MENTIONS', stageProgress: 100, entityCount: 3 });
    expect(foldWorkflow(whole, [stage(4, 50)])).toBe(whole);
  });
});

it('gives fields their names of the schema back', () => {
  expect(named({ __typename: 'DocumentFailed', failedStage: 'CHUNK', error: 'x' })).toEqual({
    __typename: 'DocumentFailed',
    stage: 'CHUNK',
    error: 'x',
  });
});
