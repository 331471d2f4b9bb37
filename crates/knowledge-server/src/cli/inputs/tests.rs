use super::*;
use crate::text::chain;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn names_and_texts(path: &Path) -> Vec<(String, String)> {
    let documents = read(&[path.to_owned()]).unwrap();
    documents
        .into_iter()
        .map(|document| (document.name, document.text))
        .collect()
}

#[test]
fn a_folder_is_read_in_the_order_of_its_paths() {
    let folder = folder(&[
        ("b.txt", "B"),
        ("a/c.md", "# C"),
        ("ignored.pdf", "%PDF"),
        (
            "d.html",
            "<html><head><title>x</title></head><body><p>D &amp; <b>E</b></p></body>",
        ),
        (
            "e.jsonl",
            "{\"id\": 7, \"text\": \"one\"}\n\n{\"name\": \"n\", \"text\": \"two\"}\n",
        ),
    ]);
    let expected = [
        ("a/c.md", "# C"),
        ("b.txt", "B"),
        ("d.html", "D & E"),
        ("7", "one"),
        ("n", "two"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(names_and_texts(folder.path()), expected);
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = folder(&[
        ("a.jsonl", "{\"text\": \"x\"}"),
        ("b.pdf", ""),
        ("c.jsonl", "no"),
    ]);
    for (file, expected) in [
        ("a.jsonl", "neither `name` nor `id`"),
        ("b.pdf", "ending"),
        ("c.jsonl", "line 1"),
        ("d.txt", "cannot be read"),
    ] {
        let error = read(&[folder.path().join(file)]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn bytes_that_are_no_text_are_named() {
    let folder = folder(&[]);
    let file = folder.path().join("e.txt");
    for (bytes, expected) in [
        (&b"caf\xe9"[..], "not UTF-8"),
        (b"\xff\xfea\0", "iconv -f UTF-16"),
        (b"\xfe\xff\0a", "iconv -f UTF-16"),
        (b"a\0b", "U+0000 at byte 1"),
    ] {
        fs::write(&file, bytes).unwrap();
        let error = read(std::slice::from_ref(&file)).unwrap_err().to_string();
        assert!(
            error.contains(expected) && error.contains("e.txt"),
            "{error}"
        );
    }
    fs::write(&file, "\u{feff}a").unwrap();
    assert_eq!(names_and_texts(&file)[0].1, "a");
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let folder = folder(&[]);
    let socket = folder.path().join("a.txt");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("b.txt")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("c.txt")).unwrap();
    for path in ["a.txt", "b.txt", ""] {
        let error = read(&[folder.path().join(path)]).unwrap_err();
        assert!(error.to_string().contains("is no file"), "{error}");
    }
}

#[test]
fn a_line_of_json_is_an_object() {
    let folder = folder(&[(
        "a.jsonl",
        "{\"id\": 1, \"text\": \"x\"}\n[\"2\", \"n\", \"t\"]",
    )]);
    let error = read(&[folder.path().join("a.jsonl")]).unwrap_err();
    assert!(error.to_string().starts_with("line 2 of"), "{error}");
}

#[test]
fn html_without_a_bottom_is_refused_at_once() {
    let html = "<div>".repeat(200_000);
    let folder = folder(&[("a.html", &html)]);
    let error = read(&[folder.path().join("a.html")]).unwrap_err();
    let error = chain(error.as_ref());
    assert!(
        error.contains("a.html") && error.contains("deep"),
        "{error}"
    );
}
