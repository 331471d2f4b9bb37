//! Forms with vectors.

use super::{forest::Forest, *};

/// A vector at an angle to the first axis, in degrees, in the plane of another axis.
fn at(degrees: f32, axis: usize) -> Option<Vector> {
    let mut values = vec![0.0; 24];
    values[0] = degrees.to_radians().cos();
    values[axis] = degrees.to_radians().sin();
    Vector::new("m", values, &[0.0; 24])
}

fn form(document: usize, name: &str, class: &str, vector: Option<Vector>) -> Form {
    let mut form = Form::of(&candidate(document, name, class));
    form.vector = vector;
    form
}

/// Clusters of several names, and what is asked, from all forms or from those that begin with one.
fn explored(forms: &[Form], from: &[Form]) -> (Vec<Vec<String>>, Vec<(String, String)>) {
    let mut exploration = Exploration::new(Settings::default(), from.iter().cloned());
    let forest = Forest::of(forms);
    loop {
        let wanted = exploration.next_blocks();
        if wanted.is_empty() {
            break;
        }
        for (key, keys) in &wanted {
            let shares = |form: &&Form| form.block_keys().iter().any(|key| keys.contains(key));
            let near: Vec<&Form> = forms.iter().filter(shares).collect();
            exploration.see(near.iter().map(|form| (*form).clone()));
            exploration.compare(near.iter().map(|form| (key.as_str(), form.key.as_str())));
            let alike = exploration.alike(key, |tree, address| forest.leaf(tree, address));
            let alike = alike
                .iter()
                .map(|form| &forms[form.uuid().as_u128() as usize]);
            let alike: Vec<&Form> = alike.collect();
            exploration.see(alike.iter().map(|form| (*form).clone()));
            exploration
                .compare_meanings(alike.iter().map(|form| (key.as_str(), form.key.as_str())));
        }
    }
    let found = exploration.finish(&Decisions::default());
    let several = found
        .clusters
        .iter()
        .filter(|cluster| cluster.forms.len() > 1);
    let names = several.map(|cluster| {
        let names = cluster.forms.iter().map(|at| found.forms[*at].name.clone());
        names.collect()
    });
    let asked = found
        .asked
        .iter()
        .map(|asked| (asked.left.clone(), asked.right.clone()));
    (names.collect(), asked.collect())
}

fn all(forms: &[Form]) -> (Vec<Vec<String>>, usize) {
    let (clusters, asked) = explored(forms, forms);
    (clusters, asked.len())
}

/// Two names of a class in two documents, at an angle.
fn two(class: &str, names: [&str; 2], degrees: f32) -> (Vec<Vec<String>>, usize) {
    all(&[
        form(0, names[0], class, at(0.0, 1)),
        form(1, names[1], class, at(degrees, 1)),
    ])
}

#[test]
fn somebody_is_asked_whether_near_names_mean_the_same() {
    for (class, names) in [
        ("Place", ["NYC", "New York City"]),
        ("Organization", ["Deutsche Bahn", "German Railways"]),
        ("Person", ["Mark Twain", "Samuel Clemens"]),
        ("Software", ["Windows", "Linux"]),
    ] {
        for degrees in [5.0, 15.0, 33.0] {
            assert_eq!(two(class, names, degrees), (Vec::new(), 1), "{names:?}");
        }
        assert_eq!(two(class, names, 60.0), (Vec::new(), 0), "{names:?}");
    }
    let together = [
        form(0, "NYC", "Place", at(0.0, 1)),
        form(0, "New York City", "Place", at(5.0, 1)),
    ];
    assert_eq!(all(&together), (Vec::new(), 1), "one document has both");
}

#[test]
fn what_only_meanings_bring_together_is_asked_about_at_most() {
    let forms = [
        form(0, "Elias Brandt", "Person", at(0.0, 1)),
        form(1, "Elias Brant", "Person", at(5.0, 1)),
        form(2, "NYC", "Place", at(0.0, 2)),
        form(3, "New York City", "Place", at(5.0, 2)),
    ];
    let found = |by_name: bool| {
        let mut exploration = Exploration::new(Settings::default(), forms.clone());
        let pair = |one: usize, other: usize| (forms[one].key.as_str(), forms[other].key.as_str());
        let pairs = [pair(0, 1), pair(2, 3)];
        if by_name {
            exploration.compare(pairs);
        } else {
            exploration.compare_meanings(pairs);
        }
        let found = exploration.finish(&Decisions::default());
        (found.clusters.len(), found.asked.len())
    };
    assert_eq!(found(true), (3, 1));
    assert_eq!(found(false), (4, 1));
}

