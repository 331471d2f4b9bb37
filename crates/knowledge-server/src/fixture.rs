//! Rows for tests of the read side, written as the write side writes them.

use chrono::{DateTime, TimeZone, Utc};
use knowledge_domain::{
    Entropy,
    batch::{Aggregate, BatchEvent, BatchEventKind, BatchStage},
    ids::{
        ApiKeyId, BatchDocumentId, BatchId, DocumentId, EntityId, ExecutionId, ExtractionId,
        MentionId, OrganizationId, RelationId,
    },
};
use knowledge_tables::{
    api_key, batch_document, batch_event, batch_execution, document, entity, extraction,
    mention_record, organization, relation, relation_evidence, same_as_link, workflow_activity,
    workflow_execution,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, Database, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::{Expr, SelectStatement},
};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    app,
    config::Config,
    environment::SystemEntropy,
    graphql::Api,
    http::{AppState, Limits},
    orchestrator::Orchestrator,
    progress::EventHub,
    store::{DatabaseUrl, Store},
};

/// A store over a database file of its own.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) organization: OrganizationId,
    _directory: TempDir,
}

/// A document of a batch with what its workflow found.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) batch: BatchId,
    pub(crate) document: BatchDocumentId,
    pub(crate) content: DocumentId,
    pub(crate) execution: ExecutionId,
    pub(crate) extraction: ExtractionId,
}

async fn new_postgres_database(admin_url: &str) -> DatabaseUrl {
    let name = format!("unit_{}", SystemEntropy.uuid_v7().simple());
    let admin = Database::connect(admin_url).await.unwrap();
    let create = format!("CREATE DATABASE {name}");
    admin.execute_unprepared(&create).await.unwrap();
    admin.close().await.unwrap();
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    format!("{server}/{name}").parse().unwrap()
}

pub(crate) fn at() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 8, 0, 0).unwrap()
}

/// The steps by which a database goes about a query, of tables that it knows nothing of.
pub(crate) async fn plan(store: &Store, query: &SelectStatement) -> Vec<String> {
    let tx = store.begin().await.unwrap();
    let mut statement = store.backend().build(query);
    let (explain, column) = match store.backend() {
        DbBackend::Postgres => {
            // Of empty tables it would read all of the few pages that it believes they have.
            let by_index = "SET LOCAL enable_seqscan = off";
            tx.execute_unprepared(by_index).await.unwrap();
            ("EXPLAIN (COSTS OFF) ", "QUERY PLAN")
        }
        _ => ("EXPLAIN QUERY PLAN ", "detail"),
    };
    statement.sql.insert_str(0, explain);
    let steps = tx.query_all_raw(statement).await.unwrap();
    let steps = steps.iter().map(|step| step.try_get("", column).unwrap());
    steps.collect()
}

