//! The pairs of forms in memory that share a block.

use crate::{block, form::Prepared};

/// So many pairs are handed out before others are looked for, so that memory does not hold all of
/// them where many share a block. Tests see them come several times.
const AT_ONCE: usize = if cfg!(test) { 16 } else { 1 << 20 };

/// Two forms by their places, the first one first.
pub(crate) type Pair = (usize, usize);

/// The forms of all blocks that say something.
pub(crate) struct Blocks {
    /// The forms, block by block, those of a block by their places.
    forms: Vec<u32>,
    /// Where each block begins in `forms`, and where the last one ends.
    starts: Vec<u32>,
}

impl Blocks {
    /// Sorts the keys of all forms, and keeps the blocks of two forms to `max_block`.
    ///
    /// No hashing: sorting reads memory in order, and takes n log n at any size.
    pub(crate) fn new(forms: &[Prepared<'_>], max_block: usize) -> Self {
        let mut keyed: Vec<(u64, u32)> = Vec::with_capacity(forms.len() * 8);
        for (form, place) in forms.iter().zip(0_u32..) {
            keyed.extend(block::keys(form).into_iter().map(|key| (key, place)));
        }
        keyed.sort_unstable();
        let (mut forms, mut starts) = (Vec::new(), vec![0]);
        for block in keyed.chunk_by(|one, other| one.0 == other.0) {
            if (2..=max_block).contains(&block.len()) {
                forms.extend(block.iter().map(|(_, form)| *form));
                starts.push(small(forms.len()));
            }
        }
        Self { forms, starts }
    }

    /// Hands out the pairs that share a block and may be one, sorted and each once at a time: one
    /// that shares several blocks may come again another time.
    ///
    /// `glance` is what is looked at of a form; it is fetched once for all pairs of a block.
    pub(crate) fn pairs<T>(
        &self,
        glance: impl Fn(usize) -> T,
        may_be_one: impl Fn(&T, &T) -> bool,
        mut found: impl FnMut(&mut dyn Iterator<Item = Pair>),
    ) {
        let mut pairs: Vec<u64> = Vec::new();
        let mut hand_out = |pairs: &mut Vec<u64>| {
            pairs.sort_unstable();
            pairs.dedup();
            found(&mut pairs.drain(..).map(unpacked));
        };
        let mut seen: Vec<T> = Vec::new();
        for bounds in self.starts.windows(2) {
            let block = &self.forms[bounds[0] as usize..bounds[1] as usize];
            seen.clear();
            seen.extend(block.iter().map(|form| glance(*form as usize)));
            for (at, (left, one)) in block.iter().zip(&seen).enumerate() {
                let others = block.iter().zip(&seen).skip(at + 1);
                let others = others.filter(|(_, other)| may_be_one(one, other));
                pairs.extend(others.map(|(right, _)| packed(*left, *right)));
            }
            if pairs.len() >= AT_ONCE {
                hand_out(&mut pairs);
            }
        }
        hand_out(&mut pairs);
    }
}

/// A pair as a number; numbers are in the order of their pairs.
fn packed(left: u32, right: u32) -> u64 {
    u64::from(left) << u32::BITS | u64::from(right)
}

fn unpacked(pair: u64) -> Pair {
    let place = |half: u64| usize::try_from(half).unwrap_or(usize::MAX);
    (place(pair >> u32::BITS), place(pair & u64::from(u32::MAX)))
}

/// Places are kept in four bytes: what has more does not fit into memory.
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