#[test]
fn nothing_else_turns_the_question_into_a_link() {
    let near = |place, name, vector| {
        let mut form = Form::of(&with(candidate(place, name, "Place"), "founded", "1143"));
        form.neighbours = ["elbe", "saxony", "germany"].into_iter().collect();
        form.vector = vector;
        form
    };
    let forms = [
        near(0, "Karl-Marx-Stadt", at(0.0, 1)),
        near(1, "Chemnitz", at(3.0, 1)),
    ];
    assert_eq!(all(&forms), (Vec::new(), 1));
}

#[test]
fn a_model_that_cannot_read_a_name_says_nothing_of_it() {
    for names in [["東京", "京都"], ["北京大学", "东京大学"]] {
        assert_eq!(two("Organization", names, 0.0), (Vec::new(), 0));
    }
}

#[test]
fn no_nearness_gets_round_a_guard() {
    for (class, names) in [
        ("Work", ["Boeing 737", "Boeing 747"]),
        ("Work", ["A320", "A321"]),
        ("Place", ["North Carrick", "South Carrick"]),
        ("Person", ["Elias Brandt", "Emma Brandt"]),
        (
            "Organization",
            ["Copenhagen University", "Aarhus University"],
        ),
        ("Substance", ["vitamin C", "vitamin D"]),
    ] {
        assert_eq!(two(class, names, 5.0), (Vec::new(), 0), "{names:?}");
    }
    let born = |place, name, year| {
        let mut form = Form::of(&with(candidate(place, name, "Place"), "founded", year));
        form.vector = at(5.0 * f32::from(u8::from(place == 0)), 1);
        form
    };
    let founded = [
        born(0, "Karl-Marx-Stadt", "1143"),
        born(1, "Chemnitz", "1953"),
    ];
    assert_eq!(all(&founded), (Vec::new(), 0));
    let other = [
        form(0, "NYC", "Place", at(0.0, 1)),
        form(1, "New York City", "Organization", at(5.0, 1)),
    ];
    assert_eq!(all(&other), (Vec::new(), 0));
}

#[test]
fn a_question_is_the_same_from_either_side() {
    let forms = [
        form(0, "NYC", "Place", at(0.0, 1)),
        form(1, "New York City", "Place", at(33.0, 1)),
        form(2, "Meyer", "Person", None),
        form(3, "Maier", "Person", None),
    ];
    let all = explored(&forms, &forms).1;
    assert_eq!(all.len(), 2, "{all:?}");
    for form in &forms {
        let (clusters, asked) = explored(&forms, std::slice::from_ref(form));
        assert!(clusters.is_empty());
        assert!(asked.len() == 1 && all.contains(&asked[0]), "{asked:?}");
    }
}

#[test]
fn a_cosine_is_a_feature_of_its_own() {
    let settings = Settings::default();
    let (left, right) = (
        form(0, "Elias Brandt", "Person", at(0.0, 1)),
        form(1, "E. Brandt", "Person", at(60.0, 1)),
    );
    let compared = compare(&left, &right, &settings);
    let cosine = compared.features.iter().find(|it| it.name == "cosine");
    let cosine = cosine.expect("both have a vector");
    assert!((cosine.value - 0.75).abs() < 1e-3 && cosine.weight > 0.0);
    assert_eq!(
        (compared.rule, compared.accepted(&settings)),
        (Some(Rule::Initials), true)
    );
    let mut unknown = right.clone();
    unknown.vector = None;
    let compared = compare(&left, &unknown, &settings);
    assert!(compared.features.iter().all(|it| it.name != "cosine"));
    unknown.vector = Vector::new("another", vec![1.0; 24], &[0.0; 24]);
    let compared = compare(&left, &unknown, &settings);
    assert!(compared.features.iter().all(|it| it.name != "cosine"));
}

#[test]
fn the_text_of_a_meaning_is_a_function_of_the_form() {
    let text = |candidate| Form::of(&candidate).meaning();
    let born = with(
        candidate(0, "Dr. Elias BRANDT", "https://schema.org/Person"),
        "birthYear",
        "1842",
    );
    assert_eq!(text(born.clone()), "elias brandt (person; birthyear 1842)");
    let mut told = born;
    told.aliases = vec!["Brandt".to_owned()];
    told.neighbours = vec!["Halvern".to_owned()];
    assert_eq!(text(told), "elias brandt (person; birthyear 1842)");
}
