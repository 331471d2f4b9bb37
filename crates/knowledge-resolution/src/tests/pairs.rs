//! Pairs of names of all kinds, each with nothing known but its class.

use super::*;

/// One pair a line: `=` is one thing, `!` are two; then the class and the names.
const PAIRS: &str = include_str!("pairs.txt");

#[test]
fn names_of_one_thing_meet_and_others_do_not() {
    let mut wrong = Vec::new();
    for line in PAIRS.lines() {
        let (sign, pair) = line.split_once(' ').expect("a sign and a pair");
        let [class, one, other] = pair
            .split(" | ")
            .collect::<Vec<_>>()
            .try_into()
            .expect("a class and two names");
        let names = of_class(class, &[one, other]);
        let clusters = resolve(&names, &Decisions::default(), &Settings::default());
        if (clusters.len() == 1) != (sign == "=") {
            wrong.push(line);
        }
    }
    assert!(PAIRS.lines().count() > 650);
    assert_eq!(wrong, Vec::<&str>::new());
}

#[test]
fn terms_that_differ_in_a_letter_are_asked_about() {
    for (class, one, other) in [
        ("Chemical", "sodium nitrate", "sodium nitrite"),
        ("Disease", "hypertension", "hypotension"),
        ("Thing", "immigration", "inmigration"),
    ] {
        let [one, other] =
            [(1, one), (2, other)].map(|(at, name)| Form::of(&candidate(at, name, class)));
        let settings = Settings::default();
        let found = compare(&one, &other, &settings);
        assert_eq!(found.rule, Some(Rule::SimilarName), "{found:?}");
        assert!(found.asked(&settings), "{found:?}");
    }
}
