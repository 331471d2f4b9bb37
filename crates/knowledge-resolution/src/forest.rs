//! Blocks of what names mean: trees of addresses that near vectors mostly share.
//!
//! A vector has an address in each of several trees: bits, each of which near vectors have in common
//! more often than others. A leaf is the largest subtree of at most so many forms; forms are looked
//! at together when they share a leaf in one tree, and agree in most bits below it (LSH forest,
//! Bawa, Condie and Ganesan, 2005). Leaves are as small where there are many forms as where there
//! are few, so what is read for a form does not grow with their number. Which leaves there are is a
//! function of the forms that are in them, not of their order.
//!
//! Leaves are stored. Whoever changes how many trees, bits or members there are, or how vectors get
//! their addresses, counts [`VERSION`](crate::VERSION) up, and has a migration remove the leaves.

use std::collections::BTreeSet;

use knowledge_domain::ids::FormId;
use uuid::Uuid;

/// Trees of a forest.
pub const TREES: usize = 16;

/// Bits of an address.
pub const BITS: u32 = 63;

/// Bits in a hundred in which two forms of a leaf agree at least that are looked at. Vectors at a
/// cosine of 0.8 agree in 80, others in 50.
const MOST: u32 = 70;

/// Bytes that say that a form is in a leaf: its address and its id.
pub const MEMBER: usize = 24;

/// A subtree of a tree, with the forms in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    start: u64,
    depth: u32,
    /// With their addresses, sorted.
    members: Vec<(u64, FormId)>,
}

impl Leaf {
    /// A tree in which nothing is.
    #[must_use]
    pub fn root() -> Self {
        Self {
            start: 0,
            depth: 0,
            members: Vec::new(),
        }
    }

    /// As its parts were; nothing where they are none of a leaf.
    #[must_use]
    pub fn from_parts(start: u64, depth: u32, members: &[u8]) -> Option<Self> {
        let (chunks, rest) = members.as_chunks::<MEMBER>();
        let members = chunks.iter().map(|bytes| {
            let (address, form) = bytes.split_first_chunk()?;
            let form = Uuid::from_slice(form).ok()?;
            Some((u64::from_be_bytes(*address), FormId::from_uuid(form)))
        });
        let leaf = Self {
            start,
            depth,
            members: members.collect::<Option<_>>()?,
        };
        let mut members = leaf.members.iter();
        let sound = rest.is_empty()
            && depth <= BITS
            && start >> BITS == 0
            && start.trailing_zeros() >= BITS - depth
            && leaf.members.is_sorted()
            && members.all(|(address, _)| leaf.covers(*address));
        sound.then_some(leaf)
    }

    /// The lowest address that it covers.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How many bits all of its addresses share.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Its members: of each the address, eight bytes, the highest first, and the id.
    #[must_use]
    pub fn members(&self) -> Vec<u8> {
        let members = self.members.iter();
        let bytes = members.flat_map(|(address, form)| {
            let address = address.to_be_bytes().into_iter();
            address.chain(form.uuid().into_bytes())
        });
        bytes.collect()
    }

    /// The forms in it.
    pub fn forms(&self) -> impl Iterator<Item = FormId> {
        self.members.iter().map(|(_, form)| *form)
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn covers(&self, address: u64) -> bool {
        address >> (BITS - self.depth) == self.start >> (BITS - self.depth)
    }

    /// Whether it says anything: so many forms of one address have nothing in common.
    #[must_use]
    pub fn says(&self, most: usize) -> bool {
        self.members.len() <= most
    }

    /// The leaf, or those that it falls into when it has more than `most` members with these.
    #[must_use]
    pub fn with(mut self, members: &[(u64, FormId)], most: usize) -> Vec<Self> {
        self.members.extend_from_slice(members);
        self.members.sort_unstable();
        self.members.dedup();
        let mut leaves = Vec::new();
        self.split(most, &mut leaves);
        leaves
    }

    fn split(mut self, most: usize, leaves: &mut Vec<Self>) {
        if self.says(most) {
            leaves.push(self);
            return;
        }
        let depth = self.depth + 1;
        if depth > BITS {
            // It says nothing any more; as many members show that.
            self.members.truncate(most + 1);
            leaves.push(self);
            return;
        }
        let middle = self.start | 1 << (BITS - depth);
        let below = self
            .members
            .partition_point(|(address, _)| *address < middle);
        let above = self.members.split_off(below);
        for (start, members) in [(self.start, self.members), (middle, above)] {
            let half = Self {
                start,
                depth,
                members,
            };
            half.split(most, leaves);
        }
    }

    /// The members that agree with an address in most bits below the leaf.
    ///
    /// Of members that stay together when the leaf splits, one bit more is shared and no longer
    /// below: who does not agree never will.
    fn agreeing(&self, address: u64) -> impl Iterator<Item = FormId> {
        let below = BITS - self.depth;
        let mask = (1_u64 << below) - 1;
        let agree = move |other: u64| below - ((address ^ other) & mask).count_ones();
        let members = self.members.iter();
        let agreeing = members.filter(move |(other, _)| 100 * agree(*other) >= MOST * below);
        agreeing.map(|(_, form)| *form)
    }
}

/// The forms that are to be looked at together with one, whose leaves these are, each with its
/// address in that tree; itself among them. More forms in the forest take some of them away, and
/// add none but themselves.
pub(crate) fn alike<'a>(
    leaves: impl Iterator<Item = (u64, &'a Leaf)>,
    most: usize,
) -> BTreeSet<FormId> {
    let says = leaves.filter(|(_, leaf)| leaf.says(most));
    says.flat_map(|(address, leaf)| leaf.agreeing(address))
        .collect()
}
