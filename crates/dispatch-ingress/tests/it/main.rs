//! The door from the outside: real connections, real signatures, a store that does as it is told.

mod bounds;
mod callbacks;
mod door;
mod fixtures;
mod hostile;
mod life;
mod log;
mod proofs;
mod store;
mod wire;
