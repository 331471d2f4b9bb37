-- One corruption for every invariant: the codes of what it violates, the one that it is about first,
-- then the statements. What stands between braces is said in `corruptions.rs`.


-- States and counters of batches.

--! states/data
UPDATE batch_execution SET state_data = '"x"' WHERE id = {Completed};

--! states/name events/end
UPDATE batch_execution SET state = 'Failed' WHERE id = {Cancelled};

--! states/totals counters/completed-documents
UPDATE batch_execution SET completed_documents = 9 WHERE id = {Completed};

--! states/ended-at
UPDATE batch_execution SET completed_at = NULL WHERE id = {Failed};

--! states/lease
UPDATE batch_execution SET lease_owner = 'somebody' WHERE id = {Completed};

--! counters/total-documents
UPDATE batch_execution SET total_documents = 9 WHERE id = {Running};

--! counters/completed-documents
UPDATE batch_execution SET completed_documents = 9 WHERE id = {Running};

--! counters/failed-documents
UPDATE batch_execution SET failed_documents = 9 WHERE id = {Running};

--! counters/skipped-documents
UPDATE batch_execution SET skipped_documents = 9 WHERE id = {Running};

--! counters/partial-documents
UPDATE batch_execution SET partial_documents = 1 WHERE id = {Running};

--! counters/relations
UPDATE batch_execution SET relation_count = 9 WHERE id = {Running};

--! counters/tokens-used
UPDATE batch_execution SET tokens_used = tokens_used + 1 WHERE id = {Running};

--! counters/entities
UPDATE batch_execution SET entity_count = 9 WHERE id = {Running};

--! counters/progress-units
UPDATE batch_execution SET progress_units = progress_units - 1 WHERE id = {Failed};


-- Documents and their executions.

--! documents/status
UPDATE batch_document SET status = 'lost' WHERE batch_id = {Running} AND status = 'queued';

--! documents/settled counters/skipped-documents events/document-outcome
UPDATE batch_document SET status = 'queued' WHERE batch_id = {Failed} AND position = 3;

--! documents/attempts events/document-attempts
UPDATE batch_document SET attempt = 0 WHERE batch_id = {Running} AND status = 'completed';

--! documents/execution
UPDATE batch_document SET execution_id = {one workflow_execution}
WHERE batch_id = {Running} AND status = 'processing';

--! documents/extraction
UPDATE batch_document SET extraction_id = NULL WHERE batch_id = {Running} AND status = 'completed';

--! documents/extraction
UPDATE batch_document SET extraction_id = {one extraction}
WHERE batch_id = {Failed} AND status = 'completed';

--! documents/parity
UPDATE workflow_execution SET mode = 'shadow' WHERE id IN
    (SELECT execution_id FROM batch_document WHERE id = {one batch_document.extraction_id});

--! documents/counts
UPDATE batch_document SET entity_count = 7 WHERE batch_id = {Completed} AND position = 0;

--! executions/ended
UPDATE workflow_execution SET status = 'running' WHERE status = 'cancelled';

--! executions/processing
UPDATE workflow_execution SET status = 'failed' WHERE status = 'running';

--! executions/completed
UPDATE workflow_execution SET status = 'failed' WHERE id = {one workflow_execution};


-- Logs of events.

--! events/sequence
DELETE FROM batch_event
WHERE batch_id = {Running} AND sequence = (SELECT MIN(sequence) FROM batch_event WHERE batch_id =
    {Running} AND kind = 'StageProgress');

--! events/sequence
INSERT INTO batch_event (id, organization_id, batch_id, sequence, kind, batch_document_id, payload,
    timestamp, created_at, updated_at) SELECT {nobody}, organization_id, batch_id, sequence, kind,
    batch_document_id, payload, timestamp, created_at, updated_at FROM batch_event
WHERE batch_id = {Running} AND sequence = (SELECT MIN(sequence) FROM batch_event WHERE batch_id =
    {Running} AND kind = 'StageProgress');

--! events/last-sequence
UPDATE batch_execution SET last_sequence = last_sequence + 1 WHERE id = {Running};

--! events/created events/payload
UPDATE batch_event SET kind = 'BatchCancelled' WHERE batch_id = {Running} AND sequence = 1;

--! events/created
UPDATE batch_event SET kind = 'BatchCreated', payload = {set type "BatchCreated"}
WHERE batch_id = {Running} AND kind = 'BatchStageEntered';

--! events/payload
UPDATE batch_event SET payload = '{}' WHERE batch_id = {Running} AND kind = 'DocumentStarted';

--! events/payload
UPDATE batch_event SET payload = {set sequence 1}
WHERE batch_id = {Running} AND sequence = (SELECT MIN(sequence) FROM batch_event WHERE batch_id =
    {Running} AND kind = 'StageProgress');

--! events/stage-order
UPDATE batch_event SET payload = {set stage "Assembling"}
WHERE batch_id = {Running} AND kind = 'BatchStageEntered' AND CAST(payload AS text) LIKE
    '%ExtractingEntities%';

--! events/resolution-order events/after-end
UPDATE batch_event SET kind = 'BatchCancelled', payload = {set type "BatchCancelled"}
WHERE kind = 'ResolutionStarted' AND batch_id = {Completed};

