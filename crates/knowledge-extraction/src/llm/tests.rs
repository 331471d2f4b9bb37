use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use knowledge_domain::{
    Ontology, batch::ExtractionStrategy, graph::SourceText, workflow::BoxFuture,
};
use serde_json::json;

use super::*;
use crate::{ExtractionPipeline, PipelineConfig};

/// Answers with what it is told to, one after another; the last one again and again.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Answer, CallError>>>,
    asked: Mutex<Vec<Call>>,
    forgotten: Mutex<usize>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Result<Answer, CallError>>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Self::default()
        })
    }

    fn calls(&self) -> Vec<Call> {
        self.asked.lock().unwrap().clone()
    }
}

impl Models for Script {
    fn model(&self) -> &'static str {
        "scripted"
    }

    fn ask<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer, CallError>> {
        self.asked.lock().unwrap().push(call.clone());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            0 | 1 => answers.front().cloned().expect("an answer is scripted"),
            _ => answers.pop_front().expect("an answer is scripted"),
        };
        Box::pin(std::future::ready(answer))
    }

    fn forget<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Result<(), CallError>> {
        *self.forgotten.lock().unwrap() += 1;
        Box::pin(std::future::ready(Ok(())))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "scripts hold results")]
fn says(text: impl Into<String>) -> Result<Answer, CallError> {
    Ok(Answer {
        text: text.into(),
        usage: Usage {
            prompt_tokens: 10,
            completion_tokens: 5,
        },
        truncated: false,
    })
}

const TEXT: &str = "Zoë Thorne founded Thörne Ltd in 1902. She lived in Dunholm, and Dunholm was \
    proud of Zoë Thorne.";

/// What a good model says of [`TEXT`].
fn good() -> serde_json::Value {
    json!({
        "entities": [
            { "name": "Zoë Thorne", "type": "Person", "confidence": 0.9,
              "mentions": [{ "text": "Zoë Thorne", "start": 0 }, { "text": "Zoë Thorne", "start": 89 }],
              "attributes": [{ "name": "full gender", "value": "female" }] },
            { "name": "Thörne Ltd", "type": "Organization", "confidence": 0.9,
              "mentions": [{ "text": "Thörne Ltd", "start": 19 }], "attributes": [] },
            { "name": "1902", "type": "Date", "confidence": 0.9,
              "mentions": [{ "text": "1902", "start": 33 }], "attributes": [] },
            { "name": "Dunholm", "type": "Place", "confidence": 0.9,
              "mentions": [{ "text": "Dunholm", "start": 52 }, { "text": "Dunholm", "start": 65 }],
              "attributes": [] }
        ],
        "relations": [
            { "subject": "Zoë Thorne", "predicate": "founded", "object": "Thörne Ltd",
              "literal_type": null, "evidence": "Zoë Thorne founded Thörne Ltd in 1902.", "confidence": 0.9 },
            { "subject": "Thörne Ltd", "predicate": "founded in", "object": "1902",
              "literal_type": null, "evidence": "founded Thörne Ltd in 1902", "confidence": 0.9 },
            { "subject": "zoë thorne", "predicate": "livedIn", "object": "Dunholm",
              "literal_type": null, "evidence": "She lived in Dunholm", "confidence": 0.8 }
        ]
    })
}

