//! Models are told the classes and properties of an ontology, and kept to them.

use std::{collections::BTreeSet, fs};

use knowledge_tests::{
    each_database,
    provider::{Provider, Script},
};
use serde_json::{Value, json};

use crate::run::{corpus, extract};

const HARBOUR: &str = r#"
@prefix : <https://example.org/harbour#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
:Agent a owl:Class .
:Person a owl:Class ; rdfs:subClassOf :Agent ; skos:definition "A human being who lives or lived." .
:Place a owl:Class ; skos:altLabel "locality" .
:worksFor a owl:ObjectProperty ; rdfs:domain :Person .
:livesIn a owl:ObjectProperty ; rdfs:domain :Person ; rdfs:range :Place .
"#;

each_database! {
    async fn a_model_is_told_the_ontology_and_kept_to_it(db: TestDatabase) {
        let provider = Provider::start(Script::default());
        corpus(&db, 3, 3);
        let path = db.folder().join("harbour.ttl");
        fs::write(&path, HARBOUR).unwrap();
        let path = path.to_string_lossy();

        let count = |run: &Value| run["promptTokens"].as_u64();
        let core = extract(&db, &provider, &[], &["--dry-run"]);
        let planned = extract(&db, &provider, &[], &["--dry-run", "--ontology", &path]);
        planned.assert_exit(0);
        assert!(count(&core.totals) > Some(0), "{}", core.totals);
        assert_ne!(count(&core.totals), count(&planned.totals), "its words are counted");
        assert_eq!(provider.calls(), 0);
        assert!(knowledge_tests::rows::texts(&db).await.is_empty(), "nothing is stored");

        let run = extract(&db, &provider, &[], &["--ontology", &path]);
        run.assert_exit(0);
        let asked = provider.seen();
        let told = [
            "- Person (a kind of Agent): A human being who lives or lived.\n",
            "- Place, also “locality”\n",
            "- livesIn: Person → Place\n",
            "- worksFor: Person → any entity",
        ];
        for seen in &asked {
            assert!(told.iter().all(|line| seen.instructions.contains(line)), "{}", seen.instructions);
            assert!(!seen.instructions.contains("Organization"), "{}", seen.instructions);
        }
        let entities = run.graph["entities"].as_array().unwrap().iter();
        let types: BTreeSet<_> = entities.map(|entity| entity["types"].to_string()).collect();
        let expected = [json!(["Person"]).to_string(), json!(["Place"]).to_string()];
        assert_eq!(types, BTreeSet::from(expected));
        let rejections = &run.totals["rejections"];
        assert!(rejections["unknownTypes"].as_u64() > Some(0), "{rejections}");

        // What was answered with other words is not taken for an answer.
        let calls = provider.calls();
        extract(&db, &provider, &[], &[]).assert_exit(0);
        assert_eq!(provider.calls(), 2 * calls);
        knowledge_tests::verify(&db).await;
    }
}
