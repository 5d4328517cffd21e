//! Measures the store: admits, whole cycles, and questions over a million waiting messages, beside a
//! bare append-and-fdatasync loop of the same group size, which is the physical limit.
//!
//! `cargo run --release -p dispatch-store --example store_bench [FOLDER] [rates|million]`

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dispatch_model::{Content, DeliveryState, Submission};
use dispatch_store::conformance::sample;
use dispatch_store::{Admitted, Filter, SqliteStore, Store, StoreConfig};

/// The size of a text: with its envelope some 2 KiB a message.
const TEXT: usize = 1_800;

type Anything = Box<dyn std::error::Error>;

fn main() -> Result<(), Anything> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "target/store-bench".into());
    let part = arguments.next();
    let wants = |name: &str| part.as_deref().is_none_or(|part| part == name);
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if wants("rates") {
        println!("{:<44} {:>9} {:>8} {:>8} {:>9} {:>7}", "", "per s", "p50 ms", "p99 ms", "CPU us", "group");
        for group in [64, 256] {
            limit(folder, group)?;
        }
        for producers in [64, 256] {
            runtime.block_on(rates(folder, producers))?;
        }
    }
    if wants("million") {
        runtime.block_on(million(folder))?;
    }
    Ok(())
}

/// Appends groups of 2 KiB records to a file and syncs each group.
fn limit(folder: &Path, group: usize) -> Result<(), Anything> {
    let path = folder.join("limit");
    let mut file = File::create(&path)?;
    let bytes = vec![b'x'; group * 2048];
    let (start, cpu, rounds) = (Instant::now(), cpu(), 200);
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begin = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        times.push(begin.elapsed());
    }
    line(&format!("append + fdatasync, groups of {group}"), rounds * group, start, cpu, times, group as f64);
    fs::remove_file(path)?;
    Ok(())
}

async fn rates(folder: &Path, producers: u32) -> Result<(), Anything> {
    for (name, verbs) in [
        ("admit", Verbs::Admit),
        ("admit, plan + claim + mark, settle", Verbs::Cycle),
        ("admit, plan, claim, mark, settle", Verbs::Backlog),
    ] {
        let store = fresh(folder)?;
        let total = producers * 400;
        run(&store, producers, producers * 20, verbs, 0).await;
        let (start, cpu, before) = (Instant::now(), cpu(), store.groups());
        let times = run(&store, producers, total, verbs, 1).await;
        let after = store.groups();
        let group = (after.1 - before.1) as f64 / (after.0 - before.0).max(1) as f64;
        line(&format!("{name}, {producers} producers"), total as usize, start, cpu, times, group);
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Verbs {
    Admit,
    Cycle,
    Backlog,
}

async fn run(
    store: &Arc<SqliteStore>,
    producers: u32,
    total: u32,
    verbs: Verbs,
    round: u32,
) -> Vec<Duration> {
    let next = Arc::new(AtomicU32::new(0));
    let mut tasks = Vec::new();
    for _ in 0..producers {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= total {
                    return times;
                }
                let begin = Instant::now();
                one(&store, n, verbs, round).await;
                times.push(begin.elapsed());
            }
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap_or_default());
    }
    times
}

/// One message, as far as the verbs go. What fails shows in the next line of the table.
async fn one(store: &SqliteStore, n: u32, verbs: Verbs, round: u32) {
    let Ok(Admitted::Fresh(message)) = store.admit(submission(n, round)).await else { return };
    if matches!(verbs, Verbs::Admit) {
        return;
    }
    let planned = sample::planned(&message, sample::NOON);
    let mut delivery = planned.delivery.clone();
    if store.plan(vec![planned]).await.is_err() {
        return;
    }
    if matches!(verbs, Verbs::Cycle) {
        let Ok(Some(lease)) = store.claim_one(sample::one(message.id, true)).await else { return };
        delivery.epoch = lease.epoch;
    } else {
        let Ok(mut claims) = store.claim(sample::request(sample::at(1), 1, None)).await else { return };
        let Some(claimed) = claims.claimed.pop() else { return };
        delivery = claimed.delivery;
        if store.mark(delivery.lease()).await.is_err() {
            return;
        }
    }
    delivery.state = DeliveryState::Leased;
    let settlement = sample::accepted(&delivery, &format!("SM{round}{n:030}"));
    // A stale one would show as a rate that is too good: there is none here.
    drop(store.settle(&settlement).await);
}

fn submission(n: u32, round: u32) -> Submission {
    let mut submission =
        sample::sms(&format!("location-{:010}", n % 50), &format!("message-{round}-{n:08}"), n);
    if let Content::Sms(sms) = &mut submission.content {
        sms.text = "x".repeat(TEXT);
    }
    submission
}

fn fresh(folder: &Path) -> Result<Arc<SqliteStore>, Anything> {
    for suffix in ["", "-wal", "-shm", ".lock", ".ballast"] {
        drop(fs::remove_file(folder.join(format!("bench.db{suffix}"))));
    }
    Ok(Arc::new(SqliteStore::open(config(folder))?))
}

fn config(folder: &Path) -> StoreConfig {
    StoreConfig { location_waiting_max: u64::MAX, ..StoreConfig::new(folder.join("bench.db")) }
}

