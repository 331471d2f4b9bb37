import { useState } from 'react';

import { isOver, useBatchProgress } from '../progress';
import type {
  BatchProgress,
  BatchStage,
  DocumentsByStage,
  Following,
  Remaining,
} from '../progress';
import { Documents } from './Documents';
import { Graph } from './Graph';
import { ask, text, useAnswer, useChange, useLooks, usePaced } from './ask';
import { apiKey, useMayChange } from './caller';
import { count, percent, remaining, words } from './format';

interface Batch {
  id: string;
  stage: BatchStage;
  extractor: string;
  model: string | null;
  lastSequence: number;
  progress: number;
  totalDocuments: number;
  completedDocuments: number;
  failedDocuments: number;
  documentsByStage: DocumentsByStage | null;
  documentsPerMinute: number | null;
  remainingSeconds: Remaining | null;
  skippedDocuments: number;
  partialDocuments: number;
  entityCount: number;
  relationCount: number;
  tokensUsed: number;
  tokenBudget: number | null;
  error: string | null;
  resolutionNote: string | null;
  modelUsage: { costUsd: number };
  ontology: { name: string } | null;
}

const BATCH = `
query Batch($id: ID!) {
  batch(id: $id) {
    id stage extractor model lastSequence progress totalDocuments completedDocuments
    failedDocuments skippedDocuments partialDocuments entityCount relationCount tokensUsed
    tokenBudget error resolutionNote documentsPerMinute
    documentsByStage { waiting chunk mentions entities relations assemble }
    remainingSeconds { low likely high }
    modelUsage { costUsd }
    ontology { name }
  }
}`;

/** Milliseconds between two looks at a graph that grows. */
const GRAPH = 3_000;

/** A batch, once it is known where it stands. */
export function BatchPage({ id }: { id: string }) {
  const { data, error, again } = useAnswer<{ batch: Batch | null }>(BATCH, { id });
  if (!data) return <p className={error ? 'error' : 'quiet'}>{error ?? 'Loading…'}</p>;
  if (!data.batch) return <p className="error">There is no such batch.</p>;
  return <Known batch={data.batch} error={error} look={again} />;
}

/** How far a batch is, what its documents are doing, and the graph that they come to. */
function Known(of: { batch: Batch; error: string | null; look: () => void }) {
  const { batch, error, look } = of;
  const { id } = batch;
  const { progress, following, resume } = useBatchProgress(id, {
    known: known(batch),
    apiKey: apiKey(),
  });
  const over = isOver(progress.stage);
  const more = usePaced(`${progress.completedDocuments} ${progress.stage}`, GRAPH, over);
  useLooks(over, look);
  // Somebody else has had its failed documents tried again.
  const goesOn = following.state === 'ended' && batch.lastSequence > progress.sequence;
  useChange(goesOn, () => goesOn && resume());

  return (
    <>
      <section className="head">
        <h1>
          <span className={`stage ${progress.stage.toLowerCase()}`}>{words(progress.stage)}</span>{' '}
          <small>{id}</small>
        </h1>
        <div className="progress">
          <progress value={progress.progress} max={1} aria-label="Progress of the batch" />
          <output>{percent(progress.progress)}</output>
        </div>
        <Numbers progress={progress} batch={batch} />
        <Connection following={following} />
        <Note text={error} />
        <Note text={progress.error ?? batch.error} />
        <Note text={batch.resolutionNote} />
        <Steering
          id={id}
          progress={progress}
          partial={batch.partialDocuments}
          changed={() => {
            look();
            resume();
          }}
        />
      </section>
      {progress.documentsByStage && !over && <Stages stages={progress.documentsByStage} />}
      <Graph batch={id} revision={more} />
      <Documents batch={id} progress={progress} />
    </>
  );
}

/** What the row of a batch says, so that only what happens from there on is followed. */
function known(batch: Batch): Partial<BatchProgress> {
  return {
    sequence: batch.lastSequence,
    stage: batch.stage,
    progress: batch.progress,
    totalDocuments: batch.totalDocuments,
    completedDocuments: batch.completedDocuments,
    failedDocuments: batch.failedDocuments,
    documentsByStage: batch.documentsByStage,
    documentsPerMinute: batch.documentsPerMinute,
    remainingSeconds: batch.remainingSeconds,
  };
}