--! events/resolution-order
UPDATE batch_event SET kind = 'ResolutionStarted', payload = {set type "ResolutionStarted"}
WHERE kind = 'BatchStageEntered' AND batch_id = {Failed} AND CAST(payload AS text) LIKE
    '%Assembling%';

--! events/progress
UPDATE batch_event SET payload = {set progress 0.0}
WHERE batch_id = {Running} AND kind = 'DocumentCompleted';

--! events/progress
UPDATE batch_event SET payload = {set completedDocuments 0}
WHERE batch_id = {Completed} AND sequence = (SELECT last_sequence FROM batch_execution WHERE id =
    {Completed});

--! events/after-end events/progress events/stage-order
UPDATE batch_event SET payload = {set stage "Chunking"}
WHERE batch_id = {Completed} AND CAST(payload AS text) LIKE '%Pending%';

--! events/after-end events/stage-order
UPDATE batch_event SET payload = {set stage "Pending"}
WHERE batch_id = {Running} AND CAST(payload AS text) LIKE '%"Chunking"%';

--! events/end events/last-sequence
DELETE FROM batch_event WHERE batch_id = {Failed} AND kind = 'BatchFailed';

--! events/end
UPDATE batch_event SET kind = 'BatchCancelled', payload = {set type "BatchCancelled"}
WHERE batch_id = {Failed} AND kind = 'BatchFailed';

--! events/document-order events/document-attempts events/sequence
DELETE FROM batch_event
WHERE batch_id = {Running} AND kind = 'DocumentStarted' AND sequence = (SELECT MIN(sequence) FROM
    batch_event WHERE batch_id = {Running} AND kind = 'DocumentStarted');

--! events/document-order events/document-outcome events/payload
UPDATE batch_event SET kind = 'BatchStageEntered', payload = {set type "BatchStageEntered"},
    batch_document_id = NULL
WHERE batch_id = {Cancelled} AND kind = 'DocumentSkipped';

--! events/document-outcome counters/failed-documents counters/skipped-documents
--! documents/attempts
UPDATE batch_document SET status = 'failed' WHERE batch_id = {Failed} AND position = 3;

--! events/document-attempts
UPDATE batch_document SET attempt = attempt + 1 WHERE id = {one batch_document};

--! events/foreign-document events/payload
UPDATE batch_event SET batch_document_id = {one batch_document}
WHERE batch_id = {Running} AND sequence = (SELECT MIN(sequence) FROM batch_event WHERE batch_id =
    {Running} AND kind = 'StageProgress');


-- Journals.

--! journal/assemble
UPDATE workflow_activity SET status = 'failed'
WHERE activity_type = 'assemble' AND execution_id = {one workflow_execution};

--! journal/repeated
INSERT INTO workflow_activity (id, organization_id, execution_id, activity_name, activity_type,
    input_hash, status, attempt, failure_count, output, created_at, updated_at) SELECT {nobody},
    organization_id, execution_id, activity_name, activity_type, input_hash, status, attempt,
    failure_count, output, created_at, updated_at FROM workflow_activity
WHERE id = {one workflow_activity.output};

--! journal/output
UPDATE workflow_activity SET output = NULL WHERE id = {one workflow_activity.output};

--! journal/pruned
UPDATE workflow_activity SET pruned_at = completed_at WHERE id = {one workflow_activity.output};

--! journal/pruned-too-early
UPDATE workflow_activity SET pruned_at = completed_at, output = NULL
WHERE status = 'completed' AND execution_id IN (SELECT execution_id FROM batch_document WHERE status
    = 'abandoned');

--! journal/attempts
UPDATE workflow_activity SET attempt = 0 WHERE id = {one workflow_activity.output};


-- Graphs.

--! graph/chunk-count
UPDATE extraction SET chunk_count = chunk_count + 1 WHERE id = {one extraction};

--! graph/mention-count
UPDATE extraction SET mention_count = mention_count + 1 WHERE id = {one extraction};

--! graph/entity-count documents/counts
UPDATE extraction SET entity_count = entity_count + 1 WHERE id = {one extraction};

--! graph/relation-count documents/counts
UPDATE extraction SET relation_count = relation_count + 1 WHERE id = {one extraction};

--! graph/entity-source graph/entity-mentions graph/mention-count
DELETE FROM mention_record WHERE entity_id = {one entity};

--! graph/entity-mentions
UPDATE entity SET mention_count = mention_count + 1 WHERE id = {one entity};

--! graph/entity-types
UPDATE entity SET type_key = '||' WHERE id = {one entity};

--! graph/relation-source
DELETE FROM relation_evidence WHERE relation_id = {one relation};

--! graph/relation-object
UPDATE relation SET literal_value = 'x' WHERE id = {one relation.object_id};

--! graph/relation-object
UPDATE relation SET object_id = NULL WHERE id = {one relation.object_id};

--! graph/relation-ends
UPDATE relation SET object_id = (SELECT id FROM entity AS foreigner
WHERE foreigner.extraction_id <> relation.extraction_id ORDER BY id LIMIT 1) WHERE id =
    {one relation.object_id};

