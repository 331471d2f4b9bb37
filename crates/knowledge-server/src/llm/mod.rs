//! Calls of models: everything between a question and a provider's answer.
//!
//! A question goes through the cache (with one call for all who ask the same), the batch's budget,
//! the limiter, the circuit breaker and the provider, then the fallback provider. Owns the effects;
//! what is asked and what is made of an answer is `knowledge_extraction::llm`. Every call is
//! recorded before it is sent, so that after a crash it is known which may be paid for twice.

mod breaker;
mod calibration;
mod complaint;
mod counts;
mod dialect;
mod failure;
mod flights;
mod gateway;
mod limiter;
mod openai;
mod provider;
mod question;
mod queue;
mod route;
mod routes;
mod session;
mod settings;
mod usage;
mod wait;
mod wire;

#[cfg(test)]
mod tests;

/// Chooses the implementation of TLS for this process; every HTTP client needs it first.
pub fn choose_tls() {
    // Chosen once in a process; whoever was first has chosen the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub use breaker::{BreakerRules, BreakerState, BreakerStatus, CircuitBreaker};
pub use gateway::{Gateway, GatewayHealth, RouteHealth};
pub use limiter::{Limiter, LimiterRules, LimiterSnapshot, Permit};
pub use openai::OpenAi;
pub use provider::{Embeddings, Provider, ProviderAnswer, ProviderError};
pub use queue::Caller;
pub use session::Session;
pub use settings::{Endpoint, LlmSettings, Secret};
pub use usage::Reported;
