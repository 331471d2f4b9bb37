//! How pages are read: what the databases do for them, and that they are whole.

use knowledge_domain::{
    batch::BatchStage,
    ids::{BatchId, OrganizationId},
};
use uuid::Uuid;

use super::{EntityFilter, PageRequest, entities::Within};
use crate::{
    fixture::{Fixture, plan},
    store::{DatabaseUrl, Store},
};

/// An empty SQLite store, which plans without statistics as all do.
async fn sqlite(folder: &tempfile::TempDir) -> Store {
    let path = folder.path().join("knowledge.db");
    let url = DatabaseUrl::sqlite(path.to_str().unwrap());
    Store::open(&url).await.unwrap()
}

/// That no step of a plan says this.
fn assert_without(steps: &[String], what: &str) {
    let found = steps.iter().any(|step| step.contains(what));
    assert!(!found, "{what}: {steps:#?}");
}

fn first<K>(first: u64) -> PageRequest<K> {
    PageRequest { first, after: None }
}

#[tokio::test]
async fn canonical_entities_are_found_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let reads = store.reads(OrganizationId::DEFAULT);
    let page = reads.relation_query(BatchId::from_uuid(Uuid::nil()), &(0..64), None, first(10));
    let statements = reads.statements_in(None, [Uuid::nil()]);
    for (query, subject) in [(page, "earlier_subject"), (statements, "subject_entity")] {
        let steps = plan(&store, &query).await;
        let found = steps
            .iter()
            .find(|step| step.contains(&format!(" {subject} ")));
        let found = found.unwrap_or_else(|| panic!("{subject}: {steps:#?}"));
        assert!(found.contains("canonical_id=?"), "{steps:#?}");
        assert_without(&steps, "SCAN");
    }
}

#[tokio::test]
async fn a_page_of_a_large_batch_is_not_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let reads = store.reads(OrganizationId::DEFAULT);
    let within = Within::LargeBatch(BatchId::from_uuid(Uuid::nil()));
    let query = reads.entity_query(within, &EntityFilter::default(), first(10));
    let steps = plan(&store, &query).await;
    assert!(steps[0].contains("canonical_id"), "{steps:#?}");
    let place = steps.last().unwrap();
    assert!(place.contains("(extraction_id=?)"), "{steps:#?}");
    assert_without(&steps, "TEMP B-TREE");
}

/// In a new database, whose tables PostgreSQL knows nothing of.
#[tokio::test]
async fn what_is_exported_is_looked_up_by_its_ids_without_statistics() {
    let fixture = Fixture::new().await;
    let reads = fixture.store.reads(fixture.organization);
    let batch = Some(BatchId::from_uuid(Uuid::nil()));
    let ids = || (0..500).map(Uuid::from_u128);
    for query in [
        reads.mentions(batch, ids()),
        reads.statements_in(batch, ids()),
    ] {
        let steps = plan(&fixture.store, &query).await;
        let begins = steps.iter().find(|step| {
            let step = step.trim_start();
            step.contains(" on ") || step.starts_with("SEARCH") || step.starts_with("SCAN")
        });
        let begins = begins.unwrap_or_else(|| panic!("{steps:#?}"));
        assert!(begins.contains("entity"), "{steps:#?}");
        // Neither all of the batch is looked up, nor all that the organisation states.
        for index in [
            "ix_batch_document_batch_id",
            "ix_batch_document_organization_id",
            "ix_relation_organization_id",
        ] {
            assert_without(&steps, index);
        }
    }
}

#[tokio::test]
async fn a_batch_has_the_same_entities_whichever_way_they_are_read() {
    let fixture = Fixture::new().await;
    let [one, other] = [1, 2].map(|number| fixture.batch(number, BatchStage::Completed));
    let (one, other) = (one.await, other.await);
    let mut faces = Vec::new();
    for (batch, position, names) in [
        (one, 0, ["Halvern", "Port Ellis", "Ilse Varga"]),
        (one, 1, ["Halvern", "Steinach", "Tomas Renn"]),
        (other, 0, ["Port Ellis", "Steinach", "Hannah Weiss"]),
    ] {
        let place = fixture.document(batch, position, &names.concat()).await;
        for (at, name) in (0_u32..).zip(names) {
            let class = if name.contains(' ') {
                "Person"
            } else {
                "Place"
            };
            faces.push((name, fixture.entity(place, at, name, class).await));
        }
    }
    // As resolution leaves them: a face in the other batch, and one in this.
    fixture.merge(faces[1].1, faces[6].1).await;
    fixture.merge(faces[7].1, faces[4].1).await;

    let reads = fixture.store.reads(fixture.organization);
    for (class, search, found) in [
        (None, None, 6),
        (Some("Place"), None, 3),
        (None, Some("ELLIS"), 1),
        (Some("Person"), Some("stein"), 0),
    ] {
        let filter = EntityFilter {
            class: class.map(str::to_owned),
            search: search.map(str::to_owned),
        };
        let ids = async |within: Within, page| {
            let query = reads.entity_query(within, &filter, page);
            reads.uuids(&query).await.unwrap()
        };
        let all = ids(Within::Batch(one), first(10)).await;
        assert_eq!(all.len(), found, "{filter:?}");
        assert_eq!(ids(Within::LargeBatch(one), first(10)).await, all);
        if let Some(begin) = all.first() {
            let after = PageRequest {
                first: 10,
                after: Some(knowledge_domain::ids::EntityId::from_uuid(*begin)),
            };
            assert_eq!(ids(Within::LargeBatch(one), after).await, all[1..]);
        }
    }
}

#[tokio::test]
async fn pages_of_relations_go_on_from_one_span_of_documents_to_the_next() {
    let fixture = Fixture::new().await;
    let batch = fixture.batch(1, BatchStage::Completed).await;
    let documents = 100_i32;
    let rare = 90;
    for position in 0..documents {
        let place = fixture
            .document(batch, position, &format!("Text {position}."))
            .await;
        let subject = fixture
            .entity(place, 0, &format!("Name {position}"), "Person")
            .await;
        let predicate = if position == rare { "rare" } else { "common" };
        let literal = position.to_string();
        fixture
            .relation(place, 1, (subject, predicate), Err(&literal))
            .await;
    }

    let reads = fixture.store.reads(fixture.organization);
    let page = async |predicate: Option<&'static str>, page| {
        let pages = reads.relation_pages(&[batch], predicate, page).await;
        let page = pages.unwrap().remove(&batch).unwrap();
        let literals = page.items.into_iter();
        let found = literals.map(|(place, key)| (place, key.folded_literal.unwrap()));
        (found.collect::<Vec<_>>(), page.has_next)
    };
    let mut all = Vec::new();
    let mut wanted = first(7);
    loop {
        let (found, more) = page(None, wanted).await;
        wanted.after = found.last().map(|(place, _)| *place);
        all.extend(found.into_iter().map(|(_, literal)| literal));
        if !more {
            break;
        }
    }
    let expected: Vec<_> = (0..documents)
        .map(|position| position.to_string())
        .collect();
    assert_eq!(all, expected);
    let (found, more) = page(Some("rare"), first(7)).await;
    assert_eq!((found.len(), more), (1, false));
    assert_eq!(found[0].1, rare.to_string());
    assert_eq!(page(Some("none"), first(7)).await, (Vec::new(), false));
}
