//! Nothing of a run is lost: the program is killed at any moment, the disk fills, folders turn read-only or vanish, and
//! what was written stays whole and leads to the bytes that an undisturbed run ends with.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use crate::support::program;
use crate::support::skip;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use frostline::project::runs::RunFolder;
use rand::{Rng, SeedableRng};

use crate::support::program::{Place, stderr};
use crate::support::same_run::assert_same_run;

/// Moments at which the program is killed under the first plan; the others need fewer.
const KILLS: usize = 12;
const FEWER_KILLS: usize = 4;

/// The kept weights of a run.
fn weights(place: &Place, run: &str) -> Vec<u8> {
    fs::read(checkpoints(place, run).join("best.safetensors")).unwrap()
}

fn checkpoints(place: &Place, run: &str) -> PathBuf {
    place.path("p/runs").join(run).join("checkpoints")
}

/// Two phases, dropout, two tasks, a rate that falls: all that a resumed run must get right.
fn project() -> Place {
    project_with("preset = \"gradual\"")
}

/// The same with other lines for what is trained.
fn project_with(plan: &str) -> Place {
    let place = Place::new().with_project();
    place.edit_project(|text| {
        let text = text.replace("epochs = 2", "epochs = 12").replace("batch_size = 16", "batch_size = 8");
        let (before, after) = text.split_once("preset = \"full\"\n").unwrap();
        // A line of the plan takes the place of the project's own; its phases come last.
        let (lines, phases) = plan.split_once("\n\n").unwrap_or((plan, ""));
        let key = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
        let set: Vec<String> = lines.lines().map(key).collect();
        let kept: Vec<&str> = after.lines().filter(|line| !set.contains(&key(line))).collect();
        format!("{before}{lines}\n{}\n\n{phases}", kept.join("\n"))
    });
    place
}

/// How a run goes on before it is killed.
struct Way<'a> {
    /// Seconds between two checkpoints: with 0 most of the time is spent writing; with an hour only the ends of epochs
    /// have one, and steps are done again.
    every: &'a str,
    environment: &'a [(&'a str, &'a str)],
}

/// What was seen of a run when it was killed.
#[derive(Default)]
struct Seen {
    kills: usize,
    with_checkpoint: usize,
    within_a_write: usize,
    with_a_spilled_prefix: usize,
}

/// Starts the run, or resumes it, and kills the program after a while; whether it had ended before.
fn killed(place: &Place, run: &str, way: &Way, after: Duration, seen: &mut Seen) -> bool {
    let known = place.path("p/runs").join(run).join("run.toml").is_file();
    let mut args = vec!["train", "p", "--run", run, "--checkpoint-every", way.every];
    args.extend(known.then_some("--resume"));
    let mut command = place.command(&args);
    command.envs(way.environment.iter().copied());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + after;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            let said = stderr(&child.wait_with_output().unwrap());
            // Killed after its last word was written down, before the program ended.
            assert!(status.success() || said.contains("is finished"), "{args:?}: {said}");
            return true;
        }
        sleep(Duration::from_millis(2));
    }
    let dir = checkpoints(place, run);
    seen.with_a_spilled_prefix += usize::from(holds_a_nameless_file(child.id(), &dir));
    child.kill().unwrap(); // SIGKILL: nothing can be tidied up
    child.wait().unwrap();
    seen.kills += 1;
    seen.with_checkpoint += usize::from(dir.join("last.safetensors").is_file());
    let files = fs::read_dir(dir).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let part = |entry: &std::io::Result<fs::DirEntry>| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".frostline-")
    };
    seen.within_a_write += usize::from(files.iter().any(part));
    false
}

/// Whether a process has a file without a name open in a folder, as far as the system tells.
fn holds_a_nameless_file(process: u32, dir: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.starts_with(dir) && target.to_string_lossy().ends_with("(deleted)"))
}

/// Kills runs of a plan at random moments until they have ended, and compares each with one that nobody disturbed.
fn killed_again_and_again(plan: &str, environment: &[(&str, &str)], kills: usize) -> (Place, Seen) {
    let place = project_with(plan);
    let started = Instant::now();
    place.ok(&["train", "p", "--run", "whole"]);
    let whole = started.elapsed();

    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let (mut seen, mut runs) = (Seen::default(), 0);
    // On a quick disk a write is short, and a prefix is there only for a while: some more kills, until one has met it.
    let wants_a_spill = cfg!(target_os = "linux") && !environment.is_empty();
    let is_enough = |seen: &Seen| {
        seen.kills >= kills
            && (kills < KILLS || seen.within_a_write > 0)
            && (!wants_a_spill || seen.with_a_spilled_prefix > 0)
    };
    while !is_enough(&seen) && seen.kills < 10 * kills {
        let run = format!("killed-{runs}");
        let way = Way { every: if runs % 2 == 0 { "0" } else { "3600" }, environment };
        loop {
            let moment = whole.mul_f64(random.random_range(0.05..0.95));
            let after = if is_enough(&seen) { Duration::from_mins(5) } else { moment };
            if killed(&place, &run, &way, after, &mut seen) {
                break;
            }
        }
        let what = format!("{plan}: {run} after {} kills", seen.kills);
        assert_same_run(&place.path("p"), "whole", &run, &what);
        runs += 1;
    }
    (place, seen)
}

