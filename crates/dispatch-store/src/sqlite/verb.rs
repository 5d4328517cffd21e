//! A verb on its way to the writer, and its answer on the way back.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::error::{Failure, Trouble};
use super::ledger::Ledger;
use crate::StoreError;

/// How far a verb came in one transaction.
pub(super) enum Progress<T> {
    /// It is done.
    Done(T),
    /// It took a bite, and wants another transaction: long work must not hold up the short.
    More,
}

/// One verb of the store.
///
/// `run` may be called again after a transaction was rolled back, so what it learns from a bite is
/// kept aside until [`Verb::committed`].
pub(super) trait Verb: Send + 'static {
    type Output: Send + 'static;

    /// Roughly how many bytes it writes: a group is bounded by their sum.
    fn weight(&self) -> usize {
        512
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<Progress<Self::Output>, Failure>;

    /// The transaction of the last run, which was not refused, holds.
    fn committed(&mut self) {}
}

/// How a transaction ended, for those in it.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    Committed,
    Failed(Trouble),
}

/// A verb without its type.
pub(super) trait Task: Send {
    fn weight(&self) -> usize;
    fn run(&mut self, ledger: &mut Ledger) -> Result<(), rusqlite::Error>;
    /// Answers, or gives itself back for another bite.
    fn end(self: Box<Self>, ending: &Ending) -> Option<Box<dyn Task>>;
}

/// A verb and whoever waits for its answer.
pub(super) struct Call<V: Verb> {
    verb: V,
    reply: oneshot::Sender<Result<V::Output, StoreError>>,
    outcome: Option<Result<Progress<V::Output>, StoreError>>,
}

impl<V: Verb> Call<V> {
    pub(super) fn new(verb: V) -> (Box<Self>, oneshot::Receiver<Result<V::Output, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Self { verb, reply, outcome: None }), answer)
    }
}

impl<V: Verb> Task for Call<V> {
    fn weight(&self) -> usize {
        self.verb.weight()
    }

    fn run(&mut self, ledger: &mut Ledger) -> Result<(), rusqlite::Error> {
        self.outcome = Some(match self.verb.run(ledger) {
            Ok(progress) => Ok(progress),
            Err(Failure::Refused(error)) => Err(error),
            Err(Failure::Broken(error)) => return Err(error),
        });
        Ok(())
    }

    fn end(mut self: Box<Self>, ending: &Ending) -> Option<Box<dyn Task>> {
        let answer = match (ending, self.outcome.take()) {
            (Ending::Committed, Some(Ok(Progress::More))) => {
                self.verb.committed();
                return Some(self);
            }
            (Ending::Committed, Some(Ok(Progress::Done(output)))) => {
                self.verb.committed();
                Ok(output)
            }
            (Ending::Committed, Some(Err(error))) => Err(error),
            (Ending::Committed, None) => Err(StoreError::Fatal { detail: "a verb that never ran".into() }),
            (Ending::Failed(trouble), _) => Err(trouble.clone().into_error()),
        };
        let Self { verb, reply, .. } = *self;
        // Before whoever asked goes on: a verb may hold what belongs to him.
        drop(verb);
        // Whoever asked may have gone: the work is done all the same.
        let _ = reply.send(answer);
        None
    }
}

/// A refusal for want of room.
pub(super) fn no_room(detail: &Arc<str>) -> Failure {
    Failure::Refused(StoreError::Full { detail: detail.to_string() })
}
