//! What is kept holds: each input of the corpus, and a few thousand that are made of it. And the driver finds what there
//! is to find.

use std::sync::OnceLock;
use std::time::Duration;

use dispatch_fuzz::{Bench, Seen, TARGETS, Target, Verdict, corpus, fuzz, replay};

/// Compiling the plugins takes seconds.
fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| Bench::new().expect("built plugins: run `cargo xtask plugins`"))
}

#[test]
fn every_target_stands_its_corpus_and_what_is_made_of_it() {
    for target in TARGETS {
        let inputs = corpus(target.name).expect("a corpus");
        let report = fuzz(target, bench(), &inputs, 1, Duration::from_millis(300));
        assert!(report.finding.is_none(), "{}: {:?}", target.name, report.finding);
        assert!(report.inputs > inputs.len() as u64, "{}: nothing was made of it", target.name);
        assert!(report.seen > 2, "{}: whatever goes in, the same comes out", target.name);
    }
}

#[test]
fn a_panic_and_a_broken_promise_are_findings() {
    let run = |_: &Bench, input: &[u8]| {
        if input[0] == b'1' { Ok(Seen::of("one")) } else { Err("not one".to_owned()) }
    };
    let broken = Target { name: "x", run, words: &[] };
    assert_eq!(replay(&broken, bench(), b"1"), Ok(Seen::of("one")));
    assert_eq!(replay(&broken, bench(), b"2"), Err("not one".to_owned()));
    assert!(replay(&broken, bench(), b"").is_err_and(|what| what.starts_with("panicked")));
}

/// Broken by five letters in a row, one way out of a million millions.
const MAGIC: &[u8; 5] = b"Fuzz!";

fn steps(input: &[u8]) -> usize {
    input.iter().zip(MAGIC).take_while(|(one, other)| one == other).count()
}

fn broken(input: &[u8], seen: &str) -> Verdict {
    if steps(input) == MAGIC.len() { Err("found".into()) } else { Ok(Seen::of(seen)) }
}

#[test]
fn what_leads_somewhere_new_is_built_upon_and_what_is_found_is_made_small() {
    let run = |_: &Bench, input: &[u8]| broken(input, &"x".repeat(steps(input)));
    let told = Target { name: "x", run, words: &[] };
    let start = [b"nothing of it, and a long way to go".to_vec()];
    let report = fuzz(&told, bench(), &start, 7, Duration::from_secs(60));
    let finding = report.finding.expect("step by step it is found");
    assert_eq!(finding.input, MAGIC, "and nothing else is left of it");
    // Without a word of how far an input came it is chance alone, with the same number of tries.
    let blind = Target { run: |_, input| broken(input, "the same"), ..told };
    let report = fuzz(&blind, bench(), &start, 7, Duration::from_millis(500));
    assert!(report.finding.is_none() && report.seen == 1, "{report:?}");
}
