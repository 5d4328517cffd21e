//! The promises of the contract that are put to the test, by the words of the report.

pub(crate) const DESCRIPTION: &str = "the description is complete";
pub(crate) const GIVEN: &str = "the given settings are accepted";
pub(crate) const WRONG: &str = "wrong settings are refused, with words";
pub(crate) const SCHEMA: &str = "the schema refuses what check refuses";
pub(crate) const ENDS: &str = "every call ends by itself";
pub(crate) const TIME: &str = "every call is done in time";
pub(crate) const SAME: &str = "the same input gives the same output";
pub(crate) const PATHS: &str = "every path ends in an outcome within 32 steps";
pub(crate) const HONEST: &str = "an outcome does not go against the answer";
pub(crate) const HOSTS: &str = "requests go where the settings say";
pub(crate) const DELIVERS: &str = "an honest message is delivered";
pub(crate) const KEY: &str = "the idempotency key goes along";
pub(crate) const QUESTIONS: &str = "a callback or a lookup delivers nothing";
pub(crate) const ANSWERS: &str = "every callback and lookup ends within 32 steps";
pub(crate) const FEATURES: &str = "what is not described is refused";
pub(crate) const SECRETS: &str = "secrets come out nowhere";

/// All of them, in the order of the report.
pub(crate) const ALL: [&str; 16] = [
    DESCRIPTION,
    GIVEN,
    WRONG,
    SCHEMA,
    ENDS,
    TIME,
    SAME,
    PATHS,
    HONEST,
    HOSTS,
    DELIVERS,
    KEY,
    QUESTIONS,
    ANSWERS,
    FEATURES,
    SECRETS,
];
