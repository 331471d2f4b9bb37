//! Forests of vectors: which leaves there are, and who meets in them.

use std::collections::BTreeMap;

use knowledge_domain::ids::FormId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{forest::BITS, rotation::mixed};

/// Members of a leaf in these tests.
const MOST: usize = 4;

/// A forest in memory: the leaves of each tree by where they start.
pub(super) struct Forest(Vec<BTreeMap<u64, Leaf>>);

impl Forest {
    /// Of forms that are known by their places among them.
    pub(super) fn of(forms: &[Form]) -> Self {
        let mut forest = Self(vec![BTreeMap::from([(0, Leaf::root())]); TREES]);
        for (at, form) in forms.iter().enumerate() {
            let addresses = form.vector.iter().flat_map(Vector::addresses);
            for (tree, address) in addresses.enumerate() {
                grow(
                    &mut forest.0[tree],
                    &[(*address, id(at))],
                    Settings::default().max_block,
                );
            }
        }
        forest
    }

    pub(super) fn leaf(&self, tree: usize, address: u64) -> Option<&Leaf> {
        let (_, leaf) = self.0[tree].range(..=address).next_back()?;
        leaf.covers(address).then_some(leaf)
    }
}

fn id(at: usize) -> FormId {
    FormId::from_uuid(Uuid::from_u128(at as u128))
}

/// Puts members into the leaf that covers the first of them, and the rest after it.
fn grow(tree: &mut BTreeMap<u64, Leaf>, members: &[(u64, FormId)], most: usize) {
    let mut rest = members.to_vec();
    while let Some((first, _)) = rest.first().copied() {
        let (start, leaf) = tree.range(..=first).next_back().expect("leaves cover all");
        assert!(leaf.covers(first));
        let (start, leaf) = (*start, leaf.clone());
        let here: Vec<_> = rest
            .extract_if(.., |(address, _)| leaf.covers(*address))
            .collect();
        tree.remove(&start);
        tree.extend(
            leaf.with(&here, most)
                .into_iter()
                .map(|leaf| (leaf.start(), leaf)),
        );
    }
}

/// Numbers from -1 to 1 that only depend on the seed.
fn noise(seed: u64) -> Vec<f32> {
    let number = |at| (mixed(seed << 20 | at) >> 40) as f32 / (1 << 23) as f32 - 1.0;
    (0..256).map(number).collect()
}

fn with_vector(values: Vec<f32>) -> Form {
    let mut form = form_of("x", "Thing");
    form.vector = Vector::new("m", values, &[0.0; 256]);
    form
}

/// A form and one at about this cosine from it, pair after pair.
fn pairs(count: u64, cosine: f32) -> Vec<Form> {
    let pair = |seed| {
        let (base, other) = (noise(seed), noise(seed + 50_000));
        let across = (1.0 - cosine * cosine).sqrt();
        let near = base.iter().zip(&other);
        let near = near.map(|(base, other)| cosine * base + across * other);
        [with_vector(base.clone()), with_vector(near.collect())]
    };
    (0..count).flat_map(pair).collect()
}

/// Of pairs among many others: how many meet, and how many others a form is looked at with.
fn meet(cosine: f32) -> (f64, f64) {
    let forms = pairs(1_500, cosine);
    let forest = Forest::of(&forms);
    let exploration = |form: &Form| Exploration::new(Settings::default(), [form.clone()]);
    let (mut met, mut others) = (0, 0);
    for at in (0..1_000).step_by(2) {
        let form = &forms[at];
        let alike = exploration(form).alike(&form.key, |tree, address| forest.leaf(tree, address));
        assert!(alike.contains(&id(at)));
        met += usize::from(alike.contains(&id(at + 1)));
        others += alike.len() - 1;
    }
    (met as f64 / 500.0, others as f64 / 500.0)
}

#[test]
fn near_vectors_meet_and_far_ones_seldom_do() {
    let (met, others) = meet(0.9);
    assert!(met > 0.99 && others < 4.0, "{met}, {others}");
    let (met, others) = meet(0.8);
    assert!(met > 0.85 && others < 4.0, "{met}, {others}");
    let (met, others) = meet(0.0);
    assert!(met < 0.01 && others < 3.0, "{met}, {others}");
}

#[test]
fn leaves_stay_small_where_there_are_many() {
    let forms = pairs(2_000, 0.9);
    for tree in Forest::of(&forms).0 {
        let (least, most) = (tree.len(), Settings::default().max_block);
        assert!(tree.values().all(|leaf| leaf.forms().count() <= most));
        assert!((63..400).contains(&least), "{least} leaves of {most}");
    }
}

