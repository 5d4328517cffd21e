//! Claims in the documents, and the tests that break with them: a claim without a test is a wish, and a name that leads
//! nowhere is none.
//!
//! Looked at are the tables whose head ends in `breaks |` or `test |`. In the last column of a row stand, in backticks,
//! a crate, paths (from the root, from the crate, from its `src`), and behind a path the functions that are in it; and
//! scenarios of the torture run, as *emphasis*.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The documents that promise something.
const DOCUMENTS: &[&str] = &["docs/security.md", "docs/reliability.md"];

/// Everything that does not hold in them.
pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let scenarios = all_text(&root.join("xtask/src/torture"))?;
    let mut findings = Vec::new();
    for document in DOCUMENTS {
        let text =
            std::fs::read_to_string(root.join(document)).with_context(|| format!("reading {document}"))?;
        for (number, problem) in wrong(&text, root, &scenarios)? {
            findings.push(format!("{document}:{number}: {problem}"));
        }
    }
    Ok(findings)
}

/// Line numbers and what is wrong there.
fn wrong(text: &str, root: &Path, scenarios: &str) -> anyhow::Result<Vec<(usize, String)>> {
    let mut found = Vec::new();
    let mut is_table = false;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if !line.starts_with('|') {
            is_table = false;
        } else if line.ends_with("breaks |") || line.ends_with("test |") {
            is_table = true;
        } else if is_table && !line.starts_with("|---") {
            let cell = line.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
            found.extend(row(cell, root, scenarios)?.into_iter().map(|problem| (number, problem)));
        }
    }
    Ok(found)
}

/// What is wrong with one claim's tests.
fn row(cell: &str, root: &Path, scenarios: &str) -> anyhow::Result<Vec<String>> {
    let (mut problems, mut names) = (Vec::new(), 0);
    let (mut krate, mut text) = (None, String::new());
    for token in cell.split('`').skip(1).step_by(2) {
        if token.contains(' ') {
            continue;
        } else if token.contains('/') || token.ends_with(".rs") {
            names += 1;
            match found(token, krate, root) {
                Some(path) => text = all_text(&path)?,
                None => problems.push(format!("there is no {token}")),
            }
        } else if token.contains('_') {
            names += 1;
            if !text.contains(&format!("fn {token}(")) {
                problems.push(format!("there is no test {token} where it should be"));
            }
        } else {
            krate = Some(token);
        }
    }
    for name in cell.split('*').skip(1).step_by(2) {
        names += 1;
        let begin = name.split(['…', ',']).next().unwrap_or_default().trim();
        if !scenarios.contains(&format!("\"{begin}")) {
            problems.push(format!("there is no torture scenario {name:?}"));
        }
    }
    // What every scenario shows has no name of its own.
    if names == 0 && !cell.contains("torture") {
        problems.push("a claim without a test".into());
    }
    Ok(problems)
}

fn found(path: &str, krate: Option<&str>, root: &Path) -> Option<PathBuf> {
    let krate = krate.map(|krate| root.join("crates").join(krate));
    let places = [Some(root.to_owned()), krate.clone(), krate.map(|krate| krate.join("src"))];
    places.into_iter().flatten().map(|place| place.join(path)).find(|path| path.exists())
}

/// The text of a file, or of all files below a folder.
fn all_text(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            text += &all_text(&entry?.path())?;
        }
    } else {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let _ = writeln!(text, "{}", String::from_utf8_lossy(&bytes));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::root;

    fn problems(cell: &str) -> Vec<String> {
        let text =
            format!("| claim | breaks |\n|---|---|\n| Something holds | {cell} |\n\n| other | {cell} |");
        let found = wrong(&text, &root(), "\"kill -9\"").expect("it can be read");
        assert!(found.iter().all(|(line, _)| *line == 3), "{found:?}");
        found.into_iter().map(|(_, problem)| problem).collect()
    }

    #[test]
    fn each_name_leads_somewhere() {
        for good in [
            "`xtask/src/tidy/claims.rs` `each_name_leads_somewhere`",
            "`dispatch-model` `settle.rs`; torture: *kill -9*, *kill -9, often*",
            "torture: every scenario",
            "`cargo xtask torture --load`",
        ] {
            assert_eq!(problems(good), Vec::<String>::new(), "{good}");
        }
        for bad in [
            "`xtask/src/tidy/nowhere.rs`",
            "`settle.rs`",
            "`xtask/src/tidy/claims.rs` `nothing_of_this_name`",
            "torture: *earthquake*",
            "somebody looked",
        ] {
            assert_eq!(problems(bad).len(), 1, "{bad}: {:?}", problems(bad));
        }
    }
}
