//! `plugin build`: from a folder to its component.

use dispatch_author::Project;
use serde_json::json;

use super::{say, target_dir};
use crate::cli::PluginBuildArgs;
use crate::exit::Failure;
use crate::verbs::Place;

pub(super) fn build(place: &Place, args: &PluginBuildArgs) -> Result<(), Failure> {
    let component = Project::open(&args.folder)?.build(target_dir().as_deref(), &mut say)?;
    let size = std::fs::metadata(&component)?.len();
    let shown = json!({ "component": component, "size": size });
    place.show(&shown, |_| format!("{} ({} kB)", component.display(), size.div_ceil(1000)))
}