async fn graph(
    script: &Arc<Script>,
    options: LlmOptions,
    text: &str,
) -> knowledge_domain::graph::DocumentGraph {
    let models = Arc::clone(script) as Arc<dyn Models>;
    let extractor = Arc::new(LlmExtractor::new(models, options));
    ExtractionPipeline::new(extractor)
        .run(text, &Ontology::core(), &PipelineConfig::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn one_answer_gives_the_whole_graph() {
    let script = Script::new([says(good().to_string())]);
    let graph = graph(&script, LlmOptions::default(), TEXT).await;
    assert_eq!(script.calls().len(), 1);
    let names: Vec<_> = graph
        .entities
        .iter()
        .map(|entity| entity.name.as_str())
        .collect();
    assert_eq!(names, ["Zoë Thorne", "Thörne Ltd", "Dunholm"]);
    assert_eq!(graph.entities[0].attributes["fullGender"], "female");
    assert_eq!(graph.mentions.len(), 6);
    let source = SourceText::new(TEXT).unwrap();
    assert!(
        graph
            .mentions
            .iter()
            .all(|mention| source.verifies(mention.span, &mention.text))
    );
    let predicates: Vec<_> = graph
        .relations
        .iter()
        .map(|relation| relation.predicate.as_str())
        .collect();
    assert_eq!(predicates, ["founded", "livedIn", "foundedIn"]);
    for evidence in graph
        .relations
        .iter()
        .flat_map(|relation| &relation.evidence)
    {
        assert!(source.verifies(evidence.span, &evidence.text));
    }
}

#[tokio::test]
async fn wrong_offsets_are_mended_and_what_is_not_in_the_text_is_dropped() {
    let mut answer = good();
    answer["entities"][0]["mentions"][1]["start"] = json!(40);
    answer["entities"][1]["mentions"][0]["start"] = json!(-3);
    answer["entities"][2]["mentions"][0]["start"] = json!(1_000_000_000_000_i64);
    answer["entities"][3]["type"] = json!("Wizard");
    answer["entities"].as_array_mut().unwrap().push(json!({
        "name": "Merlin", "type": "Person", "confidence": 0.9, "attributes": [],
        "mentions": [{ "text": "Merlin", "start": 0 }],
    }));
    let script = Script::new([says(answer.to_string())]);
    let graph = graph(&script, LlmOptions::default(), TEXT).await;
    let source = SourceText::new(TEXT).unwrap();
    assert!(
        graph
            .mentions
            .iter()
            .all(|mention| source.verifies(mention.span, &mention.text))
    );
    let names: Vec<_> = graph
        .entities
        .iter()
        .map(|entity| entity.name.as_str())
        .collect();
    assert_eq!(names, ["Zoë Thorne", "Thörne Ltd"]);
}

#[tokio::test]
async fn an_answer_in_prose_and_fences_is_read_and_one_that_is_none_is_asked_for_again() {
    let script = Script::new([
        says("I cannot see any JSON here."),
        says(format!("Sure!\n```json\n{}\n```", good())),
    ]);
    let graph = graph(&script, LlmOptions::default(), TEXT).await;
    assert_eq!(graph.entities.len(), 3);
    let calls = script.calls();
    assert_eq!(calls.len(), 2);
    assert_ne!(
        calls[0].prompt, calls[1].prompt,
        "another question, another key"
    );
    assert!(
        calls[1].user.contains("holds no JSON object"),
        "{}",
        calls[1].user
    );
    assert_eq!(*script.forgotten.lock().unwrap(), 0);
}

/// Objects in objects or in lists, lists alone, single quotes, thoughts: what models put around an
/// answer or leave out of it.
#[tokio::test]
async fn an_answer_is_found_in_what_is_around_it() {
    let good = good();
    let python = good.to_string().replace('"', "'").replace("null", "None");
    let mut items = good["entities"].as_array().unwrap().clone();
    items.extend(good["relations"].as_array().unwrap().iter().cloned());
    for text in [
        format!("<think>Is it {{\"entities\": [], \"relations\": []}}?</think>{good}"),
        format!("no, {{\"entities\": []}} it is not.</think>\n{good}"),
        json!({ "result": good }).to_string(),
        json!([good]).to_string(),
        json!(items).to_string(),
        python,
    ] {
        let script = Script::new([says(text.clone())]);
        let graph = graph(&script, LlmOptions::default(), TEXT).await;
        assert_eq!(
            (graph.entities.len(), graph.relations.len()),
            (3, 3),
            "{text}"
        );
        assert_eq!(script.calls().len(), 1, "{text}");
    }
}

/// An object of something else is no answer of nothing.
#[tokio::test]
async fn an_object_of_something_else_is_asked_for_again() {
    let other = json!({ "thought": "I see a person", "steps": [1] });
    let script = Script::new([says(other.to_string()), says(good().to_string())]);
    let graph = graph(&script, LlmOptions::default(), TEXT).await;
    assert_eq!((graph.entities.len(), script.calls().len()), (3, 2));
}

fn thinks() -> Result<Answer, CallError> {
    says("<think>Who might Zoë").map(|answer| Answer {
        truncated: true,
        ..answer
    })
}

/// A text in halves would be thought about twice as long.
#[tokio::test]
async fn a_model_that_thinks_too_long_is_given_all_the_room_and_no_halves() {
    let text = format!("{TEXT} ").repeat(3);
    let script = Script::new([thinks(), says(good().to_string())]);
    let graph = graph(&script, LlmOptions::default(), text.trim()).await;
    assert_eq!(graph.entities.len(), 3);
    let limits: Vec<_> = script
        .calls()
        .iter()
        .map(|call| call.max_output_tokens)
        .collect();
    assert!(limits[0] < 4_096 && limits[1..] == [4_096], "{limits:?}");

    let script = Script::new([thinks()]);
    let models = Arc::clone(&script) as Arc<dyn Models>;
    let extractor = Arc::new(LlmExtractor::new(models, LlmOptions::default()));
    let error = ExtractionPipeline::new(extractor)
        .run(text.trim(), &Ontology::core(), &PipelineConfig::default())
        .await
        .unwrap_err();
    let chain = format!("{:?}", std::error::Error::source(&error).unwrap());
    assert!(chain.contains("KNOWLEDGE_LLM_MAX_OUTPUT_TOKENS"), "{chain}");
    assert_eq!(
        (script.calls().len(), *script.forgotten.lock().unwrap()),
        (2, 2)
    );
}

#[tokio::test]
async fn a_unit_without_a_valid_answer_fails_by_name_and_is_forgotten() {
    let script = Script::new([says("no")]);
    let models = Arc::clone(&script) as Arc<dyn Models>;
    let extractor = Arc::new(LlmExtractor::new(models, LlmOptions::default()));
    let error = ExtractionPipeline::new(extractor)
        .run(TEXT, &Ontology::core(), &PipelineConfig::default())
        .await
        .unwrap_err();
    let cause = std::error::Error::source(&error)
        .and_then(|error| error.source())
        .unwrap();
    assert!(
        cause
            .to_string()
            .contains("1 of 1 units have no result: mentions/0"),
        "{cause}"
    );
    assert_eq!(script.calls().len(), 3);
    assert_eq!(
        *script.forgotten.lock().unwrap(),
        3,
        "another attempt asks again"
    );
}

#[tokio::test]
async fn a_text_that_is_too_long_is_asked_for_in_halves() {
    let text = format!("{TEXT} ").repeat(4);
    let script = Script::new([Err(CallError::ContextOverflow), says(good().to_string())]);
    let graph = graph(&script, LlmOptions::default(), text.trim()).await;
    assert_eq!(script.calls().len(), 3);
    let source = SourceText::new(text.trim()).unwrap();
    assert!(
        graph
            .mentions
            .iter()
            .all(|mention| source.verifies(mention.span, &mention.text))
    );
    assert!(
        graph
            .mentions
            .iter()
            .any(|mention| mention.span.start() > 200)
    );
}

#[tokio::test]
async fn gleaning_asks_until_nothing_was_missed() {
    let mut first = good();
    first["entities"].as_array_mut().unwrap().truncate(2);
    first["relations"] = json!([]);
    let mut second = good();
    second["entities"] = json!([second["entities"][3]]);
    second["relations"] = json!([]);
    let nothing = json!({ "entities": [], "relations": [] });
    let script = Script::new([
        says(first.to_string()),
        says(second.to_string()),
        says(nothing.to_string()),
    ]);
    let options = LlmOptions {
        gleaning_rounds: 5,
        ..LlmOptions::default()
    };
    let graph = graph(&script, options, TEXT).await;
    assert_eq!(script.calls().len(), 3);
    assert_eq!(graph.entities.len(), 3);
    assert!(script.calls()[1].user.contains("Zoë Thorne; Thörne Ltd"));
}

#[tokio::test]
async fn the_staged_way_asks_for_each_stage() {
    let mentions = json!({ "mentions": [
        { "text": "Zoë Thorne", "start": 0, "type": "Person", "confidence": 0.9 },
        { "text": "Thörne Ltd", "start": 3, "type": "Organization", "confidence": 0.9 },
        { "text": "1902", "start": 33, "type": "Date", "confidence": 0.9 },
    ]});
    let entities = json!({ "entities": [
        { "name": "Zoë Thorne", "types": ["Person"], "mentions": [0, 99, -1], "attributes": [], "confidence": 0.9 },
        { "name": "Thörne Ltd", "types": ["Organization"], "mentions": [1], "attributes": [], "confidence": 0.9 },
    ]});
    let relations = json!({ "relations": [
        { "subject": 0, "predicate": "founded", "object": 1, "literal": null, "literal_type": null,
          "evidence": "Zoë Thorne founded Thörne Ltd", "confidence": 0.9 },
        { "subject": 1, "predicate": "foundedIn", "object": null, "literal": "1902", "literal_type": "Date",
          "evidence": "in 1902", "confidence": 0.9 },
        { "subject": 0, "predicate": "invented", "object": 1, "literal": null, "literal_type": null,
          "evidence": "nowhere in the text", "confidence": 0.9 },
    ]});
    let script = Script::new([
        says(mentions.to_string()),
        says(entities.to_string()),
        says(relations.to_string()),
    ]);
    let options = LlmOptions {
        strategy: ExtractionStrategy::Staged,
        ..LlmOptions::default()
    };
    let graph = graph(&script, options, TEXT).await;
    let prompts: Vec<_> = script.calls().into_iter().map(|call| call.prompt).collect();
    assert_eq!(prompts, ["mentions@1", "entities@1", "relations@1"]);
    assert_eq!(graph.entities.len(), 2);
    assert_eq!(graph.relations.len(), 2);
}

#[test]
fn an_estimate_counts_every_call() {
    let text = "Ilse Varga founded Calder Instruments in Halvern. ".repeat(100);
    let config = PipelineConfig::default();
    let estimate_with = |strategy| {
        let options = LlmOptions {
            strategy,
            ..LlmOptions::default()
        };
        let price = Price {
            prompt: 1.0,
            completion: 2.0,
        };
        let tokenizer = Tokenizer::of_model("anything");
        estimate(
            [text.as_str(), " "],
            &Ontology::core(),
            &config,
            &options,
            tokenizer,
            Some(price),
        )
    };
    let single = estimate_with(ExtractionStrategy::Single);
    assert_eq!((single.documents, single.chunks, single.calls), (2, 3, 3));
    let usage = single.usage;
    assert_eq!(
        single.cost_micro_usd,
        Some(usage.prompt_tokens + 2 * usage.completion_tokens)
    );
    assert!(
        usage.prompt_tokens > 3 * 300 && usage.completion_tokens > 1_000,
        "{usage:?}"
    );
    let staged = estimate_with(ExtractionStrategy::Staged);
    assert_eq!(staged.calls, 8, "two a chunk, and two batches of mentions");
}