--! graph/relation-ends
UPDATE relation SET subject_id = (SELECT id FROM entity AS foreigner
WHERE foreigner.extraction_id <> relation.extraction_id ORDER BY id LIMIT 1) WHERE id =
    {one relation.object_id};

--! graph/mention-entity clusters/mention graph/entity-mentions
UPDATE mention_record SET entity_id = (SELECT id FROM entity AS foreigner
WHERE foreigner.extraction_id <> mention_record.extraction_id
AND foreigner.canonical_id <> mention_record.resolved_entity_id ORDER BY id LIMIT 1) WHERE id =
    {one mention_record.entity_id};

--! graph/mention-chunk
UPDATE mention_record SET chunk_id = (SELECT id FROM chunk AS foreigner
WHERE foreigner.extraction_id <> mention_record.extraction_id ORDER BY id LIMIT 1) WHERE id =
    {one mention_record};

--! graph/chunk-document
UPDATE chunk SET document_id = (SELECT id FROM document AS foreigner
WHERE foreigner.id <> chunk.document_id ORDER BY char_count DESC, id LIMIT 1) WHERE id =
    {one chunk};

--! graph/mention-document
UPDATE mention_record SET document_id = (SELECT id FROM document AS foreigner
WHERE foreigner.id <> mention_record.document_id ORDER BY char_count DESC, id LIMIT 1) WHERE id =
    {one mention_record};

--! graph/entity-document
UPDATE entity SET document_id = (SELECT id FROM document AS foreigner
WHERE foreigner.id <> entity.document_id ORDER BY char_count DESC, id LIMIT 1) WHERE id =
    {one entity};

--! graph/evidence-document
UPDATE relation_evidence SET document_id = (SELECT id FROM document AS foreigner
WHERE foreigner.id <> relation_evidence.document_id ORDER BY char_count DESC, id LIMIT 1) WHERE id =
    {one relation_evidence};

--! graph/chunk-span
UPDATE chunk SET end_char = 1000000 WHERE id = {one chunk};

--! graph/chunk-span
UPDATE chunk SET end_char = start_char WHERE id = {one chunk};

--! graph/chunk-span
UPDATE chunk SET start_char = -1 WHERE id = {one chunk};

--! graph/mention-span
UPDATE mention_record SET end_char = 1000000 WHERE id = {one mention_record};

--! graph/mention-span
UPDATE mention_record SET end_char = start_char WHERE id = {one mention_record};

--! graph/mention-span
UPDATE mention_record SET start_char = -1 WHERE id = {one mention_record};

--! graph/evidence-span
UPDATE relation_evidence SET end_char = 1000000 WHERE id = {one relation_evidence};

--! graph/evidence-span
UPDATE relation_evidence SET end_char = start_char WHERE id = {one relation_evidence};

--! graph/evidence-span
UPDATE relation_evidence SET start_char = -1 WHERE id = {one relation_evidence};


-- Clusters.

--! clusters/member-count
UPDATE entity_cluster SET member_count = member_count + 1 WHERE id = {one entity_cluster};

--! clusters/member-count clusters/link clusters/unclustered resolution/cluster
DELETE FROM cluster_member
WHERE entity_id = (SELECT member_id FROM same_as_link ORDER BY member_id LIMIT 1);

--! clusters/face clusters/canonical clusters/link resolution/canonical
UPDATE entity_cluster SET canonical_entity_id = {unclustered} WHERE id = {one entity_cluster};

--! clusters/canonical clusters/mention
UPDATE entity SET canonical_id = id
WHERE id = (SELECT member_id FROM same_as_link ORDER BY member_id LIMIT 1);

--! clusters/unclustered
UPDATE entity SET canonical_id = {one entity} WHERE id = {unclustered};

--! clusters/link
UPDATE same_as_link SET member_id = {unclustered} WHERE id = {one same_as_link};

--! clusters/link
UPDATE same_as_link SET canonical_id = member_id, member_id = canonical_id
WHERE id = {one same_as_link};

--! clusters/mention
UPDATE mention_record SET resolved_entity_id = NULL
WHERE id = {one mention_record.resolved_entity_id};

--! clusters/mention
UPDATE mention_record SET resolved_entity_id = {unclustered}
WHERE id = {one mention_record.resolved_entity_id};

--! resolution/entity-count
UPDATE resolution_form SET entity_count = entity_count + 1 WHERE id = {one resolution_form};

--! resolution/face
UPDATE resolution_form SET face_id = {unclustered} WHERE id = {one resolution_form};

--! resolution/canonical
UPDATE resolution_form SET canonical_id = {unclustered} WHERE id = {one resolution_form};

--! resolution/cluster orphans/resolution_form.cluster_id resolution/canonical
UPDATE resolution_form SET cluster_id = {nobody} WHERE id = {one resolution_form};

--! resolution/unplaced
UPDATE entity SET clustered = FALSE
WHERE id = (SELECT entity_id FROM cluster_member ORDER BY entity_id LIMIT 1);

--! resolution/decision
INSERT INTO resolution_decision (id, organization_id, kind, left_form_id, right_form_id, decided_by,
    created_at, updated_at) SELECT {nobody}, {default}, 'apart', id, id, 'somebody', created_at,
    updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! resolution/embedding-owner
