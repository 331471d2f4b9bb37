//! Vectors of texts take the same way as every other call.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use knowledge_domain::{
    Clock, Entropy,
    ids::{BatchId, ExecutionId, OrganizationId},
    workflow::SuspendReason,
};
use knowledge_extraction::llm::CallError;
use knowledge_server::{
    environment::{SystemClock, SystemEntropy},
    llm::{
        BreakerStatus, Endpoint, Gateway, LimiterRules, LlmSettings, OpenAi, Provider as Client,
        Session,
    },
    store::{Store, calls::CallLog},
};
use knowledge_tests::{
    each_database,
    provider::{Provider, Reply, Script},
};

const ORG: OrganizationId = OrganizationId::DEFAULT;
const MODEL: &str = "text-embedding-3-small";

async fn gateway(store: &Store, provider: &Provider) -> Gateway {
    let endpoint = Endpoint {
        base_url: provider.url(),
        api_key: None,
        model: "scripted-1".to_owned(),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = LlmSettings {
        limits: LimiterRules {
            permits: 2,
            requests_per_minute: 0,
            tokens_per_minute: 0,
        },
        ..LlmSettings::new(endpoint.clone())
    };
    let client = OpenAi::new(endpoint, settings.timeout, Arc::clone(&clock));
    let clients = vec![Arc::new(client.expect("a client can be made")) as Arc<dyn Client>];
    let log = CallLog::new(
        store.clone(),
        Arc::clone(&clock),
        Arc::new(SystemEntropy),
        settings.timeout,
    );
    let gateway = Gateway::open(settings, clients, log, clock).await;
    gateway.expect("the record of calls can be read")
}

each_database! {
    async fn a_vector_is_asked_for_once_limited_and_accounted_for(db: TestDatabase) {
        let store = db.open().await;
        let provider = Provider::start(Script::answering(Duration::from_millis(30)));
        let gateway = gateway(&store, &provider).await;
        let (batch, execution) = (
            BatchId::from_uuid(SystemEntropy.uuid_v7()),
            ExecutionId::from_uuid(SystemEntropy.uuid_v7()),
        );
        let session = Session::new(gateway, ORG).of_workflow(batch, execution, None);
        let texts = ["Halvern", "Port Ellis", "Halvern", "Steinach", "Calder", "Halvern"];
        let vectors = join_all(texts.iter().map(|text| session.vectors(MODEL, "vectors/0", vec![(*text).to_owned()]))).await;
        let vectors: Vec<_> = vectors.into_iter().map(Result::unwrap).collect();
        assert_eq!((provider.calls(), provider.most_in_flight()), (4, 2), "each once, two at a time");
        assert_eq!(vectors[0].0, vectors[2].0);
        assert_ne!(vectors[0].0, vectors[1].0);
        assert_eq!(vectors.iter().map(|it| it.1.total()).sum::<u64>(), provider.tokens());
        let account = store.reads(ORG).account(batch).await.unwrap();
        assert_eq!(account.totals.tokens, provider.tokens());
        assert!(provider.seen().iter().all(|seen| seen.model == "text-embedding-3-small" && seen.path == "embeddings"));

        // From memory, in whichever process.
        let later = self::gateway(&store, &provider).await;
        let (vector, usage) = Session::new(later, ORG).vectors(MODEL, "vectors/1", vec!["Halvern".to_owned()]).await.unwrap();
        assert_eq!((vector, usage.total(), provider.calls()), (vectors[0].0.clone(), 0, 4));
    }

    async fn vectors_have_a_breaker_of_their_own(db: TestDatabase) {
        let store = db.open().await;
        let provider = Provider::start(Script::default().then([Reply::Status(500); 5]));
        let gateway = gateway(&store, &provider).await;
        let session = Session::new(gateway.clone(), ORG);
        for number in 0..5 {
            let failed = session.vectors(MODEL, "vectors/0", vec![format!("text {number}")]).await.unwrap_err();
            assert!(matches!(failed, CallError::Unavailable { .. }), "{failed:?}");
        }
        let left_alone = session.vectors(MODEL, "vectors/0", vec!["text".to_owned()]).await.unwrap_err();
        let CallError::Suspended(suspension) = left_alone else { panic!("{left_alone:?}") };
        assert_eq!(suspension.reason, SuspendReason::BreakerOpen);
        assert_eq!(provider.calls(), 5);
        let routes = gateway.health().await.routes;
        let fared: Vec<_> = routes.iter().map(|it| (it.model.as_str(), it.breaker.status())).collect();
        assert_eq!(fared, [("scripted-1", BreakerStatus::Closed), ("text-embedding-3-small", BreakerStatus::Open)]);
    }
}
