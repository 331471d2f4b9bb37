//! Variables of the environment that look like settings and are none: a slip of the pen would
//! otherwise leave a setting at its default in silence.

use super::{ENV_PREFIX, KEYS, OPENAI_KEYS};

/// What the binary reads beside its configuration.
const OTHERS: [&str; 4] = ["api_key", "log", "organization", "server"];

/// What tests and fault injection read: nobody is told of these.
const OF_TESTS: [&str; 5] = ["TEST_", "REQUIRE_", "FAILPOINT", "FAULTS", "RUN_LOG"];

/// What Kubernetes says, to every container, of a service that is called `knowledge`; its
/// `KNOWLEDGE_PORT` is a URL.
const OF_KUBERNETES: [&str; 2] = ["SERVICE_", "PORT_"];

/// From here on two names are taken for one with a slip.
const ALIKE: f64 = 0.8;

/// A variable that no setting has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is no setting of this release and changes nothing{}", hint(meant.as_deref()))]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The variable that was meant, where one is like it.
    pub meant: Option<String>,
}

fn hint(meant: Option<&str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
}

/// Those of some variables, names with values, that look like settings and are none, by name.
pub fn unknown_variables(
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<UnknownVariable> {
    let known = known_variables();
    let mut unknown: Vec<UnknownVariable> = variables
        .filter(|(name, value)| !known.contains(name) && is_meant_for_us(name, value))
        .map(|(name, _)| UnknownVariable {
            meant: nearest(&name, &known),
            name,
        })
        .collect();
    unknown.sort_by(|one, other| one.name.cmp(&other.name));
    unknown
}

fn is_meant_for_us(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix(ENV_PREFIX) else {
        return false;
    };
    let mut others = OF_TESTS.iter().chain(&OF_KUBERNETES);
    let is_port = rest == "PORT" && value.contains("://");
    !is_port && !others.any(|part| rest.starts_with(part))
}

fn known_variables() -> Vec<String> {
    let ours = KEYS.iter().filter(|key| !OPENAI_KEYS.contains(key));
    let ours = ours.chain(&OTHERS).map(|key| format!("{ENV_PREFIX}{key}"));
    let theirs = OPENAI_KEYS.iter().map(ToString::to_string);
    ours.chain(theirs).map(|name| name.to_uppercase()).collect()
}

/// The known variable that is most like a name, without what all of ours begin with.
fn nearest(name: &str, known: &[String]) -> Option<String> {
    let bare = |name: &str| name.strip_prefix(ENV_PREFIX).unwrap_or(name).to_owned();
    let likeness =
        |other: &String| strsim::normalized_damerau_levenshtein(&bare(name), &bare(other));
    known
        .iter()
        .map(|other| (likeness(other), other))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, other)| other.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> Vec<String> {
        let variables = names
            .iter()
            .map(|name| (name.to_string(), "8080".to_owned()));
        let unknown = unknown_variables(variables);
        unknown.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_known_and_what_is_not_ours_is_not_told() {
        let known = known_variables();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        assert!(known.contains(&"KNOWLEDGE_LLM_MODEL") && known.contains(&"OPENAI_API_KEY"));
        assert!(told(&known).is_empty());
        assert!(told(&["PATH", "OPENAI_ORG", "KNOWLEDGE_TEST_POSTGRES_URL"]).is_empty());
    }

    #[test]
    fn what_kubernetes_says_of_a_service_is_not_told() {
        assert!(told(&["KNOWLEDGE_SERVICE_HOST", "KNOWLEDGE_PORT_8080_TCP_ADDR"]).is_empty());
        let port = |value: &str| ("KNOWLEDGE_PORT".to_owned(), value.to_owned());
        assert!(unknown_variables([port("tcp://10.0.0.1:8080")].into_iter()).is_empty());
        assert_eq!(unknown_variables([port("8080")].into_iter()).len(), 1);
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant() {
        let lines = told(&[
            "KNOWLEDGE_TEMPORAL_ADDRESS",
            "KNOWLEDGE_LLM_MODLE",
            "KNOWLEDGE_OPENAI_API_KEY",
            "KNOWLEDGE_DATABASE-URL",
        ]);
        let says = "is no setting of this release and changes nothing";
        assert_eq!(
            lines,
            [
                format!("KNOWLEDGE_DATABASE-URL {says}; did you mean KNOWLEDGE_DATABASE_URL?"),
                format!("KNOWLEDGE_LLM_MODLE {says}; did you mean KNOWLEDGE_LLM_MODEL?"),
                format!("KNOWLEDGE_OPENAI_API_KEY {says}; did you mean OPENAI_API_KEY?"),
                format!("KNOWLEDGE_TEMPORAL_ADDRESS {says}"),
            ]
        );
    }
}
