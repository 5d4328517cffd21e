//! New inputs from old ones.

use rand::Rng;
use rand::rngs::SmallRng;

/// Inputs are not made longer than this: a longer one finds nothing that a shorter one does not.
const LONGEST: usize = 64 << 10;
/// The end of the pool.
const NEWEST: usize = 16;
/// Changes to one input at most.
const CHANGES: usize = 6;

/// An input made from one of the pool: every other time from its newest, which led somewhere last.
pub(crate) fn mutated(corpus: &[Vec<u8>], words: &[&str], rng: &mut SmallRng) -> Vec<u8> {
    let newest = if rng.random() { corpus.len().saturating_sub(NEWEST) } else { 0 };
    let mut input = corpus[rng.random_range(newest..corpus.len())].clone();
    for _ in 0..rng.random_range(1..=CHANGES) {
        change(&mut input, corpus, words, rng);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str], rng: &mut SmallRng) {
    let at = rng.random_range(0..=input.len());
    let end = (at + rng.random_range(0..24)).min(input.len());
    match rng.random_range(0..9) {
        0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
        1 if at < input.len() => input[at] = rng.random(),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].to_vec();
            for _ in 0..rng.random_range(1..200) {
                insert(input, at, &piece);
            }
        }
        4 => input.truncate(at),
        5 if !words.is_empty() => insert(input, at, words[rng.random_range(0..words.len())].as_bytes()),
        6 => {
            let other = &corpus[rng.random_range(0..corpus.len())];
            let from = rng.random_range(0..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        7 => insert(input, at, NASTY[rng.random_range(0..NASTY.len())].as_bytes()),
        _ => {
            let noise: Vec<u8> = (0..rng.random_range(1..12)).map(|_| rng.random()).collect();
            insert(input, at, &noise);
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if input.len() + piece.len() <= LONGEST {
        input.splice(at..at, piece.iter().copied());
    }
}

/// What has broken programs before.
const NASTY: &[&str] = &[
    "\0",
    "\r\n",
    "\u{feff}",
    "\u{202e}",
    "é",
    "👩‍👩‍👧‍👦",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "[]",
    "{}",
    "[[[[[[[[",
    "\"",
    "'",
    "-1",
    "1e999",
    "0.1",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "NaN",
    "{{",
    "}}",
    "%00",
    "%",
    "../",
    "\n\n",
    "\t",
    "=",
    ";",
    ",",
    "<",
    ">",
    "@",
];
