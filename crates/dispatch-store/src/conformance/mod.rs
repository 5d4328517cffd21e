//! What every store has to do: one suite, run against all implementations.
//!
//! A scenario gets an empty store and speaks to it by the trait alone. It panics where the contract
//! is broken, and says which part of it.

mod door;
mod inbound;
mod operator;
mod question;
mod receipt;
mod round_robin;
pub mod sample;
mod upkeep;
mod work;

use std::pin::Pin;
use std::sync::Arc;

use crate::Store;

/// Quota of waiting messages that the scenarios are written for.
pub const QUOTA: u64 = 200;

/// A store as the scenarios see it.
pub type Subject = Arc<dyn Store>;

type Scenario = fn(Subject) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! scenarios {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((concat!(stringify!($module), "::", stringify!($name)), {
            fn run(store: Subject) -> Pin<Box<dyn Future<Output = ()> + Send>> {
                Box::pin($module::$name(store))
            }
            run as Scenario
        })),*]
    };
}

/// Runs all scenarios, each on a store that `make` has just made: empty, with [`QUOTA`] as the bound
/// of waiting messages for each location.
///
/// # Panics
/// Where the contract is broken.
pub async fn run_all(make: impl Fn() -> Subject) {
    let all = scenarios![
        door::a_submission_is_promised_once,
        door::keys_are_of_location_and_external_id,
        door::ids_never_go_back,
        door::a_location_has_a_quota,
        door::everything_of_a_submission_comes_back,
        door::bodies_are_kept_once,
        door::a_flood_of_duplicates_is_shown_in_part,
        work::the_whole_way,
        work::one_is_leased_as_it_is_admitted,
        work::one_is_claimed_by_its_id,
        work::one_that_does_not_wait_there_is_not_claimed,
        work::a_plan_comes_once,
        work::plans_and_settlements_are_checked,
        work::an_old_lease_is_stale,
        work::nothing_is_claimed_before_its_time,
        work::recovery_voids_leases,
        work::a_clock_that_was_ahead_holds_nothing_up,
        work::a_lane_is_moved,
        work::lanes_are_counted,
        round_robin::a_crowd_does_not_hold_up_another,
        round_robin::one_for_each_recipient,
        round_robin::the_round_goes_on_where_it_was,
        operator::cancel_takes_what_matches,
        operator::cancel_waits_for_an_attempt,
        operator::redrive_begins_anew,
        operator::held_ones_are_resolved,
        operator::suspended_work_stays,
        operator::a_resumed_route_is_complete,
        operator::lanes_remember,
        question::a_timeline_is_whole,
        question::any_id_finds_it,
        question::filters_narrow,
        question::pages_follow_on,
        question::states_are_counted,
        receipt::a_receipt_finds_its_message_by_reference,
        receipt::parts_are_found_and_counted_together,
        receipt::what_comes_before_our_commit_is_adopted_by_it,
        receipt::its_own_url_names_a_message_whose_answer_was_lost,
        receipt::our_key_names_a_message_of_this_backend_and_location,
        receipt::a_held_or_waiting_one_is_settled_by_its_receipt,
        receipt::a_crash_during_the_attempt_loses_no_receipt,
        receipt::an_arrival_before_a_redrive_is_a_possible_double,
        receipt::what_nobody_comes_for_goes,
        receipt::a_secret_is_made_once,
        inbound::a_message_from_a_person_is_kept_once_for_each_backend,
        inbound::those_from_people_are_found_apart,
        inbound::what_is_kept_can_be_handed_on_later,
        inbound::a_senders_address_goes_with_the_content_and_the_key_stays,
        inbound::a_wish_is_kept_with_its_message_and_once,
        inbound::suppressions_are_listed_and_lifted,
        inbound::suppressions_are_checked,
        upkeep::retention_takes_in_turn,
        upkeep::unfinished_work_is_never_purged,
        upkeep::keys_live_long,
        upkeep::quarantine_has_its_own_time,
    ];
    for (name, scenario) in all {
        tracing::info!(name, "conformance");
        scenario(make()).await;
    }
}