/// A million waiting messages of a thousand locations, and what is asked of a store that holds them.
async fn million(folder: &Path) -> Result<(), Anything> {
    let store = fresh(folder)?;
    // The names, and the first message of each location, by the store itself.
    for n in 0..1000 {
        let mut submission = submission(n, 0);
        submission.location = format!("location-{n:010}").as_str().into();
        let Admitted::Fresh(message) = store.admit(submission).await? else { continue };
        store.plan(vec![sample::planned(&message, sample::NOON)]).await?;
    }
    // Their keys are written once nothing else is to be done.
    let written = |db: &rusqlite::Connection| {
        db.query_row("SELECT count(*) FROM dedupe", [], |row| row.get::<_, i64>(0))
    };
    let db = rusqlite::Connection::open(folder.join("bench.db"))?;
    while written(&db)? < 1000 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop((store, db));
    let begin = Instant::now();
    multiply(&folder.join("bench.db"))?;
    println!("{:<44} {:>8.1} s", "made 1 000 000 waiting", begin.elapsed().as_secs_f64());
    let begin = Instant::now();
    let store = SqliteStore::open(config(folder))?;
    asked("open", begin);
    for round in 0..2 {
        println!("search terms {}", if round == 0 { "not yet written" } else { "written" });
        questions(&store).await?;
        let begin = Instant::now();
        while round == 0 && store.search_lag() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        asked("  writing the search terms", begin);
    }
    let mut after = None;
    let mut times = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        let claims = store.claim(sample::request(sample::at(1), 16, after)).await?;
        times.push(begin.elapsed());
        after = claims.after;
    }
    times.sort_unstable();
    println!("  {:<42} {:>8.2} ms (p99 {:.2})", "claim of 16", millis(times[100]), millis(times[197]));
    times.clear();
    for n in 0..2_000 {
        let begin = Instant::now();
        one(&store, n, Verbs::Cycle, 7).await;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    println!("  {:<42} {:>8.2} ms (p99 {:.2})", "a cycle, alone", millis(times[1000]), millis(times[1980]));
    let filter = Filter { location: Some("location-0000000077".into()), ..Filter::default() };
    let begin = Instant::now();
    let count = store.cancel(filter, "measured".into(), sample::at(9)).await?;
    asked(&format!("  cancel of {count}"), begin);
    Ok(())
}

async fn questions(store: &SqliteStore) -> Result<(), Anything> {
    let begin = Instant::now();
    store.stats().await?;
    asked("  stats", begin);
    let begin = Instant::now();
    store.lanes().await?;
    asked("  lanes", begin);
    let begin = Instant::now();
    store.unplanned(dispatch_model::MessageId::ZERO, 100).await?;
    asked("  unplanned", begin);
    let begin = Instant::now();
    store.find("message-0-00000500").await?;
    asked("  find by external id", begin);
    let begin = Instant::now();
    store.find("SMnone").await?;
    asked("  find by a reference that is not there", begin);
    let any = Filter::default;
    for (name, filter) in [
        ("everything", any()),
        ("a location", Filter { location: Some("location-0000000077".into()), ..any() }),
        ("a recipient", Filter { recipient: Some("+525500000077".into()), ..any() }),
        ("a contact", Filter { contact: Some("contact-77".into()), ..any() }),
        ("dead letters", Filter { states: vec![DeliveryState::DeadLettered], ..any() }),
        ("accepted", Filter { states: vec![DeliveryState::Accepted], ..any() }),
        ("possible doubles", Filter { possible_double: Some(true), ..any() }),
    ] {
        let (mut cursor, mut pages, mut found) = (None, 0, 0);
        let (begin, mut slowest) = (Instant::now(), Duration::ZERO);
        loop {
            let page_begin = Instant::now();
            let page = store.search(filter.clone(), cursor, 50).await?;
            slowest = slowest.max(page_begin.elapsed());
            (pages, found) = (pages + 1, found + page.items.len());
            cursor = page.next;
            if cursor.is_none() || found >= 50 {
                break;
            }
        }
        println!(
            "  {:<42} {:>8.2} ms, slowest page {:.2} ms of {pages}, {found} found",
            format!("search: {name}"),
            millis(begin.elapsed()),
            millis(slowest)
        );
    }
    Ok(())
}

/// Copies the first thousand messages 999 times, by SQL alone.
fn multiply(path: &Path) -> Result<(), Anything> {
    let db = rusqlite::Connection::open(path)?;
    db.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN;
         CREATE TEMP TABLE copies AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 999)
             SELECT n FROM c;
         INSERT INTO message SELECT id + n * 100000, location, channel, source, received_at,
             external_id || '-' || n, contact, recipients, original, content, sender FROM copies, message ORDER BY n, id;
         INSERT INTO delivery SELECT id + n * 100000, state, queue, location, lane, route, backend, channel, flags,
             due_at, recipient + n, epoch, position, attempts, attempts_total, generation, expires_at, changed_at,
             planned_at, last_attempt, called_off, reference, reason, remaining, plan
             FROM copies, delivery ORDER BY n, id;
         INSERT INTO dedupe SELECT randomblob(16), id FROM message WHERE id % 1000 > 0 ORDER BY 1;
         UPDATE meta SET value = (SELECT max(id) FROM message) WHERE key = 'keyed_message';
         UPDATE tally SET n = n * 1000;
         DELETE FROM term;
         UPDATE meta SET value = 0 WHERE key = 'indexed_message';
         COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
    )?;
    Ok(())
}

fn line(name: &str, count: usize, start: Instant, cpu_before: f64, mut times: Vec<Duration>, group: f64) {
    let (elapsed, used) = (start.elapsed().as_secs_f64(), cpu() - cpu_before);
    times.sort_unstable();
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().map_or(0.0, millis);
    println!(
        "{name:<44} {:>9.0} {:>8.2} {:>8.2} {:>9.1} {group:>7.1}",
        count as f64 / elapsed,
        at(0.5),
        at(0.99),
        used * 1e6 / count as f64
    );
}

fn asked(name: &str, begin: Instant) {
    println!("{name:<44} {:>8.2} ms", millis(begin.elapsed()));
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Seconds of CPU this process has used, all threads together.
fn cpu() -> f64 {
    /// The kernel's unit, the same on all Linux systems.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}
