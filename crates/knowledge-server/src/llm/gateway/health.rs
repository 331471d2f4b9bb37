//! How the calls of a gateway fare, as it is shown to users.

use super::Gateway;
use crate::llm::{breaker::BreakerState, limiter::LimiterSnapshot};

/// How the calls of models fare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayHealth {
    /// Calls that run and wait.
    pub limiter: LimiterSnapshot,
    /// The providers, the first one first.
    pub routes: Vec<RouteHealth>,
}

/// How a provider fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteHealth {
    /// Who is asked: `https://api.openai.com`.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Its circuit breaker.
    pub breaker: BreakerState,
}

impl Gateway {
    /// How the calls fare: those of this process, and the providers as any process has found them.
    pub async fn health(&self) -> GatewayHealth {
        let mut routes = Vec::new();
        for route in self.0.routes.all() {
            route.listen().await;
            routes.push(RouteHealth {
                provider: route.name.clone(),
                model: route.model.clone(),
                breaker: route.state(),
            });
        }
        GatewayHealth {
            limiter: self.0.limiter.snapshot(),
            routes,
        }
    }
}
