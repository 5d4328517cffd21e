//! What a person can type after `dispatcher suppressions`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dispatch_model::Channel;
use dispatch_text::Region;

use super::parse_channel;

#[derive(Debug, Subcommand)]
pub(crate) enum SuppressionsVerb {
    /// List them, newest first
    List(SuppressListArgs),
    /// Send these people no more messages
    Add(SuppressArgs),
    /// Lift the suppression of a person
    Remove(SuppressRemoveArgs),
    /// Add all people of a CSV file, or none if a line is wrong
    #[command(
        after_help = "The first line names the columns: address, and if wanted location (* for every one), channel (sms, email), note.\nA number has its country code, or --region says which country is meant."
    )]
    Import(SuppressImportArgs),
}

/// For which location.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Where {
    /// Of this location (HighLevel's locationId)
    #[arg(long, short)]
    pub(crate) location: Option<String>,
    /// Those for every location
    #[arg(long, conflicts_with = "location")]
    pub(crate) everywhere: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SuppressListArgs {
    #[command(flatten)]
    pub(crate) place: Where,
    /// Of this number or mail address
    #[arg(long, short)]
    pub(crate) address: Option<String>,
    /// sms or email
    #[arg(long, value_parser = parse_channel)]
    pub(crate) channel: Option<Channel>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 50)]
    pub(crate) limit: usize,
    /// Go on where the last page ended
    #[arg(long)]
    pub(crate) cursor: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct SuppressArgs {
    /// Numbers or mail addresses
    #[arg(value_name = "ADDRESS", required = true)]
    pub(crate) addresses: Vec<String>,
    #[command(flatten)]
    pub(crate) place: Where,
    /// The country of numbers without a country code, for example MX
    #[arg(long)]
    pub(crate) region: Option<Region>,
    /// Why, for the list
    #[arg(long, default_value = "")]
    pub(crate) note: String,
}

#[derive(Debug, Args)]
pub(crate) struct SuppressRemoveArgs {
    /// A number or mail address
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Only that of one location; by default all of this person
    #[command(flatten)]
    pub(crate) place: Where,
    /// The country of a number without a country code, for example MX
    #[arg(long)]
    pub(crate) region: Option<Region>,
}

#[derive(Debug, Args)]
pub(crate) struct SuppressImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// For lines that name no location
    #[command(flatten)]
    pub(crate) place: Where,
    /// The country of numbers without a country code, for example MX
    #[arg(long)]
    pub(crate) region: Option<Region>,
}
