//! The Rust SDK as a package: what would be published compiles by itself.

use std::process::Command;

use dispatch_testkit::repository;

use super::Workshop;

#[test]
#[ignore = "needs the crate registry: run `cargo xtask test`"]
fn it_can_be_published() -> anyhow::Result<()> {
    // Where the guests' own tests are compiled: what the SDK is made of is there.
    let target = Workshop::open()?.folder.with_file_name("guests-native");
    let cargo = |arguments: &[&str]| -> anyhow::Result<String> {
        let mut command = Command::new("cargo");
        command.current_dir(repository().join("plugins")).args(arguments);
        command.args(["-p", "dispatcher-plugin", "--allow-dirty"]);
        let done = command.env("CARGO_TARGET_DIR", &target).output()?;
        anyhow::ensure!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let files = cargo(&["package", "--list"])?;
    for file in ["Cargo.toml", "README.md", "src/lib.rs", "wit/plugin.wit"] {
        anyhow::ensure!(files.lines().any(|line| line == file), "{file} is not among\n{files}");
    }
    // Builds what was packed, away from this repository, and asks the registry what it would say.
    cargo(&["publish", "--dry-run"])?;
    Ok(())
}
