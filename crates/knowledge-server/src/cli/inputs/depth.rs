//! How deep the elements of an HTML document are nested, told from its tags alone.

/// Elements without an end, and those whose end is often left out: the next one of their kind ends
/// them.
const FLAT: [&str; 40] = [
    "area", "base", "basefont", "bgsound", "body", "br", "caption", "col", "colgroup", "dd", "dt",
    "embed", "frame", "head", "hr", "html", "image", "img", "input", "keygen", "li", "link",
    "meta", "optgroup", "option", "p", "param", "rb", "rp", "rt", "rtc", "source", "tbody", "td",
    "tfoot", "th", "thead", "tr", "track", "wbr",
];

/// The most elements that are open at a time, at the least: what a parser opens by itself is not
/// counted, and what stands in comments and scripts is.
pub(super) fn of(html: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0_usize);
    for tag in html.split('<').skip(1) {
        let (name, ends) = match tag.strip_prefix('/') {
            Some(name) => (name, true),
            None => (tag, false),
        };
        if !name.starts_with(|letter: char| letter.is_ascii_alphabetic()) || is_flat(name) {
            continue;
        }
        open = if ends {
            open.saturating_sub(1)
        } else {
            open + 1
        };
        deepest = deepest.max(open);
    }
    deepest
}

fn is_flat(tag: &str) -> bool {
    let end = tag.find(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '>' | '/'));
    let name = end.map_or(tag, |end| &tag[..end]);
    FLAT.iter().any(|flat| flat.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_elements_count_until_they_end() {
        assert_eq!(of("a < b <3 <!doctype html> </x>"), 0);
        assert_eq!(of("<div><b>x</b><i>y</i></div><div/>"), 2);
        assert_eq!(of(&"<span>x</span>".repeat(9)), 1);
        assert_eq!(of(&"<DIV class='a'>".repeat(9)), 9);
        assert_eq!(of(&"<ul><li>".repeat(9)), 9);
    }

    #[test]
    fn what_ends_by_itself_nests_nothing() {
        assert_eq!(of(&"<p>a<br>b<img src=x><LI\n>c<tr><td>d".repeat(9_000)), 0);
    }
}
