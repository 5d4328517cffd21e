//! The page for security engineers says what is so: its tests exist, and its numbers are the defaults.

use std::path::Path;

use dispatch_plugins::HostConfig;
use dispatch_testkit::repository;

fn page() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(repository().join("docs/sandbox.md"))?)
}

/// All Rust sources below a folder, as one text.
fn sources(folder: &Path, into: &mut String) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[test]
fn every_test_it_names_exists() -> anyhow::Result<()> {
    let mut all = String::new();
    for folder in ["crates", "tests"] {
        sources(&repository().join(folder), &mut all)?;
    }
    let page = page()?;
    // Names of tests are sentences: they have three words at least.
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            word.matches('_').count() >= 2
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        })
        .filter(|word| !word.starts_with("dispatcher_"))
        .collect();
    assert!(names.len() > 30, "only {} names were found", names.len());
    let missing: Vec<&&str> = names.iter().filter(|name| !all.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/sandbox.md names tests that are not there: {missing:?}");
    Ok(())
}

#[test]
fn every_guest_is_in_its_table() -> anyhow::Result<()> {
    let page = page()?;
    let folder = repository().join("plugins/fixtures");
    // Honest ones, which are there to be talked to.
    let honest = ["echo", "upload", "steps", "sns", "edition"];
    for (folder, prefix) in [(folder.clone(), ""), (folder.join("wat"), "wat/")] {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().replace('_', "-");
            let guest = path.extension().is_some_and(|kind| kind == "rs" || kind == "wat");
            if guest && !honest.contains(&&*stem) {
                assert!(page.contains(&format!("`{prefix}{stem}`")), "docs/sandbox.md lacks {prefix}{stem}");
            }
        }
    }
    Ok(())
}

#[test]
fn its_numbers_are_the_defaults() -> anyhow::Result<()> {
    let (page, config) = (page()?, HostConfig::default());
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    for (what, value) in [
        ("computing time", format!("{} ms", config.deadline.as_millis())),
        ("linear memory", mib(config.memory_max)),
        ("table elements", config.table_max.to_string()),
        ("stack", format!("{} KiB", config.stack >> 10)),
        ("bytes that cross", mib(config.boundary_max)),
        ("a plugin's file", mib(config.file_max)),
    ] {
        let row = page.lines().find(|line| line.starts_with(&format!("| {what}"))).unwrap_or_default();
        assert!(row.replace("100 000", "100000").contains(&value), "{what}: {row:?} lacks {value}");
    }
    Ok(())
}
