//! Who gets a mail, and who cannot.

use serde::{Deserialize, Serialize};

use crate::{Mailbox, Reason, Refusal, RefusedRecipient};

/// The recipients of a mail as they stood in the message, to be told apart when the provider answers.
///
/// It is carried from the request to the answer as (a part of) a plugin's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipients {
    /// Each address once, and as it stood in the message.
    usable: Vec<(String, String)>,
    /// Those that are no addresses: as they stood, and why.
    unusable: Vec<(String, String)>,
}

impl Recipients {
    /// Adds a list, and gives back the addresses in it that are new.
    pub fn add(&mut self, list: &[String]) -> Vec<Mailbox> {
        let mut mailboxes = Vec::new();
        for given in list {
            match Mailbox::parse(given) {
                Ok(mailbox) if self.knows(&mailbox.address) => {}
                Ok(mailbox) => {
                    self.usable.push((mailbox.address.clone(), given.clone()));
                    mailboxes.push(mailbox);
                }
                Err(problem) => self.unusable.push((given.clone(), problem.to_owned())),
            }
        }
        mailboxes
    }

    /// A mail needs a recipient, and no more than `max` of them.
    ///
    /// # Errors
    /// There is none, or there are too many.
    pub fn check(&self, max: usize) -> Result<(), Refusal> {
        if self.usable.is_empty() {
            let problem = self.unusable.first().map_or("there are none", |(_, problem)| problem);
            return Err(Refusal::recipient("address", format!("there is no usable recipient: {problem}")));
        }
        if self.usable.len() > max {
            return Err(Refusal::content("recipients", format!("there are more than {max} recipients")));
        }
        Ok(())
    }

    /// The addresses, `a@b` each.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.usable.iter().map(|(address, _)| address.as_str())
    }

    /// A recipient as it stood in the message, by its address in any case of letters.
    pub fn as_given<'a>(&'a self, address: &'a str) -> &'a str {
        let known = self.usable.iter().find(|(known, _)| known.eq_ignore_ascii_case(address));
        known.map_or(address, |(_, given)| given)
    }

    /// Those that are no addresses, for the acceptance: the provider never saw them.
    pub fn refused(&self) -> Vec<RefusedRecipient> {
        let refused = self.unusable.iter().map(|(recipient, problem)| RefusedRecipient {
            recipient: recipient.clone(),
            reason: Reason::new("address", problem.as_str()),
            retry: false,
        });
        refused.collect()
    }

    fn knows(&self, address: &str) -> bool {
        self.usable.iter().any(|(known, _)| known.eq_ignore_ascii_case(address))
    }
}
