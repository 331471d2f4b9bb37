//! A subscriber that goes on where it was, whatever is killed.

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{Client, client::EventStream, events::sequence};

/// The events of a batch as they came over SSE, over all connections.
#[derive(Default)]
pub(super) struct Follower {
    events: Vec<Value>,
    connection: Option<JoinHandle<Vec<Value>>>,
}

impl Follower {
    /// Subscribes to a server, after the last event that was seen.
    pub(super) fn follow(&mut self, client: &Client, id: &str) {
        let after = self.events.last().map(sequence);
        let (client, id) = (client.clone(), id.to_owned());
        self.connection = Some(tokio::spawn(
            async move { received(&client, &id, after).await },
        ));
    }

    /// Keeps what the connection brought, once it has ended.
    pub(super) async fn collect(&mut self) {
        if let Some(connection) = self.connection.take() {
            let received = connection.await.expect("the follower does not panic");
            self.events.extend(received);
        }
    }

    pub(super) fn events(&self) -> &[Value] {
        &self.events
    }
}

async fn received(client: &Client, id: &str, after: Option<u64>) -> Vec<Value> {
    let mut events = Vec::new();
    let Some(response) = client.try_sse(id, after).await else {
        return events;
    };
    let mut stream = EventStream::new(response);
    while let Ok(Some(event)) = stream.try_next().await {
        events.push(event);
    }
    events
}