#[test]
fn a_run_killed_at_any_moment_ends_with_the_same_bytes() {
    let (_, seen) = killed_again_and_again("preset = \"gradual\"", &[], KILLS);
    assert!(seen.within_a_write > 0, "no kill of {} met a checkpoint while it was written", seen.kills);
    let with_checkpoint = seen.with_checkpoint;
    assert!(
        with_checkpoint > KILLS / 2,
        "only {with_checkpoint} of {} kills came after a checkpoint",
        seen.kills
    );
}

#[test]
fn a_killed_run_of_averaged_weights_ends_with_the_same_bytes() {
    killed_again_and_again("preset = \"full\"\nema = 0.9", &[], FEWER_KILLS);
}

#[test]
fn a_killed_run_of_adapters_ends_with_the_same_bytes() {
    killed_again_and_again("preset = \"full\"\npart = \"lora\"", &[], FEWER_KILLS);
}

#[test]
fn a_killed_run_of_accumulated_batches_ends_with_the_same_bytes() {
    killed_again_and_again("preset = \"full\"\naccumulate = 3", &[], FEWER_KILLS);
}

/// The undisturbed run keeps the states in memory, the killed ones in a file: they come to the same.
#[test]
fn a_killed_run_of_a_spilled_prefix_ends_with_the_same_bytes() {
    let plan = "preset = \"full\"\n\n[[recipe.phases]]\nlayers = \"top 1\"\nepochs = 12\n";
    let (_, seen) = killed_again_and_again(plan, &[("FROSTLINE_CACHE_MB", "0")], FEWER_KILLS);
    assert!(!cfg!(target_os = "linux") || seen.with_a_spilled_prefix > 0, "no prefix went to a file");
}

#[test]
fn a_killed_run_with_a_plateau_ends_with_the_same_bytes() {
    let plan = "preset = \"full\"\n\n[[recipe.phases]]\nlayers = \"none\"\nepochs = 8\npatience = 1\n\
                lr_heads = 0.05\n\n[[recipe.phases]]\nlayers = \"top 1\"\nepochs = 8\n";
    let (place, _) = killed_again_and_again(plan, &[], FEWER_KILLS);
    let phases = RunFolder::open(&place.path("p"), "whole").unwrap().read().unwrap().phases;
    assert!(phases.len() == 2 && phases[1].1 < 8 * 8, "the first phase ended at a plateau: {phases:?}");
}