impl Fixture {
    /// A new SQLite file; where `KNOWLEDGE_TEST_STORE` is `postgres`, a new database in the
    /// cluster that `KNOWLEDGE_TEST_POSTGRES_URL` names. `cargo xtask test` runs the tests on both.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = if std::env::var("KNOWLEDGE_TEST_STORE").is_ok_and(|store| store == "postgres") {
            new_postgres_database(&std::env::var("KNOWLEDGE_TEST_POSTGRES_URL").unwrap()).await
        } else {
            DatabaseUrl::sqlite(directory.path().join("knowledge.db").to_str().unwrap())
        };
        Self {
            store: Store::open(&url).await.unwrap(),
            organization: OrganizationId::DEFAULT,
            _directory: directory,
        }
    }

    fn orchestrator(&self, hub: &EventHub) -> Orchestrator {
        app::orchestrator(&self.store, hub, &Config::default())
    }

    /// The API over this store.
    pub(crate) fn api(&self) -> Api {
        let hub = EventHub::default();
        Api::new(
            self.store.clone(),
            self.orchestrator(&hub),
            app::access(&self.store),
            hub,
        )
    }

    /// The state of a server over this store, told what is committed by this hub.
    pub(crate) fn state(&self, hub: EventHub, limits: Limits) -> AppState {
        let orchestrator = self.orchestrator(&hub);
        let access = app::access(&self.store);
        AppState::new(self.store.clone(), orchestrator, access, hub, limits)
    }

    /// The same database for another organisation.
    pub(crate) async fn foreign_organization(&self) -> OrganizationId {
        let id = OrganizationId::from_uuid(Uuid::from_u128(77));
        self.insert(organization::Model {
            id: id.uuid(),
            name: "Foreign".to_owned(),
            slug: "foreign".to_owned(),
            resolution_version: 0,
            embedding_model: None,
            embedding_gaps: false,
            embedding_execution_id: None,
            embedding_forms: None,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        id
    }

    pub(crate) async fn insert<M>(&self, model: M)
    where
        M: sea_orm::ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
        <M::Entity as EntityTrait>::ActiveModel: Send,
    {
        let transaction = self.store.begin().await.unwrap();
        M::Entity::insert(model.into_active_model())
            .exec_without_returning(&transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    /// A batch; `number` orders batches by time.
    pub(crate) async fn batch(&self, number: u128, stage: BatchStage) -> BatchId {
        let id = BatchId::from_uuid(Uuid::from_u128(0xba7c_0000 + number));
        self.insert(batch_execution::Model {
            id: id.uuid(),
            organization_id: self.organization.uuid(),
            state: stage.to_string(),
            state_data: json!({}),
            ontology_id: None,
            mode: "legacy".to_owned(),
            idempotency_key: None,
            request_hash: String::new(),
            concurrency: 3,
            failure_policy: "continue-on-failure".to_owned(),
            max_retries: 2,
            enable_entity_resolution: true,
            extractor: "offline".to_owned(),
            config: json!({}),
            total_documents: 2,
            completed_documents: 1,
            failed_documents: 0,
            skipped_documents: 0,
            partial_documents: 0,
            entity_count: 0,
            relation_count: 0,
            tokens_used: 7,
            resolution_tokens: 0,
            last_sequence: 0,
            progress_units: 500_000,
            retry_round: 0,
            next_round_at: None,
            error: None,
            started_at: Some(at()),
            completed_at: None,
            lease_owner: None,
            lease_token: 0,
            version: 0,
            tally: None,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        id
    }

    /// A completed document of a batch; documents of the same text share their content and graph.
    pub(crate) async fn document(&self, batch: BatchId, position: i32, text: &str) -> Place {
        let content = DocumentId::derive(self.organization, text);
        let extraction = ExtractionId::derive(content, "test");
        let key = batch.uuid().as_u128() * 1000 + u128::try_from(position).unwrap();
        let place = Place {
            batch,
            document: BatchDocumentId::from_uuid(Uuid::from_u128(key)),
            content,
            execution: ExecutionId::from_uuid(Uuid::from_u128(key)),
            extraction,
        };
        if !self.exists(content).await {
            self.content(place, text).await;
        }
        self.batch_document(place, position).await;
        self.execution(place).await;
        self.count_to(batch, position).await;
        place
    }

    /// Lets a batch have documents up to a position.
    async fn count_to(&self, batch: BatchId, position: i32) {
        use batch_execution::Column;
        let transaction = self.store.begin().await.unwrap();
        batch_execution::Entity::update_many()
            .col_expr(Column::TotalDocuments, Expr::value(position + 1))
            .filter(Column::Id.eq(batch.uuid()))
            .filter(Column::TotalDocuments.lte(position))
            .exec(&transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    async fn exists(&self, content: DocumentId) -> bool {
        document::Entity::find_by_id(content.uuid())
            .one(self.store.read())
            .await
            .unwrap()
            .is_some()
    }

    async fn content(&self, place: Place, text: &str) {
        self.insert(document::Model {
            id: place.content.uuid(),
            organization_id: self.organization.uuid(),
            name: text.to_owned(),
            source_uri: None,
            content_hash: text.to_owned(),
            text: text.to_owned(),
            char_count: i32::try_from(text.chars().count()).unwrap(),
            metadata: json!({}),
            created_at: at(),
            updated_at: at(),
        })
        .await;
        self.insert(extraction::Model {
            id: place.extraction.uuid(),
            organization_id: self.organization.uuid(),
            document_id: place.content.uuid(),
            execution_id: Some(place.execution.uuid()),
            ontology_id: None,
            fingerprint: "test".to_owned(),
            extractor: "offline".to_owned(),
            model: None,
            prompt_version: None,
            status: "completed".to_owned(),
            chunk_count: 1,
            mention_count: 0,
            entity_count: 0,
            relation_count: 0,
            total_tokens: 0,
            completed_at: Some(at()),
            created_at: at(),
            updated_at: at(),
        })
        .await;
    }

    async fn batch_document(&self, place: Place, position: i32) {
        self.insert(batch_document::Model {
            id: place.document.uuid(),
            organization_id: self.organization.uuid(),
            batch_id: place.batch.uuid(),
            document_id: place.content.uuid(),
            position,
            name: format!("document {position}"),
            source_uri: None,
            status: "completed".to_owned(),
            stage: Some("assemble".to_owned()),
            stage_current: 1,
            stage_total: 1,
            progress_units: 1_000_000,
            attempt: 1,
            retry_round: 0,
            error: None,
            error_kind: None,
            execution_id: Some(place.execution.uuid()),
            extraction_id: Some(place.extraction.uuid()),
            entity_count: 0,
            relation_count: 0,
            missing_units: 0,
            tokens_used: 0,
            started_at: Some(at()),
            completed_at: Some(at()),
            version: 0,
            created_at: at(),
            updated_at: at(),
        })
        .await;
    }

    async fn execution(&self, place: Place) {
        self.insert(workflow_execution::Model {
            id: place.execution.uuid(),
            organization_id: self.organization.uuid(),
            workflow_type: "extraction".to_owned(),
            workflow_version: 1,
            batch_document_id: Some(place.document.uuid()),
            batch_id: None,
            status: "completed".to_owned(),
            mode: "legacy".to_owned(),
            current_activity: Some("assemble".to_owned()),
            input: json!({}),
            output: None,
            error: None,
            checkpoint: None,
            retry_owner: "activity".to_owned(),
            retry_count: 0,
            lost_runs: 0,
            lease_owner: None,
            lease_token: 0,
            lease_expires_at: None,
            suspend_reason: None,
            resume_at: None,
            requested: None,
            started_at: Some(at()),
            completed_at: Some(at()),
            version: 0,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        for (number, name) in ["assemble", "mentions/10", "mentions/9"].iter().enumerate() {
            self.activity(place, number, name).await;
        }
    }

    async fn activity(&self, place: Place, number: usize, name: &str) {
        let id = place.execution.uuid().as_u128() * 100 + number as u128;
        self.insert(workflow_activity::Model {
            id: Uuid::from_u128(id),
            organization_id: self.organization.uuid(),
            execution_id: place.execution.uuid(),
            activity_name: name.to_owned(),
            activity_type: name.split('/').next().unwrap().to_owned(),
            input_hash: String::new(),
            status: "completed".to_owned(),
            attempt: 1,
            failure_count: 0,
            input: None,
            output: Some(b"{}".to_vec()),
            error: None,
            error_kind: None,
            next_attempt_at: None,
            duration_ms: Some(5),
            started_at: Some(at()),
            completed_at: Some(at()),
            pruned_at: None,
            created_at: at(),
            updated_at: at(),
        })
        .await;
    }

    /// An entity that is its own face, mentioned once at `position * 10`.
    pub(crate) async fn entity(
        &self,
        place: Place,
        position: u32,
        name: &str,
        class: &str,
    ) -> EntityId {
        let id = EntityId::derive(place.extraction, position as usize);
        let start = position * 10;
        let end = start + u32::try_from(name.chars().count()).unwrap();
        self.insert(entity::Model {
            id: id.uuid(),
            organization_id: self.organization.uuid(),
            extraction_id: place.extraction.uuid(),
            document_id: place.content.uuid(),
            position: position.cast_signed(),
            name: name.to_owned(),
            types: json!([class]),
            aliases: json!([]),
            attributes: json!({}),
            confidence: 0.8,
            mention_count: 1,
            search_key: name.to_lowercase(),
            type_key: format!("|{class}|"),
            canonical_id: id.uuid(),
            form_id: None,
            clustered: false,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        self.insert(mention_record::Model {
            id: MentionId::derive(place.extraction, start, end).uuid(),
            organization_id: self.organization.uuid(),
            extraction_id: place.extraction.uuid(),
            document_id: place.content.uuid(),
            chunk_id: Uuid::nil(),
            entity_id: Some(id.uuid()),
            text: name.to_owned(),
            start_char: start.cast_signed(),
            end_char: end.cast_signed(),
            mention_type: class.to_owned(),
            confidence: 0.8,
            response_hash: None,
            resolved_entity_id: None,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        id
    }

    /// Puts `member` under the face of `canonical`.
    pub(crate) async fn merge(&self, member: EntityId, canonical: EntityId) {
        let transaction = self.store.begin().await.unwrap();
        entity::Entity::update_many()
            .col_expr(entity::Column::CanonicalId, Expr::value(canonical.uuid()))
            .filter(entity::Column::Id.eq(member.uuid()))
            .exec(&transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        self.insert(same_as_link::Model {
            id: member.uuid(),
            organization_id: self.organization.uuid(),
            canonical_id: canonical.uuid(),
            member_id: member.uuid(),
            confidence: 0.95,
            reason: "exact_name".to_owned(),
            created_at: at(),
            updated_at: at(),
        })
        .await;
    }

    /// A relation to an entity or to a literal, with one piece of evidence.
    pub(crate) async fn relation(
        &self,
        place: Place,
        position: i32,
        (subject, predicate): (EntityId, &str),
        object: Result<EntityId, &str>,
    ) -> RelationId {
        let id = RelationId::derive(place.extraction, usize::try_from(position).unwrap());
        self.insert(relation::Model {
            id: id.uuid(),
            organization_id: self.organization.uuid(),
            extraction_id: place.extraction.uuid(),
            position,
            subject_id: subject.uuid(),
            predicate: predicate.to_owned(),
            object_id: object.ok().map(EntityId::uuid),
            literal_value: object.err().map(str::to_owned),
            literal_type: None,
            confidence: 0.7 + f64::from(position) / 100.0,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        self.insert(relation_evidence::Model {
            id: id.uuid(),
            organization_id: self.organization.uuid(),
            relation_id: id.uuid(),
            document_id: place.content.uuid(),
            start_char: position,
            end_char: position + 3,
            text: "abc".to_owned(),
            confidence: 0.7,
            created_at: at(),
            updated_at: at(),
        })
        .await;
        id
    }

    /// Appends an event to a batch's log and advances its head, as one transaction.
    pub(crate) async fn event(&self, batch: BatchId, sequence: u64, kind: BatchEventKind) {
        let event = BatchEvent {
            batch_id: batch,
            sequence,
            timestamp: at(),
            aggregate: Aggregate {
                progress: 0.5,
                completed_documents: 1,
                failed_documents: 0,
                total_documents: 2,
                ..Aggregate::default()
            },
            kind,
        };
        let row = batch_event::Model {
            id: Uuid::from_u128(batch.uuid().as_u128() * 1_000_000 + u128::from(sequence)),
            organization_id: self.organization.uuid(),
            batch_id: batch.uuid(),
            sequence: sequence.cast_signed(),
            kind: event.kind.name().to_owned(),
            batch_document_id: event.kind.document_id().map(BatchDocumentId::uuid),
            payload: serde_json::to_value(&event).unwrap(),
            timestamp: at(),
            created_at: at(),
            updated_at: at(),
        };
        let transaction = self.store.begin().await.unwrap();
        batch_event::Entity::insert(row.into_active_model())
            .exec_without_returning(&transaction)
            .await
            .unwrap();
        batch_execution::ActiveModel {
            id: Set(batch.uuid()),
            last_sequence: Set(sequence.cast_signed()),
            ..Default::default()
        }
        .update(&transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }

    /// Makes an event one that no release can read.
    pub(crate) async fn spoil(&self, batch: BatchId, sequence: i64) {
        use knowledge_tables::batch_event::Column;
        let transaction = self.store.begin().await.unwrap();
        batch_event::Entity::update_many()
            .col_expr(Column::Payload, Expr::value(json!({ "type": "Unknown" })))
            .filter(Column::BatchId.eq(batch.uuid()))
            .filter(Column::Sequence.eq(sequence))
            .exec(&transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn expire(&self, key: ApiKeyId, at: DateTime<Utc>) {
        let transaction = self.store.begin().await.unwrap();
        api_key::ActiveModel {
            id: Set(key.uuid()),
            expires_at: Set(Some(at)),
            ..Default::default()
        }
        .update(&transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }

    pub(crate) async fn enter(&self, batch: BatchId, stage: BatchStage) {
        let transaction = self.store.begin().await.unwrap();
        batch_execution::ActiveModel {
            id: Set(batch.uuid()),
            state: Set(stage.to_string()),
            ..Default::default()
        }
        .update(&transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }
}
