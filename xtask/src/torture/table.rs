//! What is printed: one row a scenario, and under it what is wrong.

use std::fmt::Write as _;
use std::time::Duration;

use dispatch_testkit::Verdict;

use super::arena::World;

/// A scenario that was run, or could not be.
#[derive(Default)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// From the end of what was broken until nothing waited any more.
    pub(super) recovered: Option<Duration>,
    pub(super) note: String,
    /// How often the process was killed, and the power cut.
    pub(super) kills: u64,
    pub(super) cuts: u64,
    pub(super) problem: Option<String>,
    pub(super) left_out: bool,
}

impl Row {
    pub(super) fn failed(why: String) -> Self {
        Self { problem: Some(why), ..Self::default() }
    }

    pub(super) fn left_out(why: &str) -> Self {
        Self { note: format!("left out: {why}"), left_out: true, ..Self::default() }
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub(super) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The scenario has shown nothing unless this holds.
    pub(super) fn proves(mut self, shown: bool, what: &str) -> Self {
        if !shown {
            let text = self.problem.get_or_insert_default();
            let _ = writeln!(text, "it proves nothing: {what}");
        }
        self
    }

    /// A bound that was not kept.
    pub(super) fn fails(mut self, failed: bool, what: &str) -> Self {
        if failed {
            let text = self.problem.get_or_insert_default();
            let _ = writeln!(text, "{what}");
        }
        self
    }

    /// Another round of the same scenario.
    pub(super) fn add(&mut self, round: Self) {
        self.verdict.add(round.verdict);
        self.recovered = self.recovered.max(round.recovered);
        self.kills += round.kills;
        self.cuts += round.cuts;
        if let Some(problem) = round.problem {
            self.problem.get_or_insert_default().push_str(&problem);
        }
    }

    pub(super) fn is_bad(&self) -> bool {
        self.problem.is_some()
    }

    pub(super) fn print(&self) {
        let word = if self.is_bad() { "FAILED" } else { "ok" };
        println!("  {word:<7}{}", self.line());
        if let Some(problem) = &self.problem {
            println!("{problem}");
        }
    }

    fn line(&self) -> String {
        if self.left_out {
            return format!("{:<36} {}", self.name, self.note);
        }
        let verdict = &self.verdict;
        let recovered =
            self.recovered.map_or_else(|| "-".to_owned(), |took| format!("{:.1}", took.as_secs_f64()));
        format!(
            "{:<36} {:>7} {:>7} {:>7} {:>5} {:>5} {:>7} {:>5} {recovered:>10}  {}",
            self.name,
            verdict.acknowledged,
            verdict.delivered,
            verdict.duplicated,
            verdict.held,
            verdict.dead,
            verdict.waiting,
            verdict.lost.len(),
            self.note,
        )
    }
}

/// All of it.
pub(super) fn text(rows: &[Row], world: &World, took: Duration) -> String {
    let mut text =
        format!("torture: seed {}, {}, {:.0} s\n", world.seed, world.machine(), took.as_secs_f64());
    let _ = writeln!(
        text,
        "{:<36} {:>7} {:>7} {:>7} {:>5} {:>5} {:>7} {:>5} {:>10}",
        "", "acked", "deliv.", "doubles", "held", "dead", "waiting", "LOST", "back in s"
    );
    for row in rows {
        let _ = writeln!(text, "{}", row.line());
    }
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let _ = writeln!(
        text,
        "in all: {} kills, {} power cuts; {} acknowledged, {} LOST",
        sum(|row| row.kills),
        sum(|row| row.cuts),
        sum(|row| row.verdict.acknowledged),
        sum(|row| if row.expects_loss() { 0 } else { row.verdict.lost.len() as u64 }),
    );
    text
}

impl Row {
    /// The negative control: losing is what it has to show.
    fn expects_loss(&self) -> bool {
        self.name.contains("pretended")
    }
}
