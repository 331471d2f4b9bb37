import { useWorkflowProgress } from '../progress';
import { useAnswer, useChange } from './ask';
import { apiKey } from './caller';
import { words } from './format';

interface Execution {
  status: string;
  suspendReason: string | null;
  error: string | null;
  activities: {
    name: string;
    status: string;
    attempt: number;
    durationMs: number | null;
    error: string | null;
  }[];
}

const EXECUTION = `
query Execution($id: ID!) {
  workflowExecution(id: $id) {
    status suspendReason error
    activities { name status attempt durationMs error }
  }
}`;

/** The workflow of one document, which is in this state: its stage, live, and its units. */
export function Workflow({ id, state }: { id: string; state: string }) {
  const { progress, resume } = useWorkflowProgress(id, { apiKey: apiKey() });
  const { data, error, again } = useAnswer<{ workflowExecution: Execution | null }>(EXECUTION, { id });
  useChange(progress.sequence, again);
  useChange(state, () => {
    again();
    // After the end of a run it is followed again when it is tried again.
    resume();
  });
  const execution = data?.workflowExecution;
  if (!execution) return <p className={error ? 'error' : 'quiet'}>{error ?? 'Loading…'}</p>;
  const isRunning = execution.status === 'RUNNING' && progress.stage !== null;
  return (
    <div className="workflow">
      <p>
        Workflow {words(execution.status)}
        {execution.suspendReason && `: ${words(execution.suspendReason)}`}
        {isRunning &&
          `: ${words(progress.stage ?? '')}, ${progress.current} of ${progress.total} units`}
      </p>
      {execution.error && <p className="error">{execution.error}</p>}
      <table>
        <thead>
          <tr>
            <th>Unit</th>
            <th>Status</th>
            <th className="number">Attempt</th>
            <th className="number">Milliseconds</th>
          </tr>
        </thead>
        <tbody>
          {execution.activities.map((activity) => (
            <tr key={activity.name}>
              <td>
                {activity.name}
                {activity.error && <div className="error">{activity.error}</div>}
              </td>
              <td>{words(activity.status)}</td>
              <td className="number">{activity.attempt}</td>
              <td className="number">{activity.durationMs?.toLocaleString()}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
