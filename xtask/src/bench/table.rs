//! What is printed: one row a measurement.

use serde::Serialize;

/// A measurement. What does not apply is absent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(super) name: String,
    /// A second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) per_second: Option<f64>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p50_ms: Option<f64>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p99_ms: Option<f64>,
    /// Microseconds of the process's CPU for each message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu_us: Option<f64>,
    /// Anything else, with its unit.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
    /// What it is to reach.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) goal: &'static str,
}

impl Row {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    pub(super) fn rate(mut self, per_second: f64) -> Self {
        self.per_second = Some(per_second);
        self
    }

    pub(super) fn latency(mut self, p50_ms: f64, p99_ms: f64) -> Self {
        (self.p50_ms, self.p99_ms) = (Some(p50_ms), Some(p99_ms));
        self
    }

    pub(super) fn cpu(mut self, microseconds: f64) -> Self {
        self.cpu_us = Some(microseconds);
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    pub(super) fn goal(mut self, goal: &'static str) -> Self {
        self.goal = goal;
        self
    }
}

pub(super) fn print_json(rows: &[Row]) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "rows": rows }))?);
    Ok(())
}

/// Names are padded to this, so that the parts' columns stand below each other.
const NAME: usize = 38;

pub(super) fn print(part: &str, rows: &[Row]) {
    println!("{part:<NAME$}  {:>9}  {:>8}  {:>8}  {:>9}", "per s", "p50 ms", "p99 ms", "CPU us");
    for row in rows {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or_else(String::new, |value| format!("{value:.digits$}"))
        };
        let goal = if row.goal.is_empty() { String::new() } else { format!("(goal: {})", row.goal) };
        let line = format!(
            "  {:<width$}  {:>9}  {:>8}  {:>8}  {:>9}  {} {goal}",
            row.name,
            number(row.per_second, 0),
            number(row.p50_ms, 2),
            number(row.p99_ms, 2),
            number(row.cpu_us, 1),
            row.note,
            width = NAME - 2,
        );
        println!("{}", line.trim_end());
    }
    println!();
}
