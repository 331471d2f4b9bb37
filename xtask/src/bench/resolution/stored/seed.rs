//! A database that holds many: the rows that resolution would have written, all at once.

mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context as _, Result};
use knowledge_domain::{
    graph::Confidence,
    ids::{ClusterId, DocumentId, EntityId, ExtractionId, OrganizationId},
};
use knowledge_resolution::{
    Candidate, Cluster, Decisions, Face, FaceStrategy, Form, Settings, resolve, select_face,
};

use self::rows::{Loader, hex};
use super::world::World;

const ORGANIZATION: OrganizationId = OrganizationId::DEFAULT;

/// Where an entity belongs.
struct Place<'a> {
    cluster: &'a Cluster,
    confidence: f64,
    reason: String,
}

/// Forms with the places of their entities.
type Forms = BTreeMap<String, (Form, Vec<usize>)>;

/// Adds the entities of invented documents, about so many, to a database that has its tables:
/// entities, forms, blocks, clusters and links, but neither mentions nor relations.
///
/// Nothing of what is stored already is looked at, so it is for a database that holds little else.
pub(super) async fn fill(url: &str, world: &mut World, entities: usize) -> Result<()> {
    let (documents, candidates) = told(world, entities);
    let clusters = resolve(&candidates, &Decisions::default(), &Settings::default());
    let mut places: HashMap<EntityId, Place<'_>> = HashMap::with_capacity(candidates.len());
    for cluster in &clusters {
        places.extend(cluster.members.iter().map(|member| {
            let place = Place {
                cluster,
                confidence: member.confidence,
                reason: member.reason.to_string(),
            };
            (member.id, place)
        }));
    }
    let mut forms = Forms::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let form = Form::of(candidate);
        if let Some((known, of)) = forms.get_mut(&form.key) {
            known.absorb(&form);
            of.push(at);
        } else {
            forms.insert(form.key.clone(), (form, vec![at]));
        }
    }
    let mut loader = Loader::open(url).await?;
    write_documents(&mut loader, &documents).await?;
    write_entities(&mut loader, &candidates, &places).await?;
    write_forms(&mut loader, &candidates, &places, &forms).await?;
    write_blocks(&mut loader, &forms).await?;
    write_clusters(&mut loader, &clusters).await?;
    loader.resolved().await?;
    loader.close().await
}

/// Documents by the ids of their extractions, and their entities, each once in a document.
fn told(world: &mut World, entities: usize) -> (Vec<(ExtractionId, DocumentId)>, Vec<Candidate>) {
    let (mut documents, mut candidates) = (Vec::new(), Vec::new());
    while candidates.len() < entities {
        let document = DocumentId::derive(ORGANIZATION, &format!("seed {}", documents.len()));
        let extraction = ExtractionId::derive(document, "seed");
        documents.push((extraction, document));
        let mut named: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
        for (person, _, firm) in world.document() {
            let of_person = named.entry((person.clone(), "Person")).or_default();
            of_person.push(firm.clone());
            named
                .entry((firm, "Organization"))
                .or_default()
                .push(person);
        }
        for (at, ((name, class), neighbours)) in named.into_iter().enumerate() {
            candidates.push(Candidate {
                id: EntityId::derive(extraction, at),
                document,
                name,
                types: vec![class.to_owned()],
                above: Vec::new(),
                aliases: Vec::new(),
                attributes: BTreeMap::new(),
                literals: BTreeMap::new(),
                neighbours,
                mentions: 1,
                confidence: Confidence::new(0.9),
            });
        }
    }
    (documents, candidates)
}

async fn write_documents(
    loader: &mut Loader,
    documents: &[(ExtractionId, DocumentId)],
) -> Result<()> {
    let columns = "name, content_hash, text, char_count, metadata";
    let mut table = loader.table("document", columns);
    for (at, (_, document)) in documents.iter().enumerate() {
        let values = format!("'seed {at}', 'seed {at}', '', 0, '{{}}'");
        table.add(&hex(document.uuid().as_u128()), &values).await?;
    }
    table.end().await?;
    let columns = "document_id, fingerprint, extractor, status, chunk_count, mention_count, \
                   entity_count, relation_count, total_tokens";
    let mut table = loader.table("extraction", columns);
    for (extraction, document) in documents {
        let document = table.id(&hex(document.uuid().as_u128()));
        let values = format!("{document}, 'seed', 'offline', 'completed', 1, 0, 0, 0, 0");
        table
            .add(&hex(extraction.uuid().as_u128()), &values)
            .await?;
    }
    table.end().await
}

