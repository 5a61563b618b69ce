//! The gate on instruction counts: what the core executes for one auction, under callgrind.
//!
//! `make instructions` runs each scenario of `scenarios.rs` in a process of its own and compares
//! with `instructions.json`; `make instructions ACCEPT=1` writes that file. Counts hold for one
//! compiler, one callgrind and one set of CPU features: where these differ from the recorded ones,
//! differences are printed and nothing fails.

mod scenarios;

use std::any::Any;
use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io;
use std::process::{Command, ExitCode};

use serde_json::{Map, Value, json};

/// More than this much above the accepted count fails; the hash seeds of the standard library's
/// maps move a count by far less.
const TOLERANCE: f64 = 0.05;
const ACCEPTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["--scenario", name] => run(name),
        [] => gate(false),
        ["--accept"] => gate(true),
        _ => Err("usage: make instructions [ACCEPT=1]".into()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("instructions: {error}");
        ExitCode::FAILURE
    })
}

/// One scenario, in a process that callgrind watches.
fn run(name: &str) -> Outcome<ExitCode> {
    let (_, prepare) = scenarios::ALL.iter().find(|(n, _)| *n == name).ok_or("no such scenario")?;
    let mut work = prepare();
    drop(black_box(vec![1_u8; 100_000])); // the allocator tidies up after the preparation now, not later
    drop(measured(&mut *work));
    print!("{}", features());
    Ok(ExitCode::SUCCESS)
}

/// Callgrind counts only while this function runs.
#[inline(never)]
fn measured(work: &mut dyn FnMut() -> Box<dyn Any>) -> Box<dyn Any> {
    work()
}

/// What of the CPU decides which code runs; valgrind has features of its own.
fn features() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        return "avx2";
    }
    "baseline"
}

fn gate(accept: bool) -> Outcome<ExitCode> {
    let Some(valgrind) = version("valgrind", &["--version"])? else {
        println!("instruction gate not run: valgrind is not installed (apt-get install valgrind)");
        return Ok(ExitCode::SUCCESS);
    };
    let mut counts = Vec::new();
    let mut features = String::new();
    for (name, _) in scenarios::ALL {
        let count;
        (count, features) = counted(name)?;
        counts.push((*name, count / u64::try_from(scenarios::AUCTIONS)?));
    }
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = version(&rustc, &["--version"])?.unwrap_or_default();
    let target = format!("{}-{}", env::consts::ARCH, env::consts::OS);
    let measured_with =
        json!({ "rustc": rustc, "valgrind": valgrind, "target": target, "features": features });
    let accepted = fs::read(ACCEPTED).ok().map(|bytes| serde_json::from_slice(&bytes));
    let accepted: Value = accepted.transpose()?.unwrap_or_default();
    let worse = table(&counts, &accepted["instructions"]);
    if accept {
        let counts: Map<_, _> = counts.iter().map(|(n, c)| ((*n).to_owned(), json!(c))).collect();
        let document = json!({ "instructions": counts, "measured_with": measured_with });
        fs::write(ACCEPTED, format!("{document:#}\n"))?;
        println!("accepted: rust/benches/instructions.json is written");
        return Ok(ExitCode::SUCCESS);
    }
    if accepted["measured_with"] != measured_with {
        println!("not comparable, so nothing fails. Recorded: {}", accepted["measured_with"]);
        println!("Here: {measured_with}. To record these: make instructions ACCEPT=1");
        return Ok(ExitCode::SUCCESS);
    }
    if worse.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("more than {:.0} % above what is accepted: {}", TOLERANCE * 100.0, worse.join(", "));
    println!("If that is the price of something: make instructions ACCEPT=1, and say so");
    Ok(ExitCode::FAILURE)
}

/// Print counts beside the accepted ones; the names of those that are too high or not accepted yet.
fn table<'a>(counts: &[(&'a str, u64)], accepted: &Value) -> Vec<&'a str> {
    println!(
        "{:<30}{:>12}{:>12}{:>10}",
        "instructions per auction", "counted", "accepted", "change"
    );
    let mut worse = Vec::new();
    for &(name, count) in counts {
        let Some(before) = accepted[name].as_u64() else {
            println!("{name:<30}{count:>12}{:>12}{:>10}", "-", "new");
            worse.push(name);
            continue;
        };
        #[allow(clippy::cast_precision_loss)] // counts are far below 2^52
        let change = count as f64 / before as f64 - 1.0;
        println!("{name:<30}{count:>12}{before:>12}{:>+9.2}%", change * 100.0);
        if change > TOLERANCE {
            worse.push(name);
        }
    }
    worse
}

/// Instructions of a scenario, and the features that its process saw.
fn counted(name: &str) -> Outcome<(u64, String)> {
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=instructions::measured*")
        .arg(env::current_exe()?)
        .args(["--scenario", name])
        .output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = counted.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or(0);
    if !done.status.success() || count == 0 {
        return Err(format!("callgrind counted nothing of {name}:\n{said}").into());
    }
    Ok((count, String::from_utf8_lossy(&done.stdout).into_owned()))
}

/// What a tool says of itself; None when there is no such tool.
fn version(tool: &str, arguments: &[&str]) -> Outcome<Option<String>> {
    match Command::new(tool).args(arguments).output() {
        Ok(done) => Ok(Some(String::from_utf8_lossy(&done.stdout).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
