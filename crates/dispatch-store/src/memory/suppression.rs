//! Who wants no messages, in memory.

use super::state::State;
use crate::{Admitted, Consent, Cursor, NewInbound, Page, StoreError, Suppression, SuppressionFilter};

impl State {
    pub(super) fn receive(
        &mut self,
        inbound: NewInbound,
        room: Result<(), StoreError>,
    ) -> Result<Admitted, StoreError> {
        let admitted = self.admit(inbound.submission, None, room)?;
        if let (Admitted::Fresh(_) | Admitted::Waiting(_), Some(consent)) = (&admitted, &inbound.consent) {
            self.consent(consent);
        }
        Ok(admitted)
    }

    fn consent(&mut self, consent: &Consent) {
        match consent {
            Consent::Stop(suppression) => drop(self.suppress(vec![suppression.clone()])),
            Consent::Start(lift) => self.suppressed.retain(|_, known| !lift.takes(known)),
        }
    }

    pub(super) fn suppress(&mut self, suppressions: Vec<Suppression>) -> usize {
        let before = self.suppressed.len();
        for new in suppressions {
            let same = |known: &Suppression| {
                known.channel == new.channel && known.address == new.address && known.location == new.location
            };
            if !self.suppressed.values().any(same) {
                self.last_suppressed += 1;
                self.suppressed.insert(self.last_suppressed, new);
            }
        }
        self.suppressed.len() - before
    }

    pub(super) fn unsuppress(&mut self, filter: &SuppressionFilter) -> usize {
        let before = self.suppressed.len();
        self.suppressed.retain(|_, known| !filter.takes(known));
        before - self.suppressed.len()
    }

    pub(super) fn suppressed(
        &self,
        filter: &SuppressionFilter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> Page<Suppression> {
        let before = cursor.map_or(i64::MAX, |cursor| cursor.0);
        let mut rest = self.suppressed.range(..before).rev().filter(|(_, known)| filter.takes(known));
        let rows: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
        let next = if rest.next().is_some() { rows.last().map(|(number, _)| Cursor(**number)) } else { None };
        Page { items: rows.into_iter().map(|(_, known)| known.clone()).collect(), next }
    }
}