/// A run that was broken off in its third epoch or so, with a checkpoint.
fn broken_off(place: &Place, run: &str) {
    let last = checkpoints(place, run).join("last.safetensors");
    let mut child = place
        .command(&["train", "p", "--run", run, "--checkpoint-every", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !last.is_file() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended without a checkpoint");
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_was_cut_off_is_found_and_gone_on_with() {
    let place = project();
    place.ok(&["train", "p", "--run", "whole"]);
    broken_off(&place, "paused");
    let told = place.json(&["train", "p", "--resume", "--json"]);
    assert_eq!(told[0]["run"], "paused");
    assert!(told[0]["resumed_at"].as_u64().is_some_and(|step| step > 0), "{}", told[0]);
    assert!(weights(&place, "paused") == weights(&place, "whole"));
    // It is finished now, and says what can be done with a finished run.
    let said = place.fails(1, &["train", "p", "--resume", "--run", "paused"]);
    assert!(said.contains("is finished") && said.contains("start a new run from it"), "{said}");
    let said = place.fails(1, &["train", "p", "--resume"]);
    assert!(said.contains("there is no run to resume"), "{said}");
}

#[test]
fn changed_rows_are_refused_rather_than_mixed() {
    let place = project();
    broken_off(&place, "r");
    let text = fs::read_to_string(place.path("train.csv")).unwrap();
    place.write("train.csv", &text.replace("the parcel number 1 ", "the invoice number 1 "));
    let refused = place.run(&["train", "p", "--resume"]);
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("the data changed since the run was started"), "{said}");
    place.write("train.csv", &text);
    place.ok(&["train", "p", "--resume"]);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let place = project();
    broken_off(&place, "r");
    let last = checkpoints(&place, "r").join("last.safetensors");
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    let said = place.fails(1, &["train", "p", "--resume"]);
    assert!(said.contains("last.safetensors") && said.contains("cannot be resumed"), "{said}");
}

#[test]
fn a_run_goes_on_from_another_with_a_changed_plan() {
    let place = project();
    place.ok(&["train", "p", "--run", "first"]);
    place.edit_project(|text| text.replace("preset = \"gradual\"", "preset = \"freeze-backbone\""));
    let told = place.json(&["train", "p", "--from", "first", "--run", "second", "--json"]);
    assert_eq!(told[0]["from"], "first");
    // The encoder of the second is that of the first, bit by bit; its heads started where those ended.
    let tensors = |run: &str| {
        frostline::model::files::safetensors::read_all(&checkpoints(&place, run).join("best.safetensors"))
    };
    let (first, second) = (tensors("first").unwrap(), tensors("second").unwrap());
    for (name, tensor) in &first {
        let (_, other) = second.iter().find(|(known, _)| known == name).unwrap();
        assert_eq!(tensor.equal(other), !name.starts_with("heads."), "{name}");
    }
    let said = place.fails(1, &["train", "p", "--from", "absent"]);
    assert!(said.contains("absent"), "{said}");
}

/// A run of the project whose folder of checkpoints is broken in some way once the run has a checkpoint: what the
/// program said as it ended with 1.
fn disturbed(place: &Place, disturb: impl Fn(&PathBuf)) -> String {
    let child = place
        .command(&["train", "p", "--run", "r", "--checkpoint-every", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let dir = checkpoints(place, "r");
    let deadline = Instant::now() + Duration::from_mins(1);
    while !dir.join("best.safetensors").is_file() {
        assert!(Instant::now() < deadline, "there is no checkpoint");
        sleep(Duration::from_millis(1));
    }
    disturb(&dir);
    let output = child.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn a_vanished_folder_is_said_and_what_was_moved_can_be_gone_on_with() {
    let place = project();
    place.ok(&["train", "p", "--run", "whole"]);
    let away = place.path("away");
    let said = disturbed(&place, |dir| fs::rename(dir, &away).unwrap());
    assert!(said.contains("could not be written") && said.contains("No such file"), "{said}");
    fs::rename(&away, checkpoints(&place, "r")).unwrap();
    place.ok(&["train", "p", "--run", "r", "--resume"]);
    assert!(weights(&place, "r") == weights(&place, "whole"));
}

/// Runs a shell script in which file systems can be mounted; `None` where this user may not. `$FROSTLINE` is the
/// program, `$RUNS` the project's folder of runs.
fn with_mounts(place: &Place, script: &str) -> Option<Output> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script]);
        command
            .current_dir(place.path(""))
            .env("FROSTLINE", program::PROGRAM)
            .env("FROSTLINE_CONFIG_DIR", place.path("user/config"))
            .env("FROSTLINE_DATA_DIR", place.path("user/data"))
            .env("RUNS", place.path("p/runs"));
        command.output()
    };
    fs::create_dir_all(place.path("p/runs")).unwrap();
    if !unshare("mount -t tmpfs tmpfs $RUNS").is_ok_and(|output| output.status.success()) {
        skip::skip("this user may not mount a file system");
        return None;
    }
    Some(unshare(script).unwrap())
}

#[test]
fn a_full_disk_leaves_the_last_good_checkpoint() {
    let place = project();
    place.ok(&["train", "p", "--run", "whole"]);
    // Room for weights and the moments of the heads twice over, and not for the moments of all layers.
    let full = "mount -t tmpfs -o size=1700k tmpfs $RUNS
        $FROSTLINE train p --run r --checkpoint-every 0
        code=$?
        cp -r $RUNS/r saved
        exit $code";
    let Some(output) = with_mounts(&place, full) else { return };
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No space left on device") && said.contains("Make room"), "{said}");
    let step: String =
        said.split("The checkpoint of step ").nth(1).unwrap().split(' ').next().unwrap().into();
    assert!(step.parse::<usize>().unwrap() > 3, "{said}");

    fs::rename(place.path("saved"), place.path("p/runs/r")).unwrap();
    let told = place.json(&["train", "p", "--run", "r", "--resume", "--json"]);
    assert_eq!(told[0]["resumed_at"].to_string(), step);
    assert!(weights(&place, "r") == weights(&place, "whole"));
}

#[test]
fn a_read_only_folder_is_said_and_nothing_is_touched() {
    let place = project();
    place.ok(&["train", "p", "--run", "whole"]);
    broken_off(&place, "r");
    let last = fs::read(checkpoints(&place, "r").join("last.safetensors")).unwrap();
    let read_only = "mount --bind -o ro $RUNS $RUNS && mount -o remount,ro,bind $RUNS
        $FROSTLINE train p --run r --resume";
    let Some(output) = with_mounts(&place, read_only) else { return };
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("read-only"), "{said}");
    assert!(fs::read(checkpoints(&place, "r").join("last.safetensors")).unwrap() == last);
    place.ok(&["train", "p", "--run", "r", "--resume"]);
    assert!(weights(&place, "r") == weights(&place, "whole"));
}
