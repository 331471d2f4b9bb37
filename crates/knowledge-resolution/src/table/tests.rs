use super::*;

fn records(rows: &[&str]) -> Vec<Record> {
    let rows = rows.iter().map(|row| {
        let mut values = row.split('|').map(str::to_owned);
        Record {
            id: values.next().unwrap_or_default(),
            values: values.collect(),
        }
    });
    rows.collect()
}

fn pairs(links: &[Link]) -> Vec<(&str, &str)> {
    links
        .iter()
        .map(|link| (link.left.as_str(), link.right.as_str()))
        .collect()
}

#[test]
fn rows_of_two_tables_meet() {
    let left = records(&[
        "a|Semantic integration of environmental models|D. Scott Mackay|1999",
        "b|Mining the World Wide Web|Aris M. Ouksel|2002",
        "c|Report on DART 96|Nandit Soparkar|1997",
    ]);
    let right = records(&[
        "1|mining the world-wide web|A Ouksel|2002",
        "2|Semantic integration of enviromental models|D S Mackay|1999",
        "3|Something quite different|Nobody|1990",
    ]);
    let links = link_tables(&left, Some(&right));
    assert_eq!(pairs(&links), [("a", "2"), ("b", "1")]);
    assert!(
        links
            .iter()
            .all(|link| (0.0..=1.0).contains(&link.confidence))
    );
    assert!(links[0].reason.starts_with("1:"), "{}", links[0].reason);
}

#[test]
fn rows_of_one_table_meet_as_a_whole() {
    let rows = records(&[
        "1|Maria|Lindqvist|12 Harbour Street|Kingsferry|19620417",
        "2|Maria|Lindquist|12 Harbour Street|Kingsferry|19620417",
        "3|Lindqvist|Maria|12 Harbour Street||19620417",
        "4|Owen|Maddock|3 Quay Street|Kingsferry|19500101",
        "5|Yuki|Tanemura|71 Mill Lane|Wexcombe|19811230",
    ]);
    let links = link_tables(&rows, None);
    assert_eq!(pairs(&links), [("1", "2"), ("1", "3"), ("2", "3")]);
}

#[test]
fn a_number_that_differs_is_no_slip() {
    let left = records(&["a|Boeing|737 Classic|jet", "b|Airbus|A320 Neo|jet"]);
    let right = records(&["1|Boeing|747 Classic|jet", "2|Airbus|A320 Neo|jet"]);
    assert_eq!(pairs(&link_tables(&left, Some(&right))), [("b", "2")]);
}

#[test]
fn a_source_with_duplicates_gives_a_row_several_partners() {
    let title = |at: usize| {
        format!(
            "paper {} of {} about {}",
            at * 7919,
            at * 104_729,
            at * 1_299_709
        )
    };
    let left: Vec<Record> = (0..60)
        .map(|at| Record {
            id: format!("l{at}"),
            values: vec![title(at)],
        })
        .collect();
    let right: Vec<Record> = (0..120)
        .map(|at| Record {
            id: format!("r{at}"),
            values: vec![title(at / 2)],
        })
        .collect();
    assert_eq!(link_tables(&left, Some(&right)).len(), 120);
    assert_eq!(link_tables(&left, Some(&left)).len(), 60);
}

#[test]
fn nothing_comes_of_nothing() {
    let empty = records(&["1|", "2|", "3"]);
    assert!(link_tables(&[], None).is_empty());
    assert!(link_tables(&empty, Some(&empty)).is_empty());
    assert!(link_tables(&empty, None).is_empty());
}