INSERT INTO embedding (id, organization_id, owner_type, owner_id, model, dimensions, vector,
    content_hash, created_at, updated_at) SELECT {nobody}, {default}, 'form', {nobody}, 'm', 0, '',
    '', created_at, updated_at FROM organization
WHERE id = {default};

--! resolution/embedding-vector
INSERT INTO embedding (id, organization_id, owner_type, owner_id, model, dimensions, vector,
    content_hash, created_at, updated_at) SELECT {nobody}, {default}, 'form', id, 'm', 2, 'abcd',
    '', created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! resolution/leaves
UPDATE organization SET embedding_model = 'm' WHERE id = {default};
INSERT INTO resolution_leaf (id, organization_id, model, tree, start, depth, members, created_at,
    updated_at) SELECT {nobody}, {default}, 'm', 0, 0, 0, '123456789012345678901234', created_at,
    updated_at FROM organization
WHERE id = {default};

--! resolution/leaves
UPDATE organization SET embedding_model = 'm' WHERE id = {default};
INSERT INTO embedding (id, organization_id, owner_type, owner_id, model, dimensions, vector,
    content_hash, created_at, updated_at) SELECT {nobody}, {default}, 'form', id, 'm', 1, 'abcd',
    '', created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! resolution/workflow
UPDATE workflow_execution SET status = 'running' WHERE workflow_type = 'batch_extraction';


-- References that lead nowhere.

--! orphans/ontology.organization_id
INSERT INTO ontology (id, organization_id, name, namespace, format, content_hash, content,
    class_count, property_count, created_at, updated_at) SELECT {other}, {default}, 'o', 'o',
    'turtle', 'h', '', 0, 0, created_at, updated_at FROM organization
WHERE id = {other};
UPDATE ontology SET organization_id = {nobody} WHERE id = {one ontology};

--! orphans/api_key.organization_id
INSERT INTO api_key (id, organization_id, name, role, secret_hash, hint, created_at, updated_at)
    SELECT {other}, {nobody}, 'k', 'viewer', 'h', 'kn_', created_at, updated_at FROM organization
WHERE id = {other};

--! orphans/parity_check.organization_id organizations/parity_check.batch_document_id
--! organizations/parity_check.batch_id organizations/parity_check.execution_id
INSERT INTO parity_check (id, organization_id, batch_id, batch_document_id, execution_id,
    lease_token, status, attempts, created_at, updated_at) SELECT {nobody}, {nobody}, batch_id,
    id, execution_id, 1, 'pending', 0, created_at, updated_at FROM batch_document
WHERE id = {one batch_document.execution_id};

--! orphans/parity_check.batch_id
INSERT INTO parity_check (id, organization_id, batch_id, batch_document_id, execution_id,
    lease_token, status, attempts, created_at, updated_at) SELECT {nobody}, {default}, {nobody},
    id, execution_id, 1, 'pending', 0, created_at, updated_at FROM batch_document
WHERE id = {one batch_document.execution_id};

--! orphans/parity_check.batch_document_id
INSERT INTO parity_check (id, organization_id, batch_id, batch_document_id, execution_id,
    lease_token, status, attempts, created_at, updated_at) SELECT {nobody}, {default}, batch_id,
    {nobody}, execution_id, 1, 'pending', 0, created_at, updated_at FROM batch_document
WHERE id = {one batch_document.execution_id};

--! orphans/parity_check.execution_id
INSERT INTO parity_check (id, organization_id, batch_id, batch_document_id, execution_id,
    lease_token, status, attempts, created_at, updated_at) SELECT {nobody}, {default}, batch_id,
    id, {nobody}, 1, 'pending', 0, created_at, updated_at FROM batch_document
WHERE id = {one batch_document.execution_id};

--! orphans/batch_execution.organization_id organizations/batch_document.batch_id
--! organizations/batch_event.batch_id organizations/merge_history.batch_id
--! organizations/workflow_execution.batch_id
UPDATE batch_execution SET organization_id = {nobody} WHERE id = {one batch_execution};

--! orphans/document.organization_id organizations/batch_document.document_id
--! organizations/chunk.document_id organizations/entity.document_id
--! organizations/extraction.document_id organizations/mention_record.document_id
UPDATE document SET organization_id = {nobody} WHERE id = {one document};

--! orphans/batch_document.organization_id organizations/batch_document.batch_id
--! organizations/batch_document.document_id organizations/batch_document.execution_id
--! organizations/batch_document.extraction_id organizations/batch_event.batch_document_id
--! organizations/workflow_execution.batch_document_id
UPDATE batch_document SET organization_id = {nobody} WHERE id = {one batch_document};

--! orphans/batch_event.organization_id organizations/batch_event.batch_id
UPDATE batch_event SET organization_id = {nobody} WHERE id = {one batch_event};

--! orphans/workflow_execution.organization_id organizations/batch_document.execution_id
--! organizations/extraction.execution_id organizations/workflow_activity.execution_id
--! organizations/workflow_execution.batch_document_id
UPDATE workflow_execution SET organization_id = {nobody} WHERE id = {one workflow_execution};

--! orphans/workflow_activity.organization_id organizations/workflow_activity.execution_id
UPDATE workflow_activity SET organization_id = {nobody} WHERE id = {one workflow_activity};

