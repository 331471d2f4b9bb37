//! What tokens cost.

use serde::{Deserialize, Serialize};

use super::Usage;

/// The price of a model's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for a million tokens of questions.
    pub prompt: f64,
    /// US dollars for a million tokens of answers.
    pub completion: f64,
}

impl Price {
    /// What this usage costs, in millionths of a US dollar, rounded up.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float to integer cast saturates, and prices are not negative"
    )]
    pub fn micro_usd(self, usage: Usage) -> u64 {
        let cost = self.prompt * usage.prompt_tokens as f64
            + self.completion * usage.completion_tokens as f64;
        cost.max(0.0).ceil() as u64
    }
}

/// The prices of models by the beginnings of their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceTable(pub std::collections::BTreeMap<String, Price>);

impl PriceTable {
    /// The price of a model: the entry with the longest name that its name begins with.
    #[must_use]
    pub fn of_model(&self, model: &str) -> Option<Price> {
        self.0
            .iter()
            .filter(|(name, _)| model.starts_with(name.as_str()))
            .max_by_key(|(name, _)| name.len())
            .map(|(_, price)| *price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_prices_a_model() {
        let price = |prompt, completion| Price { prompt, completion };
        let table = PriceTable(
            [
                ("small".to_owned(), price(1.0, 2.0)),
                ("small-large".to_owned(), price(10.0, 20.0)),
            ]
            .into(),
        );
        let usage = Usage {
            prompt_tokens: 1_000,
            completion_tokens: 10,
        };
        let cost = |model: &str| table.of_model(model).map(|price| price.micro_usd(usage));
        assert_eq!(cost("small-2"), Some(1_020));
        assert_eq!(cost("small-large-2"), Some(10_200));
        assert_eq!(cost("other"), None);
    }

    #[test]
    fn a_part_of_a_millionth_is_rounded_up() {
        let usage = Usage {
            prompt_tokens: 1,
            completion_tokens: 0,
        };
        let price = Price {
            prompt: 0.15,
            completion: 0.6,
        };
        assert_eq!(price.micro_usd(usage), 1);
        assert_eq!(price.micro_usd(Usage::default()), 0);
    }
}
