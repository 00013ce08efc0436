//! Nothing of a run is lost: the program is killed at any moment, the disk fills, folders turn read-only or vanish, and
//! what was written stays whole and leads to the bytes that an undisturbed run ends with.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]
#![expect(clippy::print_stderr, reason = "why a part was skipped belongs in the test's output")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};

#[path = "common/program.rs"]
mod program;

use program::{Place, stderr};

/// Moments at which the program is killed.
const KILLS: usize = 20;

/// The kept weights and the last checkpoint of a run, without the seconds that it took.
fn weights(place: &Place, run: &str) -> Vec<u8> {
    fs::read(checkpoints(place, run).join("best.safetensors")).unwrap()
}

fn checkpoints(place: &Place, run: &str) -> PathBuf {
    place.path("p/runs").join(run).join("checkpoints")
}

/// Two phases, dropout, two tasks with missing labels, a rate that falls: all that a resumed run must get right.
fn project() -> Place {
    let place = Place::new().with_project();
    place.edit_project(|text| {
        text.replace("preset = \"full\"", "preset = \"gradual\"")
            .replace("epochs = 2", "epochs = 12")
            .replace("batch_size = 32", "batch_size = 8")
    });
    place
}

/// Starts the run, or goes on with it, and kills the program after a while; whether it had ended before.
fn killed(place: &Place, run: &str, every: &str, after: Duration) -> bool {
    let known = place.path("p/runs").join(run).join("run.toml").is_file();
    let mut args = vec!["train", "p", "--run", run, "--checkpoint-every", every];
    args.extend(known.then_some("--resume"));
    let mut child = place.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
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
    child.kill().unwrap(); // SIGKILL: nothing can be tidied up
    child.wait().unwrap();
    false
}

#[test]
fn a_run_killed_at_any_moment_ends_with_the_same_bytes() {
    let place = project();
    let started = Instant::now();
    place.ok(&["train", "p", "--run", "whole"]);
    let whole = started.elapsed();
    let expected = weights(&place, "whole");

    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let (mut within_a_write, mut with_checkpoint, mut runs, mut kills) = (0, 0, 0, 0);
    // On a quick disk a write is short: some more kills then, until one has met it.
    while kills < KILLS || (within_a_write == 0 && kills < 10 * KILLS) {
        let run = format!("killed-{runs}");
        // After every step, so that most of the time is spent writing; then only after epochs, so that steps are
        // done again.
        let every = if runs % 2 == 0 { "0" } else { "3600" };
        loop {
            let is_enough = kills >= KILLS && within_a_write > 0;
            let moment = whole.mul_f64(random.random_range(0.05..0.95));
            let after = if is_enough { Duration::from_mins(5) } else { moment };
            if killed(&place, &run, every, after) {
                break;
            }
            kills += 1;
            let dir = checkpoints(&place, &run);
            with_checkpoint += usize::from(dir.join("last.safetensors").is_file());
            let files = fs::read_dir(dir).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
            let part = |entry: &std::io::Result<fs::DirEntry>| {
                entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "part")
            };
            within_a_write += usize::from(files.iter().any(part));
        }
        assert!(weights(&place, &run) == expected, "{run}: the weights are others after {kills} kills");
        runs += 1;
    }
    assert!(within_a_write > 0, "no kill of {kills} met a checkpoint while it was written");
    assert!(with_checkpoint > KILLS / 2, "only {with_checkpoint} of {kills} kills came after a checkpoint");
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
    assert!(said.contains("there is no run to go on with"), "{said}");
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
    assert!(said.contains("last.safetensors") && said.contains("cannot be gone on from"), "{said}");
}

#[test]
fn a_run_goes_on_from_another_with_a_changed_plan() {
    let place = project();
    place.ok(&["train", "p", "--run", "first"]);
    place.edit_project(|text| text.replace("preset = \"gradual\"", "preset = \"freeze-backbone\""));
    let told = place.json(&["train", "p", "--from", "first", "--run", "second", "--json"]);
    assert_eq!(told[0]["from"], "first");
    // The encoder of the second is that of the first, bit by bit; its heads started where those ended.
    let tensors =
        |run: &str| frostline::model::weights::read_all(&checkpoints(&place, run).join("best.safetensors"));
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
            .env("RUNS", place.path("p/runs"));
        command.output()
    };
    fs::create_dir_all(place.path("p/runs")).unwrap();
    if !unshare("mount -t tmpfs tmpfs $RUNS").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this user may not mount a file system");
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