function Numbers({ progress, batch }: { progress: BatchProgress; batch: Batch }) {
  const facts = [
    `${progress.completedDocuments} of ${count(progress.totalDocuments, 'document', 'documents')}`,
  ];
  const add = (number: number, one: string, many: string) => {
    if (number > 0) facts.push(count(number, one, many));
  };
  add(progress.failedDocuments, 'failed', 'failed');
  add(batch.skippedDocuments, 'skipped', 'skipped');
  add(progress.entityCount ?? batch.entityCount, 'entity', 'entities');
  add(progress.relationCount ?? batch.relationCount, 'relation', 'relations');
  add(progress.mergeCount ?? 0, 'merged into another', 'merged into others');
  if (!isOver(progress.stage)) {
    const pace = progress.documentsPerMinute;
    if (pace !== null) facts.push(`${pace.toFixed(pace < 10 ? 1 : 0)} documents a minute`);
    if (progress.remainingSeconds) facts.push(remaining(progress.remainingSeconds));
  }
  facts.push(...settings(batch));
  return (
    <ul className="facts">
      {facts.map((fact) => (
        <li key={fact}>{fact}</li>
      ))}
    </ul>
  );
}

function settings(batch: Batch): string[] {
  const facts = [batch.model ?? `${words(batch.extractor)} extractor`];
  if (batch.ontology) facts.push(`ontology ${batch.ontology.name}`);
  if (batch.tokensUsed > 0) {
    const budget = batch.tokenBudget === null ? '' : ` of ${batch.tokenBudget.toLocaleString()}`;
    facts.push(`${batch.tokensUsed.toLocaleString()}${budget} tokens`);
  }
  if (batch.modelUsage.costUsd > 0) facts.push(`${batch.modelUsage.costUsd.toFixed(4)} US dollars`);
  return facts;
}

function Note({ text: note }: { text: string | null }) {
  return note === null ? null : <p className="error">{note}</p>;
}

function Connection({ following }: { following: Following }) {
  if (following.state === 'reconnecting') {
    return (
      <p className="warning" role="status">
        The connection is lost; it is tried again.
      </p>
    );
  }
  if (following.state === 'refused') return <p className="error">{following.message}</p>;
  return null;
}

const NAMES: [keyof DocumentsByStage, string][] = [
  ['waiting', 'waiting'],
  ['chunk', 'chunk'],
  ['mentions', 'mentions'],
  ['entities', 'entities'],
  ['relations', 'relations'],
  ['assemble', 'assemble'],
];

/** What the unsettled documents are doing. */
function Stages({ stages }: { stages: DocumentsByStage }) {
  return (
    <section className="stages" aria-label="Documents by stage">
      {NAMES.map(([stage, name]) => (
        <div key={stage} className={stages[stage] > 0 ? 'busy' : 'empty'}>
          <b>{stages[stage].toLocaleString()}</b> {name}
        </div>
      ))}
    </section>
  );
}

interface Steered {
  payload: { __typename: string; message?: string };
}

const STEERED = `{ __typename ... on Error { message } }`;
const CANCEL = `mutation Cancel($id: ID!) { payload: cancelBatch(id: $id) ${STEERED} }`;
const RETRY = `mutation Retry($id: ID!) { payload: retryFailedDocuments(id: $id) ${STEERED} }`;

function Steering(of: { id: string; progress: BatchProgress; partial: number; changed: () => void }) {
  const { id, progress, partial, changed } = of;
  const [error, setError] = useState<string | null>(null);
  const steer = async (mutation: string) => {
    setError(null);
    try {
      const { payload } = await ask<Steered>(mutation, { id });
      if (payload.message) throw new Error(payload.message);
    } catch (failure) {
      setError(text(failure));
    }
    // Also where it was refused: the batch is not as this page believes.
    changed();
  };
  if (!useMayChange()) return null;
  const over = isOver(progress.stage);
  const canRetry =
    progress.stage === 'FAILED' ||
    (progress.stage === 'COMPLETED' && (progress.failedDocuments > 0 || partial > 0));
  return (
    <p>
      {!over && progress.sequence > 0 && (
        <button
          onClick={() => {
            if (confirm('Cancel this batch? It stays cancelled; what is finished is kept.')) {
              void steer(CANCEL);
            }
          }}
        >
          Cancel the batch
        </button>
      )}
      {canRetry && <button onClick={() => void steer(RETRY)}>Try failed documents again</button>}
      {error && <span className="error"> {error}</span>}
    </p>
  );
}