--! orphans/workflow_signal.organization_id organizations/workflow_signal.execution_id
INSERT INTO workflow_signal (id, organization_id, execution_id, signal_name, payload, acknowledged,
    created_at, updated_at) SELECT {nobody}, {default}, id, 'pause', '{}', FALSE, created_at,
    updated_at FROM workflow_execution
WHERE id = {one workflow_execution};
UPDATE workflow_signal SET organization_id = {nobody} WHERE id = {one workflow_signal};

--! orphans/extraction.organization_id organizations/batch_document.extraction_id
--! organizations/chunk.extraction_id organizations/entity.extraction_id
--! organizations/extraction.document_id organizations/extraction.execution_id
--! organizations/mention_record.extraction_id
UPDATE extraction SET organization_id = {nobody} WHERE id = {one extraction};

--! orphans/chunk.organization_id organizations/chunk.document_id
--! organizations/chunk.extraction_id organizations/mention_record.chunk_id
UPDATE chunk SET organization_id = {nobody} WHERE id = {one chunk};

--! orphans/mention_record.organization_id organizations/mention_record.chunk_id
--! organizations/mention_record.document_id organizations/mention_record.entity_id
--! organizations/mention_record.extraction_id organizations/mention_record.resolved_entity_id
UPDATE mention_record SET organization_id = {nobody} WHERE id = {one mention_record};

--! orphans/entity.organization_id organizations/cluster_member.entity_id
--! organizations/entity.canonical_id organizations/entity.document_id
--! organizations/entity.extraction_id organizations/entity.form_id
--! organizations/entity_cluster.canonical_entity_id organizations/mention_record.entity_id
--! organizations/mention_record.resolved_entity_id organizations/merge_history.target_entity_id
--! organizations/relation.object_id organizations/relation.subject_id
--! organizations/resolution_form.canonical_id organizations/resolution_form.face_id
--! organizations/same_as_link.canonical_id
UPDATE entity SET organization_id = {nobody} WHERE id = {one entity};

--! orphans/relation.organization_id organizations/relation.extraction_id
--! organizations/relation.object_id organizations/relation.subject_id
--! organizations/relation_evidence.relation_id
UPDATE relation SET organization_id = {nobody} WHERE id = {one relation};

--! orphans/relation_evidence.organization_id organizations/relation_evidence.document_id
--! organizations/relation_evidence.relation_id
UPDATE relation_evidence SET organization_id = {nobody} WHERE id = {one relation_evidence};

--! orphans/entity_cluster.organization_id organizations/cluster_member.cluster_id
--! organizations/entity_cluster.canonical_entity_id organizations/resolution_form.cluster_id
UPDATE entity_cluster SET organization_id = {nobody} WHERE id = {one entity_cluster};

--! orphans/cluster_member.organization_id organizations/cluster_member.cluster_id
--! organizations/cluster_member.entity_id
UPDATE cluster_member SET organization_id = {nobody} WHERE id = {one cluster_member};

--! orphans/same_as_link.organization_id organizations/same_as_link.canonical_id
--! organizations/same_as_link.member_id
UPDATE same_as_link SET organization_id = {nobody} WHERE id = {one same_as_link};

--! orphans/merge_history.organization_id organizations/merge_history.batch_id
--! organizations/merge_history.source_entity_id organizations/merge_history.target_entity_id
UPDATE merge_history SET organization_id = {nobody} WHERE id = {one merge_history};

--! orphans/batch_execution.ontology_id
UPDATE batch_execution SET ontology_id = {nobody} WHERE id = {one batch_execution};

--! orphans/batch_document.batch_id counters/completed-documents counters/progress-units
--! counters/total-documents events/foreign-document
--! counters/tokens-used
UPDATE batch_document SET batch_id = {nobody} WHERE id = {one batch_document.batch_id};

--! orphans/batch_document.document_id documents/extraction
UPDATE batch_document SET document_id = {nobody} WHERE id = {one batch_document.document_id};

--! orphans/batch_document.execution_id documents/execution
UPDATE batch_document SET execution_id = {nobody} WHERE id = {one batch_document.execution_id};

--! orphans/batch_document.extraction_id documents/extraction
UPDATE batch_document SET extraction_id = {nobody} WHERE id = {one batch_document.extraction_id};

--! orphans/batch_event.batch_id events/created events/sequence
UPDATE batch_event SET batch_id = {nobody} WHERE id = {one batch_event.batch_id};

--! orphans/batch_event.batch_document_id events/document-attempts events/document-order
--! events/foreign-document events/payload
UPDATE batch_event SET batch_document_id = {nobody} WHERE id = {one batch_event.batch_document_id};

--! orphans/workflow_execution.batch_document_id documents/execution
UPDATE workflow_execution SET batch_document_id = {nobody}
WHERE id = {one workflow_execution.batch_document_id};

--! orphans/workflow_activity.execution_id
UPDATE workflow_activity SET execution_id = {nobody} WHERE id =
    {one workflow_activity.execution_id};

--! orphans/workflow_signal.execution_id
INSERT INTO workflow_signal (id, organization_id, execution_id, signal_name, payload, acknowledged,
    created_at, updated_at) SELECT {nobody}, {default}, id, 'pause', '{}', FALSE, created_at,
    updated_at FROM workflow_execution