fn members() -> impl Strategy<Value = Vec<(u64, FormId)>> {
    // Few addresses, so that some have more members than a leaf takes.
    let address = prop_oneof![
        (0_u64..8).prop_map(|at| at << (BITS - 3)),
        0_u64..4,
        0..1_u64 << BITS,
    ];
    let member = (address, (0_usize..500).prop_map(id));
    prop::collection::vec(member, 0..120)
}

proptest! {
    #[test]
    fn leaves_are_a_function_of_their_members(
        members in members(),
        cuts in prop::collection::vec(1_usize..30, 0..12),
        seed in any::<u64>(),
    ) {
        let mut at_once = BTreeMap::from([(0, Leaf::root())]);
        grow(&mut at_once, &members, MOST);
        let mut shuffled = members.clone();
        shuffled.sort_by_key(|(address, form)| mixed(seed ^ address ^ form.uuid().as_u64_pair().1));
        let mut bit_by_bit = BTreeMap::from([(0, Leaf::root())]);
        let mut rest = shuffled.as_slice();
        for cut in cuts {
            let (first, others) = rest.split_at(cut.min(rest.len()));
            grow(&mut bit_by_bit, first, MOST);
            rest = others;
        }
        grow(&mut bit_by_bit, rest, MOST);
        prop_assert_eq!(&at_once, &bit_by_bit);
        // Once more changes nothing.
        grow(&mut bit_by_bit, &shuffled, MOST);
        prop_assert_eq!(&at_once, &bit_by_bit);

        for (address, form) in &members {
            let (_, leaf) = at_once.range(..=*address).next_back().expect("leaves cover all");
            prop_assert!(leaf.covers(*address));
            prop_assert!(!leaf.says(MOST) || leaf.forms().any(|it| it == *form));
        }
        for leaf in at_once.values() {
            prop_assert!(leaf.says(MOST) || leaf.depth() == BITS);
            let again = Leaf::from_parts(leaf.start(), leaf.depth(), &leaf.members());
            prop_assert_eq!(again.as_ref(), Some(leaf));
        }
    }

    #[test]
    fn who_is_not_alike_never_becomes_so(
        other in agreeing(),
        rest in prop::collection::vec(agreeing(), 0..60),
    ) {
        let mut trees = vec![BTreeMap::from([(0, Leaf::root())]); 3];
        let own = [0_u64; 3];
        let mut before = true;
        let one = [own, other].into_iter().chain(rest).enumerate();
        for (at, addresses) in one {
            for (tree, address) in trees.iter_mut().zip(addresses) {
                grow(tree, &[(address, id(at))], MOST);
            }
            let leaves = trees.iter().zip(own);
            let leaves = leaves.filter_map(|(tree, address)| {
                Some((address, tree.range(..=address).next_back()?.1))
            });
            let alike = crate::forest::alike(leaves, MOST).contains(&id(1));
            prop_assert!(at < 2 || before || !alike, "after {at} others");
            before = alike;
        }
    }

    #[test]
    fn what_was_no_leaf_is_none(
        start in prop_oneof![Just(0), 0_u64..4, any::<u64>()],
        depth in 0_u32..66,
        mut members in members(),
        more in 0_usize..3,
    ) {
        let bytes = |members: &[(u64, FormId)]| -> Vec<u8> {
            let bytes = members.iter().flat_map(|(address, form)| {
                address.to_be_bytes().into_iter().chain(form.uuid().into_bytes())
            });
            bytes.chain(vec![0; more]).collect()
        };
        let aligned = depth <= BITS && start >> BITS == 0 && start % (1 << (BITS - depth)) == 0;
        let inside = |address: u64| address >> (BITS - depth) == start >> (BITS - depth);
        let unsorted = Leaf::from_parts(start, depth, &bytes(&members));
        prop_assert!(unsorted.is_none() || members.is_sorted());
        members.sort_unstable();
        let sound = more == 0 && aligned && members.iter().all(|(address, _)| inside(*address));
        let leaf = Leaf::from_parts(start, depth, &bytes(&members));
        prop_assert_eq!(leaf.is_some(), sound);
    }
}

/// Addresses in three trees that agree with 0 in about 70 of 100 bits.
fn agreeing() -> impl Strategy<Value = [u64; 3]> {
    let address = || any::<[u64; 2]>().prop_map(|[one, other]| (one & other) >> 1);
    [address(), address(), address()]
}
