import { isOver } from '../progress';
import type { BatchStage } from '../progress';
import { batchAddress } from './App';
import { StartBatch } from './StartBatch';
import { useAnswer, useEvery } from './ask';
import { count, moment, percent, words } from './format';
import { usePages } from './paging';
import type { PageInfo } from './paging';

interface Batch {
  id: string;
  stage: BatchStage;
  progress: number;
  totalDocuments: number;
  completedDocuments: number;
  failedDocuments: number;
  entityCount: number;
  relationCount: number;
  createdAt: string;
}

interface Page {
  batches: { nodes: Batch[]; pageInfo: PageInfo };
}

const BATCHES = `
query Batches($after: String) {
  batches(first: 25, after: $after) {
    nodes {
      id stage progress totalDocuments completedDocuments failedDocuments entityCount relationCount
      createdAt
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

/** Milliseconds between two looks at the list while something runs, and while nothing does. */
const BUSY = 1_000;
const IDLE = 5_000;

/** All batches, the newest first, a page at a time. */
export function Batches() {
  const pages = usePages();
  const { data, error, again } = useAnswer<Page>(BATCHES, { after: pages.after });
  const batches = data?.batches.nodes ?? [];
  const isBusy = batches.some((batch) => !isOver(batch.stage));
  useEvery(isBusy ? BUSY : IDLE, again);

  return (
    <>
      <StartBatch />
      <section>
        <h2>Batches</h2>
        {error && <p className="error">{error}</p>}
        {data && batches.length === 0 && <p className="quiet">There is no batch yet.</p>}
        {batches.length > 0 && (
          <table>
            <thead>
              <tr>
                <th>Started</th>
                <th>Stage</th>
                <th>Progress</th>
                <th className="number">Documents</th>
                <th className="number">Entities</th>
                <th className="number">Relations</th>
              </tr>
            </thead>
            <tbody>
              {batches.map((batch) => (
                <Row key={batch.id} batch={batch} />
              ))}
            </tbody>
          </table>
        )}
        {pages.buttons(data?.batches.pageInfo, { back: 'Newer ones', on: 'Older ones' })}
      </section>
    </>
  );
}

function Row({ batch }: { batch: Batch }) {
  const failed = batch.failedDocuments;
  return (
    <tr>
      <td>
        <a href={batchAddress(batch.id)}>{moment(batch.createdAt)}</a>
      </td>
      <td>
        <span className={`stage ${batch.stage.toLowerCase()}`}>{words(batch.stage)}</span>
      </td>
      <td>
        <progress value={batch.progress} max={1} aria-label="Progress" /> {percent(batch.progress)}
      </td>
      <td className="number">
        {batch.completedDocuments} of {batch.totalDocuments}
        {failed > 0 && <span className="error"> {count(failed, 'failed', 'failed')}</span>}
      </td>
      <td className="number">{batch.entityCount.toLocaleString()}</td>
      <td className="number">{batch.relationCount.toLocaleString()}</td>
    </tr>
  );
}
