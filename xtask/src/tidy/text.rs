//! Rules about the text of files: names, sizes, leftovers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::command::output;

/// A file that git knows or would know.
pub(super) struct File {
    path: PathBuf,
    text: String,
}

/// The longest a source file may be: past this it is two things.
const LINES_MAX: usize = 400;

/// The longest a file of tests may be: a list of cases is read by its names, and splitting it hides what is missing.
const TEST_LINES_MAX: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "types", "manager", "misc", "common"];

/// What may serve HTTP: the door for webhooks, the one for operators, and what plays a provider for authors of plugins.
const SERVERS: &[&str] =
    &["crates/dispatch-ingress/", "crates/dispatch-admin/", "crates/dispatcher/src/verbs/plugin/stand_in.rs"];

/// All text files under version control or about to be.
pub(super) fn files(root: &Path) -> anyhow::Result<Vec<File>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = output(std::process::Command::new("git").args(list).current_dir(root))?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from) {
        let full = root.join(&path);
        // Deleted but not yet committed, or a link to a folder.
        if !full.is_file() {
            continue;
        }
        let bytes = std::fs::read(&full).with_context(|| format!("reading {}", full.display()))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path, text });
        }
    }
    Ok(files)
}

/// What is wrong with one file.
pub(super) fn check(file: &File) -> Vec<String> {
    let path = file.path.to_string_lossy().replace('\\', "/");
    let extension = file.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let mut findings = Vec::new();
    if matches!(extension, "rs" | "toml" | "wit" | "md" | "sh" | "py") {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(mark) = leftover(line) {
                findings.push(format!("{path}:{}: {mark}: do it, or open an issue", number + 1));
            }
        }
    }
    if extension != "rs" {
        return findings;
    }
    let lines = file.text.lines().count();
    let is_test = path.contains("/tests/") || path.starts_with("tests/") || is_tests_of_a_module(&path);
    let longest = if is_test { TEST_LINES_MAX } else { LINES_MAX };
    if lines > longest {
        findings.push(format!("{path}: {lines} lines, over {longest}: it is more than one thing"));
    }
    let stem = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem) {
        findings.push(format!("{path}: a name that says nothing; name what is inside"));
    }
    if !file.text.trim_start().starts_with("//!") && !is_tests_of_a_module(&path) {
        findings.push(format!("{path}: begin with `//!` and what the module is for"));
    }
    let server = ["hyper", "::server"].concat();
    if path.starts_with("crates/")
        && file.text.contains(&server)
        && !SERVERS.iter().any(|crate_| path.starts_with(crate_))
    {
        findings.push(format!("{path}: serves HTTP; only {} do", SERVERS.join(" and ")));
    }
    findings.extend(sleeping_test(&path, &file.text));
    findings
}

/// A module's tests in a file of their own say with the module what they are for.
fn is_tests_of_a_module(path: &str) -> bool {
    path.ends_with("/tests.rs")
}

/// A mark of work left undone. The words are put together so that this file is not its own finding.
fn leftover(line: &str) -> Option<&'static str> {
    let marks = [(["TO", "DO"].concat(), "left undone"), (["FIX", "ME"].concat(), "left broken")];
    let words: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    marks.iter().find(|(mark, _)| words.contains(&mark.as_str())).map(|(_, what)| *what)
}

/// A test that sleeps is slow and still fails on a slow machine; under tokio's paused time a sleep
/// costs nothing and is exact. The testkit is the exception, and a line that says beside the sleep why
/// it is none of that: a bounded wait that polls, a peer that is slow by design.
fn sleeping_test(path: &str, text: &str) -> Option<String> {
    if path.starts_with("crates/dispatch-testkit/") || path.starts_with("xtask/") {
        return None;
    }
    let tests = match path.contains("/tests/") || path.starts_with("tests/") {
        true => text,
        false => &text[text.find("#[cfg(test)]")?..],
    };
    let sleeps = ["::sl", "eep("].concat();
    let paused = tests.contains("start_paused") || tests.contains("time::pause");
    let unexplained = tests.lines().any(|line| line.contains(&sleeps) && !line.contains("; // "));
    (unexplained && !paused).then(|| format!("{path}: a test sleeps; wait for a condition"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&File { path: path.into(), text: text.into() }).len()
    }

    #[test]
    fn each_rule_finds_its_sin() {
        assert_eq!(findings("crates/a/src/attempt.rs", "//! Attempts.\n"), 0);
        assert_eq!(findings("crates/a/src/utils.rs", "//! Things.\n"), 1);
        assert_eq!(findings("crates/a/src/attempt.rs", "fn no_doc() {}\n"), 1);
        assert_eq!(findings("crates/a/src/attempt.rs", &format!("//! A.\n{}", "\n".repeat(400))), 1);
        assert_eq!(findings("crates/a/src/attempt.rs", &["//! A.\n// TO", "DO: more\n"].concat()), 1);
        assert_eq!(findings("crates/a/src/attempt.rs", "//! A.\nuse hyper::server::conn::http1;\n"), 1);
        assert_eq!(findings("crates/dispatch-admin/src/a.rs", "//! A.\nuse hyper::server::conn;\n"), 0);
        assert_eq!(findings("tests/it/a.rs", "//! A.\nfn a() { tokio::time::sleep(d) }\n"), 1);
        assert_eq!(findings("tests/it/a.rs", "//! A.\ntokio::time::sleep(d); // between two looks\n"), 0);
        assert_eq!(findings("crates/a/src/a.rs", "//! A.\nfn a() { tokio::time::sleep(d) }\n"), 0);
    }
}
