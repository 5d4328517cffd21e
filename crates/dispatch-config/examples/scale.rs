use std::fmt::Write;
fn rss() -> (u64, u64) {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let g = |k: &str| {
        s.lines()
            .find(|l| l.starts_with(k))
            .and_then(|l| l.split_whitespace().nth(1))
            .and_then(|v| v.parse().ok())
            .unwrap_or(0)
            / 1024
    };
    (g("VmRSS:"), g("VmHWM:"))
}
fn main() {
    let mut t = String::new();
    for i in 0..100_000 {
        write!(t, "[locations.GKAWb4yu7A4LSc{i:06}]\nname = \"Client {i}\"\nbackends.twilio-mx = {{ settings = {{ from = \"+52555{i:07}\" }}, secrets = {{ auth_token = {{ env = \"TOKEN\" }} }} }}\n").unwrap();
    }
    println!("{} MB text {:?}", t.len() / 1_000_000, rss());
    let at = std::time::Instant::now();
    let (table, errors) = toml::de::DeTable::parse_recoverable(&t);
    println!("{:?} {} {:?}", at.elapsed(), errors.len(), rss());
    let n = table.get_ref().len();
    let x = table.get_ref().iter().next().unwrap().1.get_ref().as_table().unwrap().iter().next().unwrap();
    println!("{n} {:?}", x);
    drop(table);
    println!("{:?}", rss());
}
