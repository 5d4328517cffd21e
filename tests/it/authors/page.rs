//! `docs/writing-plugins.md`, literally: its commands run one by one in each of the three languages, and what it quotes
//! stands where it says.

use dispatch_testkit::{Cli, Shell, dispatcher_binary, free_port, repository, until};

use super::{BUILDS, Workshop};
use crate::stage::SOON;

/// A fenced block of the page: the words behind the fence, and what stands in it.
struct Block {
    words: Vec<String>,
    text: String,
}

fn blocks() -> anyhow::Result<Vec<Block>> {
    let page = std::fs::read_to_string(repository().join("docs/writing-plugins.md"))?;
    let mut blocks = Vec::new();
    let mut parts = page.split("\n```");
    parts.next();
    while let (Some(inside), rest) = (parts.next(), parts.next()) {
        let (words, text) = inside.split_once('\n').unwrap_or((inside, ""));
        blocks.push(Block { words: words.split(' ').map(str::to_owned).collect(), text: text.to_owned() });
        anyhow::ensure!(rest.is_some(), "a fence is not closed: {inside}");
    }
    Ok(blocks)
}

/// The blocks of commands that a reader of this language types.
fn commands(language: &str) -> anyhow::Result<Vec<String>> {
    let typed = |block: &Block| match block.words.as_slice() {
        [sh] => sh == "sh",
        [sh, of] => sh == "sh" && of == language,
        _ => false,
    };
    Ok(blocks()?.into_iter().filter(typed).map(|block| block.text).collect())
}

async fn follow(language: &str) -> anyhow::Result<()> {
    let workshop = Workshop::open()?;
    let folder = workshop.fresh(&format!("page-{language}"))?;
    let mut shell = Shell::start(&folder, &workshop.env()?)?;
    // Other tests, and whoever works at this machine, may have the ports of the page.
    let (door, provider) = (free_port().to_string(), free_port().to_string());
    let here = |text: &str| text.replace("8080", &door).replace("9099", &provider);
    let acme = folder.join("acme");
    let cli = Cli::new(dispatcher_binary()?, [acme.join("config.toml")], &acme).env("ACME_KEY", "x");
    let blocks = commands(language)?;
    anyhow::ensure!(blocks.len() >= 7, "the page has lost its commands: {blocks:?}");
    for block in blocks {
        // What was left running says when it is ready, and a reader looks before typing on.
        if block.contains("--replay") {
            let accepted = async || {
                cli.run(&["message", "exampleMessage000001"])
                    .await
                    .is_ok_and(|said| said.stdout.contains("accepted"))
            };
            until("the message to be accepted", SOON, accepted).await?;
        }
        shell.run(&here(&block), BUILDS).await?;
        if block.contains("stand-in") {
            shell.log().wait_for("a provider listens", SOON).await?;
        }
        if block.contains("dispatcher run &") {
            shell.log().wait_for("daemon.ready", BUILDS).await?;
        }
    }
    let text = shell.log().text();
    for expected in [
        "the contract, with settings.json",
        "step 1, delivers:",
        "accepted: A1",
        "authorization: Bearer «secret api_key»",
        "It may do nothing until the configuration says so",
        "authorization: Bearer «14 bytes»",
    ] {
        anyhow::ensure!(text.contains(expected), "{expected:?} was not said:\n{text}");
    }
    // A component of an interpreted language is another file each time that it is built.
    let replayed = text.lines().find(|line| line.starts_with("attempt 1 at acme"));
    anyhow::ensure!(replayed.is_some_and(|line| line.ends_with(": the same")), "{replayed:?} in:\n{text}");
    for wrong in ["BROKEN", "REFUSED", "not-a-real-key", "wasi:"] {
        anyhow::ensure!(!text.contains(wrong), "{wrong:?} was said:\n{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the crate registry and a compiler for WebAssembly: run `cargo xtask test`"]
async fn in_rust() -> anyhow::Result<()> {
    follow("rust").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs componentize-js from npm: run `cargo xtask test`"]
async fn in_javascript() -> anyhow::Result<()> {
    follow("javascript").await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs componentize-py from PyPI: run `cargo xtask test`"]
async fn in_python() -> anyhow::Result<()> {
    follow("python").await
}

#[test]
fn what_it_quotes_stands_there() -> anyhow::Result<()> {
    let mut quoted = 0;
    for block in blocks()? {
        let [language, file] = block.words.as_slice() else { continue };
        if language == "sh" {
            continue;
        }
        let source = std::fs::read_to_string(repository().join(file))?;
        anyhow::ensure!(source.contains(block.text.trim_end()), "{file} has not:\n{}", block.text);
        quoted += 1;
    }
    anyhow::ensure!(quoted >= 5, "only {quoted} quotations");
    Ok(())
}

#[test]
fn each_language_has_its_commands() -> anyhow::Result<()> {
    for (language, word) in
        [("rust", "--lang rust"), ("javascript", "--lang js"), ("python", "--lang python")]
    {
        let all = commands(language)?.join("\n");
        anyhow::ensure!(all.contains(word) && all.matches("plugin new").count() == 1, "{language}: {all}");
    }
    Ok(())
}
