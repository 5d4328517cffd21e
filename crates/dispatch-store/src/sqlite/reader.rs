//! Readers: threads with a read-only connection each, for the questions.
//!
//! A question is one short transaction, so that it sees one state and never keeps the log from being
//! reset.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::Shared;
use super::error::{Failure, Trouble};
use super::names::Names;
use crate::StoreError;

/// What a question is asked of.
pub(super) struct Reader {
    pub(super) db: Connection,
    pub(super) names: Names,
    pub(super) shared: Arc<Shared>,
}

/// A question with its answer's way back.
pub(super) type Question = Box<dyn FnOnce(&mut Reader) + Send>;

impl Reader {
    pub(super) fn new(db: Connection, shared: Arc<Shared>) -> Self {
        Self { db, names: Names::default(), shared }
    }

    /// Answers until nobody can ask any more.
    pub(super) fn serve(mut self, questions: &Mutex<Receiver<Question>>) {
        loop {
            let question = questions.lock().recv();
            let Ok(question) = question else { return };
            if catch_unwind(AssertUnwindSafe(|| question(&mut self))).is_err() {
                // Whoever asked sees that no answer came; a transaction left open would hold the log.
                tracing::error!("store.question: met a defect");
                if !self.db.is_autocommit() {
                    let _ = self.db.execute_batch("ROLLBACK");
                }
            }
        }
    }

    /// Runs a question in a transaction of its own.
    pub(super) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let answer = self.db.execute_batch("BEGIN").map_err(Failure::from).and_then(|()| question(self));
        let ended = if self.db.is_autocommit() { Ok(()) } else { self.db.execute_batch("COMMIT") };
        let answer = answer.and_then(|answer| ended.map(|()| answer).map_err(Failure::from));
        answer.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::Broken(error) => {
                let trouble = Trouble::of(&error);
                if let Trouble::Fatal(detail) = &trouble {
                    self.shared.fail(detail.clone());
                }
                trouble.into_error()
            }
        })
    }
}