async fn write_entities(
    loader: &mut Loader,
    candidates: &[Candidate],
    places: &HashMap<EntityId, Place<'_>>,
) -> Result<()> {
    let columns = "extraction_id, document_id, position, name, types, aliases, attributes, \
                   confidence, mention_count, search_key, type_key, canonical_id, form_id, clustered";
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_unstable_by_key(|at| candidates[*at].id);
    let mut table = loader.table("entity", columns);
    for at in order {
        let candidate = &candidates[at];
        let (name, class) = (&candidate.name, &candidate.types[0]);
        let canonical = places
            .get(&candidate.id)
            .context("an entity without a cluster")?;
        let form = Form::of(candidate).id(ORGANIZATION);
        let values = format!(
            "{}, {}, {at}, '{name}', '[\"{class}\"]', '[]', '{{}}', 0.9, 1, '{}', '|{class}|', {}, {}, TRUE",
            table.id(&hex(ExtractionId::derive(candidate.document, "seed")
                .uuid()
                .as_u128())),
            table.id(&hex(candidate.document.uuid().as_u128())),
            name.to_lowercase(),
            table.id(&hex(canonical.cluster.canonical.uuid().as_u128())),
            table.id(&hex(form.uuid().as_u128())),
        );
        table
            .add(&hex(candidate.id.uuid().as_u128()), &values)
            .await?;
    }
    table.end().await
}

async fn write_forms(
    loader: &mut Loader,
    candidates: &[Candidate],
    places: &HashMap<EntityId, Place<'_>>,
    forms: &Forms,
) -> Result<()> {
    let columns = "form_key, types, name, identity, aliases, neighbours, documents, entity_count, \
                   face_id, dirty, cluster_id, canonical_id, link_confidence, link_reason";
    let mut order: Vec<&(Form, Vec<usize>)> = forms.values().collect();
    order.sort_unstable_by_key(|(form, _)| form.id(ORGANIZATION));
    let mut table = loader.table("resolution_form", columns);
    for (form, of) in order {
        let faces: Vec<Face> = of.iter().map(|at| Face::of(&candidates[*at])).collect();
        let face =
            select_face(&faces, FaceStrategy::default()).context("a form without entities")?;
        let place = places
            .get(&face.entity)
            .context("an entity without a cluster")?;
        let values = format!(
            "'{}', '{}', '{}', '{{}}', '[]', '{}', '{}', {}, {}, FALSE, {}, {}, {}, '{}'",
            form.key,
            serde_json::to_string(&form.types)?,
            form.name,
            serde_json::to_string(&form.neighbours)?,
            serde_json::to_string(&form.documents)?,
            of.len(),
            table.id(&hex(face.entity.uuid().as_u128())),
            table.id(&hex(ClusterId::derive(ORGANIZATION, &place.cluster.key)
                .uuid()
                .as_u128())),
            table.id(&hex(place.cluster.canonical.uuid().as_u128())),
            place.confidence,
            place.reason,
        );
        table
            .add(&hex(form.id(ORGANIZATION).uuid().as_u128()), &values)
            .await?;
    }
    table.end().await
}

async fn write_blocks(loader: &mut Loader, forms: &Forms) -> Result<()> {
    let most = Settings::default().max_block;
    let mut sizes: HashMap<u64, usize> = HashMap::new();
    let mut table = loader.table("resolution_block", "block_key, form_id");
    for (form, _) in forms.values() {
        let id = table.id(&hex(form.id(ORGANIZATION).uuid().as_u128()));
        for key in form.block_keys() {
            let size = sizes.entry(key).or_default();
            *size += 1;
            // One more than it may have shows that a block is too large.
            if *size <= most + 1 {
                table
                    .add_next(&format!("{}, {id}", key.cast_signed()))
                    .await?;
            }
        }
    }
    table.end().await
}

async fn write_clusters(loader: &mut Loader, clusters: &[Cluster]) -> Result<()> {
    let id = |cluster: &Cluster| {
        hex(ClusterId::derive(ORGANIZATION, &cluster.key)
            .uuid()
            .as_u128())
    };
    let columns = "cluster_key, canonical_entity_id, member_count, cohesion, shared_types, version";
    let mut table = loader.table("entity_cluster", columns);
    let mut written = HashSet::new();
    for cluster in clusters {
        let values = format!(
            "'{}', {}, {}, {}, '{}', 1",
            cluster.key,
            table.id(&hex(cluster.canonical.uuid().as_u128())),
            cluster.members.len(),
            cluster.cohesion,
            serde_json::to_string(&cluster.shared_types)?,
        );
        if written.insert(&cluster.key) {
            table.add(&id(cluster), &values).await?;
        }
    }
    table.end().await?;
    let mut table = loader.table("cluster_member", "cluster_id, entity_id");
    for cluster in clusters {
        let of = table.id(&id(cluster));
        for member in &cluster.members {
            let member = table.id(&hex(member.id.uuid().as_u128()));
            table.add_next(&format!("{of}, {member}")).await?;
        }
    }
    table.end().await?;
    let columns = "canonical_id, member_id, confidence, reason";
    let mut table = loader.table("same_as_link", columns);
    for cluster in clusters {
        let canonical = table.id(&hex(cluster.canonical.uuid().as_u128()));
        let others = cluster.members.iter();
        for member in others.filter(|member| member.id != cluster.canonical) {
            let id = table.id(&hex(member.id.uuid().as_u128()));
            let values = format!(
                "{canonical}, {id}, {}, '{}'",
                member.confidence, member.reason
            );
            table.add_next(&values).await?;
        }
    }
    table.end().await
}
