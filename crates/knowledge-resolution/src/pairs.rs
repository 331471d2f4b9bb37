//! The pairs of forms in memory that share a block.

use crate::{block, form::Prepared};

/// Forms by block and blocks by form, as two lists of places each.
pub(crate) struct Blocks {
    /// The forms of all blocks that say something, block by block.
    forms: Vec<u32>,
    /// Where each block begins in `forms`, and where the last one ends.
    starts: Vec<u32>,
    /// The blocks of all forms, form by form.
    of: Vec<u32>,
    /// Where each form's blocks begin in `of`, and where the last one's end.
    of_starts: Vec<u32>,
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
        let (mut members, mut starts) = (Vec::new(), vec![0]);
        for block in keyed.chunk_by(|one, other| one.0 == other.0) {
            if (2..=max_block).contains(&block.len()) {
                members.extend(block.iter().map(|(_, form)| *form));
                starts.push(small(members.len()));
            }
        }
        drop(keyed);
        let (of, of_starts) = inverted(forms.len(), &members, &starts);
        Self {
            forms: members,
            starts,
            of,
            of_starts,
        }
    }

    /// The forms after one that share a block with it and may be one with it, sorted, into `others`.
    pub(crate) fn after(
        &self,
        form: usize,
        may_be_one: impl Fn(usize) -> bool,
        others: &mut Vec<u32>,
    ) {
        others.clear();
        for block in slice(&self.of, &self.of_starts, form) {
            let members = slice(&self.forms, &self.starts, *block as usize);
            let later = members.partition_point(|other| *other as usize <= form);
            let later = members[later..].iter();
            others.extend(later.filter(|other| may_be_one(**other as usize)));
        }
        others.sort_unstable();
        others.dedup();
    }
}

/// The blocks of each form, from the forms of each block.
fn inverted(forms: usize, members: &[u32], starts: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut ends = vec![0_u32; forms + 1];
    for form in members {
        ends[*form as usize + 1] += 1;
    }
    for form in 0..forms {
        ends[form + 1] += ends[form];
    }
    let mut next = ends.clone();
    let mut of = vec![0; members.len()];
    for (block, bounds) in (0_u32..).zip(starts.windows(2)) {
        for form in &members[bounds[0] as usize..bounds[1] as usize] {
            let at = &mut next[*form as usize];
            of[*at as usize] = block;
            *at += 1;
        }
    }
    (of, ends)
}

fn slice<'a>(list: &'a [u32], starts: &[u32], at: usize) -> &'a [u32] {
    &list[starts[at] as usize..starts[at + 1] as usize]
}

/// Places are kept in four bytes: what has more does not fit into memory.
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
