import { useState } from 'react';

import type { BatchProgress, DocumentProgress, WorkflowStage } from '../progress';
import { isOver } from '../progress';
import { Workflow } from './Workflow';
import { useAnswer, useLooks } from './ask';
import { words } from './format';
import { usePages } from './paging';
import type { PageInfo } from './paging';

type Status = 'QUEUED' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'RETRY' | 'ABANDONED' | 'SKIPPED';

interface Document {
  id: string;
  name: string;
  status: Status;
  stage: WorkflowStage | null;
  attempt: number;
  error: string | null;
  entityCount: number;
  relationCount: number;
  execution: { id: string; status: string; suspendReason: string | null } | null;
}

interface Page {
  batch: {
    documents: { nodes: Document[]; pageInfo: PageInfo };
  } | null;
}

const DOCUMENTS = `
query Documents($id: ID!, $after: String, $status: DocumentStatus) {
  batch(id: $id) {
    documents(first: 25, after: $after, status: $status) {
      nodes {
        id name status stage attempt error entityCount relationCount
        execution { id status suspendReason }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;

const STATUSES: Status[] = ['QUEUED', 'PROCESSING', 'COMPLETED', 'FAILED', 'ABANDONED', 'SKIPPED'];

/** A batch's documents, a page at a time, each as the last event says. */
export function Documents({ batch, progress }: { batch: string; progress: BatchProgress }) {
  const [status, setStatus] = useState<Status | ''>('');
  const pages = usePages();
  const { data, error, again } = useAnswer<Page>(DOCUMENTS, {
    id: batch,
    after: pages.after,
    status: status === '' ? null : status,
  });
  const over = isOver(progress.stage);
  useLooks(over, again);

  const documents = data?.batch?.documents.nodes ?? [];
  return (
    <section className="documents">
      <h2>Documents</h2>
      <label>
        Status{' '}
        <select
          value={status}
          onChange={(event) => {
            setStatus(event.target.value as Status | '');
            pages.restart();
          }}
        >
          <option value="">all</option>
          {STATUSES.map((name) => (
            <option key={name} value={name}>
              {words(name)}
            </option>
          ))}
        </select>
      </label>
      {error && <p className="error">{error}</p>}
      <table>
        <thead>
          <tr>
            <th>Name</th>
            <th>Status</th>
            <th>Stage</th>
            <th className="number">Attempt</th>
            <th className="number">Entities</th>
            <th className="number">Relations</th>
          </tr>
        </thead>
        <tbody>
          {documents.map((document) => (
            <Row
              key={document.id}
              document={document}
              live={progress.documents.get(document.id)}
            />
          ))}
        </tbody>
      </table>
      {pages.buttons(data?.batch?.documents.pageInfo, { back: 'Earlier ones', on: 'Later ones' })}
    </section>
  );
}

function Row({ document, live }: { document: Document; live: DocumentProgress | undefined }) {
  const status = live?.state ?? statusOf(document);
  const stage = live?.stage ?? document.stage;
  const message = live ? live.message : messageOf(document);
  const isRunning = status === 'processing' && live !== undefined;
  const [isOpen, setOpen] = useState(false);
  const execution = document.execution?.id;
  const row = (
    <tr>
      <td>
        {execution === undefined ? (
          document.name
        ) : (
          <button className="link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {document.name}
          </button>
        )}
        {message && <div className={status === 'suspended' ? 'warning' : 'error'}>{message}</div>}
      </td>
      <td>
        <span className={`stage ${status}`}>{words(status)}</span>
      </td>
      <td>
        {stage && status !== 'completed' && words(stage)}{' '}
        {isRunning && <progress value={live.stageProgress} max={100} aria-label="Stage" />}
      </td>
      <td className="number">{document.attempt}</td>
      <td className="number">{live?.entityCount ?? document.entityCount}</td>
      <td className="number">{live?.relationCount ?? document.relationCount}</td>
    </tr>
  );
  if (!isOpen || execution === undefined) return row;
  return (
    <>
      {row}
      <tr>
        <td colSpan={6}>
          <Workflow id={execution} state={status} />
        </td>
      </tr>
    </>
  );
}

/** What no event has told since the page was opened. */
function statusOf({ status, execution }: Document): string {
  return execution?.status === 'SUSPENDED' ? 'suspended' : status.toLowerCase();
}

function messageOf({ error, execution }: Document): string | null {
  return error ?? (execution?.suspendReason ? words(execution.suspendReason) : null);
}
