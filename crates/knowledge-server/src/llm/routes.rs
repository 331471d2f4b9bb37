//! The ways to answers: an endpoint with a model each, opened when first asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use knowledge_domain::Clock;

use super::{
    provider::Provider,
    question::Question,
    route::Route,
    settings::{Endpoint, LlmSettings},
};
use crate::store::{StoreError, calls::CallLog};

/// The endpoints in the order in which they are asked, with a circuit breaker for each model.
pub(super) struct Routes {
    endpoints: Vec<(Endpoint, Arc<dyn Provider>)>,
    open: Mutex<BTreeMap<(usize, String), Arc<Route>>>,
    settings: Arc<LlmSettings>,
    log: CallLog,
    clock: Arc<dyn Clock>,
}

impl Routes {
    /// The routes to the endpoints of the settings; breakers go on from where they were left.
    pub(super) async fn open(
        settings: Arc<LlmSettings>,
        clients: Vec<Arc<dyn Provider>>,
        log: CallLog,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let endpoints = std::iter::once(&settings.primary).chain(&settings.fallback);
        let endpoints: Vec<_> = endpoints.cloned().zip(clients).collect();
        let routes = Self {
            endpoints,
            open: Mutex::new(BTreeMap::new()),
            settings,
            log,
            clock,
        };
        for (at, (endpoint, _)) in routes.endpoints.iter().enumerate() {
            routes.route(at, &endpoint.model).await?;
        }
        Ok(routes)
    }

    /// Who may answer a question to `model`, the first one first. A fallback answers with a model of
    /// its own; vectors of another model would mean nothing beside the others.
    pub(super) async fn of(
        &self,
        question: &Question,
        model: &str,
    ) -> Result<Vec<Arc<Route>>, StoreError> {
        let mut routes = vec![self.route(0, model).await?];
        if let (Question::Chat(_), Some((fallback, _))) = (question, self.endpoints.get(1)) {
            routes.push(self.route(1, &fallback.model).await?);
        }
        Ok(routes)
    }

    /// Every route that was opened, the first endpoint's first.
    pub(super) fn all(&self) -> Vec<Arc<Route>> {
        self.lock().values().cloned().collect()
    }

    async fn route(&self, at: usize, model: &str) -> Result<Arc<Route>, StoreError> {
        let key = (at, model.to_owned());
        if let Some(route) = self.lock().get(&key) {
            return Ok(Arc::clone(route));
        }
        let (endpoint, provider) = self
            .endpoints
            .get(at)
            .ok_or_else(|| StoreError::corrupt("an endpoint that has no client"))?;
        let name = endpoint.provider();
        let left = self.log.breaker(&name, model).await?;
        let route = Route::new(
            Arc::clone(provider),
            (name, model.to_owned()),
            self.settings.price(model),
            (self.settings.breaker, left),
            self.log.clone(),
            Arc::clone(&self.clock),
        );
        // Whoever opened it meanwhile has the breaker that counts.
        let mut open = self.lock();
        let route = open.entry(key).or_insert_with(|| Arc::new(route));
        Ok(Arc::clone(route))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(usize, String), Arc<Route>>> {
        // A route is put in whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
