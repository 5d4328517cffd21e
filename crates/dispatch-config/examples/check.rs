//! Prints what is wrong with a configuration: `cargo run -p dispatch-config --example check -- FILE…`
fn main() {
    let files = std::env::args().skip(1).map(Into::into).collect();
    let bundled = ["twilio", "smtp", "http", "log"].map(str::to_owned).to_vec();
    let environment = std::env::vars().collect();
    let inputs =
        dispatch_config::Inputs { files, bundled_plugins: bundled, environment, ..Default::default() };
    match dispatch_config::load(&inputs) {
        Ok(l) => {
            for d in &l.warnings {
                println!("{d}\n");
            }
            println!("{:#?}\n{:?}", l.config, dispatch_config::watched_files(&l))
        }
        Err(list) => {
            for d in list {
                println!("{d}\n");
            }
        }
    }
}