WHERE id = {one workflow_execution};
UPDATE workflow_signal SET execution_id = {nobody} WHERE id = {one workflow_signal.execution_id};

--! orphans/extraction.document_id documents/extraction graph/chunk-document
--! graph/entity-document graph/mention-document
UPDATE extraction SET document_id = {nobody} WHERE id = {one extraction.document_id};

--! orphans/extraction.execution_id
UPDATE extraction SET execution_id = {nobody} WHERE id = {one extraction.execution_id};

--! orphans/extraction.ontology_id
UPDATE extraction SET ontology_id = {nobody} WHERE id = {one extraction};

--! orphans/chunk.extraction_id graph/chunk-count graph/mention-chunk
UPDATE chunk SET extraction_id = {nobody} WHERE id = {one chunk.extraction_id};

--! orphans/chunk.document_id graph/chunk-document
UPDATE chunk SET document_id = {nobody} WHERE id = {one chunk.document_id};

--! orphans/mention_record.extraction_id graph/mention-chunk graph/mention-count
--! graph/mention-entity
UPDATE mention_record SET extraction_id = {nobody} WHERE id = {one mention_record.extraction_id};

--! orphans/mention_record.document_id graph/mention-document
UPDATE mention_record SET document_id = {nobody} WHERE id = {one mention_record.document_id};

--! orphans/mention_record.chunk_id
UPDATE mention_record SET chunk_id = {nobody} WHERE id = {one mention_record.chunk_id};

--! orphans/mention_record.entity_id graph/entity-mentions
UPDATE mention_record SET entity_id = {nobody} WHERE id = {one mention_record.entity_id};

--! orphans/mention_record.resolved_entity_id clusters/mention
UPDATE mention_record SET resolved_entity_id = {nobody}
WHERE id = {one mention_record.resolved_entity_id};

--! orphans/entity.extraction_id graph/entity-count graph/mention-entity graph/relation-ends
UPDATE entity SET extraction_id = {nobody} WHERE id = {one entity.extraction_id};

--! orphans/entity.document_id graph/entity-document
UPDATE entity SET document_id = {nobody} WHERE id = {one entity.document_id};

--! orphans/entity.canonical_id clusters/canonical clusters/mention
UPDATE entity SET canonical_id = {nobody} WHERE id = {one entity.canonical_id};

--! orphans/relation.extraction_id graph/relation-count graph/relation-ends
UPDATE relation SET extraction_id = {nobody} WHERE id = {one relation.extraction_id};

--! orphans/relation.subject_id
UPDATE relation SET subject_id = {nobody} WHERE id = {one relation.subject_id};

--! orphans/relation.object_id
UPDATE relation SET object_id = {nobody} WHERE id = {one relation.object_id};

--! orphans/relation_evidence.relation_id graph/relation-source
UPDATE relation_evidence SET relation_id = {nobody} WHERE id = {one relation_evidence.relation_id};

--! orphans/relation_evidence.document_id graph/evidence-document
UPDATE relation_evidence SET document_id = {nobody} WHERE id = {one relation_evidence.document_id};

--! orphans/entity_cluster.canonical_entity_id clusters/canonical clusters/face clusters/link
--! resolution/canonical
UPDATE entity_cluster SET canonical_entity_id = {nobody}
WHERE id = {one entity_cluster.canonical_entity_id};

--! orphans/cluster_member.cluster_id clusters/face clusters/link clusters/member-count
--! resolution/cluster
UPDATE cluster_member SET cluster_id = {nobody} WHERE id = {one cluster_member.cluster_id};

--! orphans/cluster_member.entity_id clusters/face clusters/link resolution/cluster
UPDATE cluster_member SET entity_id = {nobody} WHERE id = {one cluster_member.entity_id};

--! orphans/same_as_link.canonical_id clusters/link
UPDATE same_as_link SET canonical_id = {nobody} WHERE id = {one same_as_link.canonical_id};

--! orphans/same_as_link.member_id clusters/link
UPDATE same_as_link SET member_id = {nobody} WHERE id = {one same_as_link.member_id};

--! orphans/merge_history.source_entity_id
UPDATE merge_history SET source_entity_id = {nobody} WHERE id =
    {one merge_history.source_entity_id};

--! orphans/merge_history.target_entity_id
UPDATE merge_history SET target_entity_id = {nobody} WHERE id =
    {one merge_history.target_entity_id};


-- References that lead to another organisation.

--! organizations/batch_execution.ontology_id
INSERT INTO ontology (id, organization_id, name, namespace, format, content_hash, content,
    class_count, property_count, created_at, updated_at) SELECT {other}, {other}, 'o', 'o',
    'turtle', 'h', '', 0, 0, created_at, updated_at FROM organization
WHERE id = {other};
UPDATE batch_execution SET ontology_id = {other} WHERE id = {one batch_execution};

--! organizations/extraction.ontology_id
INSERT INTO ontology (id, organization_id, name, namespace, format, content_hash, content,
    class_count, property_count, created_at, updated_at) SELECT {other}, {other}, 'o', 'o',
    'turtle', 'h', '', 0, 0, created_at, updated_at FROM organization
