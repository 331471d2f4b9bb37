// Live progress for React: `useBatchProgress` and `useWorkflowProgress`, and what they are made of.

export { BATCH_PROGRESS, WORKFLOW_PROGRESS, named } from './events';
export type * from './events';
export { NOTHING_YET, NO_STAGE_YET, foldBatch, foldWorkflow, isOver } from './fold';
export type * from './fold';
export { follow, sockets } from './follow';
export type * from './follow';
export { useBatchProgress, useWorkflowProgress } from './hooks';
export type * from './hooks';
