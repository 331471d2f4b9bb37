//! Keyset pages: a page starts after a key, so inserts before it shift nothing.

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRequest<K> {
    /// The key of the last row of the page before; the first page when absent.
    pub after: Option<K>,
    /// The most rows.
    pub first: u64,
}

/// Some rows in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Whether more follow.
    pub has_next: bool,
}

impl<K> PageRequest<K> {
    /// One row more than wanted, which tells whether more follow.
    pub(super) fn limit(&self) -> u64 {
        self.first.saturating_add(1)
    }

    /// Makes a page of what was read up to [`Self::limit`].
    pub(super) fn page<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let wanted = usize::try_from(self.first).unwrap_or(usize::MAX);
        let has_next = rows.len() > wanted;
        rows.truncate(wanted);
        Page {
            items: rows,
            has_next,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            has_next: false,
        }
    }
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            has_next: self.has_next,
        }
    }
}