WHERE id = {other};
UPDATE extraction SET ontology_id = {other} WHERE id = {one extraction};

--! organizations/batch_document.batch_id organizations/batch_document.document_id
--! organizations/batch_document.execution_id organizations/batch_document.extraction_id
--! organizations/batch_event.batch_document_id
--! organizations/workflow_execution.batch_document_id
UPDATE batch_document SET organization_id = {other} WHERE id = {one batch_document};

--! organizations/batch_event.batch_document_id organizations/batch_event.batch_id
UPDATE batch_event SET organization_id = {other} WHERE id = {one batch_event.batch_document_id};

--! organizations/workflow_execution.batch_document_id organizations/batch_document.execution_id
--! organizations/extraction.execution_id organizations/workflow_activity.execution_id
UPDATE workflow_execution SET organization_id = {other} WHERE id = {one workflow_execution};

--! organizations/workflow_activity.execution_id
UPDATE workflow_activity SET organization_id = {other} WHERE id = {one workflow_activity};

--! organizations/workflow_signal.execution_id
INSERT INTO workflow_signal (id, organization_id, execution_id, signal_name, payload, acknowledged,
    created_at, updated_at) SELECT {nobody}, {default}, id, 'pause', '{}', FALSE, created_at,
    updated_at FROM workflow_execution
WHERE id = {one workflow_execution};
UPDATE workflow_signal SET organization_id = {other} WHERE id = {one workflow_signal};

--! organizations/extraction.document_id organizations/batch_document.extraction_id
--! organizations/chunk.extraction_id organizations/entity.extraction_id
--! organizations/extraction.execution_id organizations/mention_record.extraction_id
UPDATE extraction SET organization_id = {other} WHERE id = {one extraction};

--! organizations/chunk.extraction_id organizations/chunk.document_id
--! organizations/mention_record.chunk_id
UPDATE chunk SET organization_id = {other} WHERE id = {one chunk};

--! organizations/mention_record.resolved_entity_id organizations/mention_record.chunk_id
--! organizations/mention_record.document_id organizations/mention_record.entity_id
--! organizations/mention_record.extraction_id
UPDATE mention_record SET organization_id = {other}
WHERE id = {one mention_record.resolved_entity_id};

--! organizations/entity.extraction_id organizations/cluster_member.entity_id
--! organizations/entity.canonical_id organizations/entity.document_id organizations/entity.form_id
--! organizations/entity_cluster.canonical_entity_id organizations/mention_record.entity_id
--! organizations/mention_record.resolved_entity_id organizations/merge_history.target_entity_id
--! organizations/relation.object_id organizations/relation.subject_id
--! organizations/resolution_form.canonical_id organizations/resolution_form.face_id
--! organizations/same_as_link.canonical_id
UPDATE entity SET organization_id = {other} WHERE id = {one entity};

--! organizations/relation.object_id organizations/relation.extraction_id
--! organizations/relation.subject_id organizations/relation_evidence.relation_id
UPDATE relation SET organization_id = {other} WHERE id = {one relation.object_id};

--! organizations/relation_evidence.relation_id organizations/relation_evidence.document_id
UPDATE relation_evidence SET organization_id = {other} WHERE id = {one relation_evidence};

--! organizations/entity_cluster.canonical_entity_id organizations/cluster_member.cluster_id
--! organizations/resolution_form.cluster_id
UPDATE entity_cluster SET organization_id = {other} WHERE id = {one entity_cluster};

--! organizations/cluster_member.cluster_id organizations/cluster_member.entity_id
UPDATE cluster_member SET organization_id = {other} WHERE id = {one cluster_member};

--! organizations/same_as_link.canonical_id organizations/same_as_link.member_id
UPDATE same_as_link SET organization_id = {other} WHERE id = {one same_as_link};

--! organizations/merge_history.source_entity_id organizations/merge_history.batch_id
--! organizations/merge_history.target_entity_id
UPDATE merge_history SET organization_id = {other} WHERE id = {one merge_history};

--! calls/answer
INSERT INTO llm_call (id, organization_id, key, kind, provider, model, prompt_version, status,
    owner, attempts, unknown_outcomes, reserved_tokens, truncated, prompt_tokens,
    completion_tokens, cost_micro_usd, created_at, updated_at)
SELECT id, id, 'key', 'chat', 'provider', 'model', 'single@1', 'completed', 'owner', 1, 0, 0, (1 = 0),
    0, 0, 0, created_at, updated_at
FROM organization WHERE id = {default};

--! orphans/llm_call.organization_id
INSERT INTO llm_call (id, organization_id, key, kind, provider, model, prompt_version, status,
    owner, attempts, unknown_outcomes, reserved_tokens, truncated, prompt_tokens,
    completion_tokens, cost_micro_usd, created_at, updated_at)
SELECT id, {nobody}, 'key', 'chat', 'provider', 'model', 'single@1', 'intent', 'owner', 1, 0, 0, (1 = 0),
    0, 0, 0, created_at, updated_at
FROM organization WHERE id = {default};

--! orphans/embedding.organization_id resolution/embedding-owner
INSERT INTO embedding (id, organization_id, owner_type, owner_id, model, dimensions, vector,
    content_hash, created_at, updated_at) SELECT {nobody}, {nobody}, 'form', id, 'm', 0, '',
    '', created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/resolution_leaf.organization_id
INSERT INTO resolution_leaf (id, organization_id, model, tree, start, depth, members, created_at,
    updated_at) SELECT {nobody}, {nobody}, 'm', 0, 0, 0, '', created_at, updated_at
FROM organization WHERE id = {default};

--! orphans/token_account.organization_id
INSERT INTO token_account (id, organization_id, batch_id, used, cost_micro_usd, created_at,
    updated_at)
SELECT id, {nobody}, id, 0, 0, created_at, updated_at FROM organization WHERE id = {default};


-- Forms, their blocks, and what persons decided and are asked.

--! resolution/question
INSERT INTO resolution_question (id, organization_id, left_form_id, right_form_id, doubt, reason,
    confidence, created_at, updated_at) SELECT id, organization_id, id, id, 'full', 'initials', 0.9,
    created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/resolution_form.organization_id organizations/entity.form_id
--! organizations/resolution_block.form_id organizations/resolution_form.canonical_id
--! organizations/resolution_form.cluster_id organizations/resolution_form.face_id
UPDATE resolution_form SET organization_id = {nobody} WHERE id = {one resolution_form};

--! orphans/resolution_block.organization_id organizations/resolution_block.form_id
UPDATE resolution_block SET organization_id = {nobody} WHERE id = {one resolution_block};

--! orphans/resolution_decision.organization_id organizations/resolution_decision.left_form_id
--! organizations/resolution_decision.right_form_id
INSERT INTO resolution_decision (id, organization_id, kind, left_form_id, right_form_id, decided_by,
    created_at, updated_at) SELECT id, {nobody}, 'together', id, id, 'user', created_at,
    updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/resolution_question.organization_id organizations/resolution_question.left_form_id
--! organizations/resolution_question.right_form_id resolution/question
INSERT INTO resolution_question (id, organization_id, left_form_id, right_form_id, doubt, reason,
    confidence, created_at, updated_at) SELECT id, {nobody}, id, id, 'full', 'initials', 0.9,
    created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/workflow_execution.batch_id
UPDATE workflow_execution SET batch_id = {nobody} WHERE id = {one workflow_execution.batch_id};

--! orphans/entity.form_id resolution/cluster resolution/entity-count resolution/face
UPDATE entity SET form_id = {nobody} WHERE id = {one entity.form_id};

--! orphans/merge_history.batch_id
UPDATE merge_history SET batch_id = {nobody} WHERE id = {one merge_history};

--! orphans/resolution_form.face_id resolution/face
UPDATE resolution_form SET face_id = {nobody} WHERE id = {one resolution_form};

--! orphans/resolution_form.canonical_id resolution/canonical
UPDATE resolution_form SET canonical_id = {nobody} WHERE id = {one resolution_form};

--! orphans/resolution_block.form_id
UPDATE resolution_block SET form_id = {nobody} WHERE id = {one resolution_block};

--! orphans/resolution_decision.left_form_id
INSERT INTO resolution_decision (id, organization_id, kind, left_form_id, right_form_id, decided_by,
    created_at, updated_at) SELECT id, organization_id, 'together', {nobody}, id, 'user',
    created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/resolution_decision.right_form_id
INSERT INTO resolution_decision (id, organization_id, kind, left_form_id, right_form_id, decided_by,
    created_at, updated_at) SELECT id, organization_id, 'together', id, {nobody}, 'user',
    created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/resolution_question.left_form_id
INSERT INTO resolution_question (id, organization_id, left_form_id, right_form_id, doubt, reason,
    confidence, created_at, updated_at) SELECT id, organization_id, {nobody}, id, 'full',
    'initials', 0.9, created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! orphans/resolution_question.right_form_id
INSERT INTO resolution_question (id, organization_id, left_form_id, right_form_id, doubt, reason,
    confidence, created_at, updated_at) SELECT id, organization_id, id, {nobody}, 'full',
    'initials', 0.9, created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! organizations/workflow_execution.batch_id organizations/workflow_activity.execution_id
UPDATE workflow_execution SET organization_id = {other} WHERE id = {one workflow_execution.batch_id};

--! organizations/entity.form_id organizations/resolution_form.face_id
--! organizations/resolution_form.canonical_id organizations/resolution_form.cluster_id
--! organizations/resolution_block.form_id
UPDATE resolution_form SET organization_id = {other} WHERE id = {one resolution_form};

--! organizations/resolution_decision.left_form_id organizations/resolution_decision.right_form_id
INSERT INTO resolution_decision (id, organization_id, kind, left_form_id, right_form_id, decided_by,
    created_at, updated_at) SELECT id, {other}, 'together', id, id, 'user', created_at,
    updated_at FROM resolution_form
WHERE id = {one resolution_form};

--! organizations/resolution_question.left_form_id organizations/resolution_question.right_form_id
--! resolution/question
INSERT INTO resolution_question (id, organization_id, left_form_id, right_form_id, doubt, reason,
    confidence, created_at, updated_at) SELECT id, {other}, id, id, 'full', 'initials', 0.9,
    created_at, updated_at FROM resolution_form
WHERE id = {one resolution_form};
