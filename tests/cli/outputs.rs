//! Results on the disk: nothing that exists is replaced unasked, the input never, and what is given up leaves nothing.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use crate::support::skip;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{PROGRAM, Place, stderr, tiny_model};

/// Names of everything in a folder.
fn entries(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A project with a run, and the run's folder.
fn with_run() -> (Place, &'static str) {
    let place = Place::new().with_project();
    place.ok(&["train", "p", "--run", "one"]);
    (place, "p/runs/one")
}

#[test]
fn a_result_never_takes_the_place_of_its_input() {
    let (place, run) = with_run();
    let before = fs::read(place.path("test.csv")).unwrap();
    fs::hard_link(place.path("test.csv"), place.path("hard.csv")).unwrap();
    let mut names = vec!["test.csv", "./test.csv", "hard.csv", "p/../test.csv"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("test.csv", place.path("link.csv")).unwrap();
        names.push("link.csv");
    }
    for name in names {
        for force in [&[][..], &["--force"]] {
            for command in
                [&["predict", run, "test.csv", "-o", name][..], &["embed", run, "test.csv", "-o", name]]
            {
                let told = place.fails(1, &[command, force].concat());
                assert!(told.contains("is the input"), "{command:?}: {told}");
                assert_eq!(fs::read(place.path("test.csv")).unwrap(), before, "{command:?}");
            }
        }
    }
    // Nor that of the model that is read.
    fs::copy(place.path("test.csv"), place.path("in.csv")).unwrap();
    place.ok(&["export", run, "--to", "model"]);
    let weights = fs::read(place.path("model/model.safetensors")).unwrap();
    let told = place.fails(1, &["embed", "model", "in.csv", "-o", "model/model.safetensors", "--force"]);
    assert!(told.contains("belongs to model, which is read"), "{told}");
    assert_eq!(fs::read(place.path("model/model.safetensors")).unwrap(), weights);

    // Nor that of the pretrained model that a run names.
    let pretrained = place.path("pretrained");
    fs::create_dir_all(pretrained.join("1_Pooling")).unwrap();
    for folder in ["", "1_Pooling"] {
        for entry in fs::read_dir(Path::new(&tiny_model()).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                fs::copy(entry.path(), pretrained.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let plan = place.path("p/runs/one/run.toml");
    let text = fs::read_to_string(&plan).unwrap();
    let named = text.lines().find(|line| line.starts_with("model =")).unwrap().to_owned();
    fs::write(&plan, text.replace(&named, &format!("model = '{}'", pretrained.display()))).unwrap();
    let weights = pretrained.join("model.safetensors");
    let (before, out) = (fs::read(&weights).unwrap(), weights.to_string_lossy().into_owned());
    let told = place.fails(1, &["embed", run, "in.csv", "-o", &out, "--force", "--trust-paths"]);
    assert!(told.contains("which is read"), "{told}");
    assert_eq!(fs::read(&weights).unwrap(), before);
}

#[test]
fn what_exists_is_replaced_on_demand_only() {
    let (place, run) = with_run();
    for (args, output) in [
        (["predict", run, "test.csv", "-o", "said.csv"], "said.csv"),
        (["embed", run, "test.csv", "-o", "said.npy"], "said.npy"),
    ] {
        fs::write(place.path(output), "precious").unwrap();
        let told = place.fails(1, &args);
        assert!(told.contains("exists already") && told.contains("--force"), "{told}");
        assert_eq!(fs::read(place.path(output)).unwrap(), b"precious");
        place.ok(&[&args[..], &["--force"]].concat());
        assert_ne!(fs::read(place.path(output)).unwrap(), b"precious");
    }
    place.ok(&["export", run, "--to", "out"]);
    fs::write(place.path("out/README.md"), "mine").unwrap();
    let told = place.fails(1, &["export", run, "--to", "out"]);
    assert!(told.contains("is not empty") && told.contains("--force"), "{told}");
    assert_eq!(fs::read(place.path("out/README.md")).unwrap(), b"mine");
    place.ok(&["export", run, "--to", "out", "--force"]);
    assert_ne!(fs::read(place.path("out/README.md")).unwrap(), b"mine");
    // What is no export stays even then.
    fs::create_dir(place.path("docs")).unwrap();
    fs::write(place.path("docs/notes.txt"), "mine").unwrap();
    let told = place.fails(1, &["export", run, "--to", "docs", "--force"]);
    assert!(told.contains("no earlier export"), "{told}");
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_never_replaced() {
    use std::os::unix::fs::symlink;
    let place = Place::new().with_data();
    let model = tiny_model();
    fs::create_dir(place.path("real")).unwrap();
    fs::write(place.path("real/out.csv"), "old").unwrap();
    symlink("real/out.csv", place.path("out.csv")).unwrap();
    symlink("real/gone.csv", place.path("broken.csv")).unwrap();
    assert!(place.fails(1, &["embed", &model, "test.csv", "-o", "out.csv"]).contains("exists already"));
    place.ok(&["embed", &model, "test.csv", "-o", "out.csv", "--force"]);
    assert!(fs::symlink_metadata(place.path("out.csv")).unwrap().is_symlink());
    assert!(fs::read_to_string(place.path("real/out.csv")).unwrap().starts_with("text,dim_0"));
    let told = place.fails(1, &["embed", &model, "test.csv", "-o", "broken.csv", "--force"]);
    assert!(told.contains("is a link to real/gone.csv"), "{told}");
    assert_eq!(entries(&place.path("real")), BTreeSet::from(["out.csv".to_owned()]));
}

#[test]
fn stdout_takes_results_as_they_come() {
    let (place, run) = with_run();
    place.ok(&["predict", run, "test.csv", "-o", "said.csv"]);
    place.ok(&["embed", run, "test.csv", "-o", "said.jsonl"]);
    let file = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(place.ok(&["predict", run, "test.csv", "-o", "-"]), file("said.csv"));
    let lines = place.ok(&["embed", run, "test.csv", "-o", "-", "--output-format", "jsonl"]);
    assert_eq!(lines, file("said.jsonl"));
    let told = place.fails(2, &["embed", run, "test.csv", "-o", "-", "--output-format", "npy"]);
    assert!(told.contains("the other formats need a file"), "{told}");
    // A reader that has seen enough is no error.
    let mut child =
        place.command(&["predict", run, "test.csv", "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_failure_leaves_nothing() {
    let place = Place::new();
    place.write("bad.csv", "text,label\none,a\ntwo,b,too much\nthree,b\n");
    let model = tiny_model();
    let before = entries(&place.path(""));
    place.fails(1, &["embed", &model, "bad.csv", "-o", "new/out.csv"]);
    place.fails(1, &["predict", &model, "bad.csv", "-o", "out.csv", "--skip-bad-rows"]);
    let mut after = entries(&place.path(""));
    after.remove("user");
    assert_eq!(after, before);
}

/// Rows that keep a command busy for a good while.
#[cfg(target_os = "linux")]
fn long(place: &Place) {
    let mut csv = String::from("text,topic\n");
    for row in 0..400_000 {
        writeln!(csv, "the invoice number {row} was lovely,billing").unwrap();
    }
    place.write("long.csv", &csv);
}

/// Whether a process has got as far as to answer signals itself.
#[cfg(target_os = "linux")]
fn catches_signals(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught >> 14 & 1 == 1)
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_ends_a_command_with_its_code_and_leaves_nothing() {
    let (place, run) = with_run();
    long(&place);
    fs::create_dir(place.path("out")).unwrap();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        for command in [
            &["predict", run, "long.csv", "-o", "out/said.csv"][..],
            &["embed", run, "long.csv", "-o", "out/said.npy"],
            &["eval", run, "long.csv"],
        ] {
            let child = place.command(command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let deadline = Instant::now() + Duration::from_mins(1);
            let writes = command.len() > 3;
            // Once it writes, where it writes; else once it answers signals.
            while writes && entries(&place.path("out")).is_empty() {
                assert!(Instant::now() < deadline, "{command:?} writes nothing");
                std::thread::sleep(Duration::from_millis(5));
            }
            while !writes && !catches_signals(child.id()) {
                assert!(Instant::now() < deadline, "{command:?} does not begin");
                std::thread::sleep(Duration::from_millis(5));
            }
            // As `timeout` and schedulers do: the program, then its group. It may be gone by the second.
            let kill = || Command::new("kill").args([signal, &child.id().to_string()]).output().unwrap();
            assert!(kill().status.success());
            kill();
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{command:?}: {}", stderr(&output));
            assert_eq!(entries(&place.path("out")), BTreeSet::new(), "{command:?}");
        }
    }
}

/// Runs a shell script with a small file system at `small`; `None` where this user may not mount one.
fn with_small_disk(place: &Place, size: &str, script: &str) -> Option<std::process::Output> {
    fs::create_dir_all(place.path("small")).unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script]).current_dir(place.path("")).env("FROSTLINE", PROGRAM);
        command.env("FROSTLINE_CONFIG_DIR", place.path("user/config")).env("HF_HUB_OFFLINE", "1").output()
    };
    let mount = format!("mount -t tmpfs -o size={size} tmpfs small");
    if !unshare(&mount).is_ok_and(|output| output.status.success()) {
        skip::skip("this user may not mount a file system");
        return None;
    }
    Some(unshare(&format!("{mount} && {{ {script}\n code=$?; ls -A small; exit $code; }}")).unwrap())
}

#[test]
fn a_full_disk_leaves_nothing() {
    let (place, run) = with_run();
    let mut csv = String::from("text,topic\n");
    for row in 0..20_000 {
        writeln!(csv, "the invoice number {row} was lovely,billing").unwrap();
    }
    place.write("many.csv", &csv);
    for command in [
        format!("$FROSTLINE predict {run} many.csv -o small/said.jsonl"),
        format!("$FROSTLINE embed {run} many.csv -o small/said.parquet"),
        format!("$FROSTLINE embed {run} many.csv -o small/said.csv"),
        format!("$FROSTLINE export {run} --to small/out"),
    ] {
        let Some(output) = with_small_disk(&place, "200k", &command) else { return };
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {told}");
        assert!(
            told.contains("the disk is full. Free some space") || told.contains("no room left"),
            "{command}: {told}"
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command} leaves something");
    }
}

#[test]
#[cfg(unix)]
fn a_checkpoint_that_finds_no_room_leaves_no_part_of_itself() {
    let place = Place::new().with_project();
    // Room for the kept weights, and not for the moments beside them.
    let script = "mkdir -p p/runs && mount --move small p/runs && $FROSTLINE train p --run r --trust-paths --checkpoint-every 0 > /dev/null; code=$?
        ls -A p/runs/r/checkpoints; (exit $code)";
    let Some(output) = with_small_disk(&place, "1100k", script) else { return };
    let (told, left) = (stderr(&output), String::from_utf8_lossy(&output.stdout).into_owned());
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("No space left"), "{told}");
    assert!(left.contains("safetensors") && !left.contains(".frostline-"), "{left}");
}

#[test]
fn a_file_in_blocks_gives_the_bytes_of_the_file_at_once() {
    use frostline::explore::Embeddings;
    use frostline::session::predictor::Predictor;
    let place = Place::new();
    // More than two of the blocks that are encoded together, of all lengths.
    let texts: Vec<String> = (0..5000).map(|row| format!("{} {row}", "word ".repeat(row % 7))).collect();
    let mut csv = String::from("text\n");
    for text in &texts {
        writeln!(csv, "{text}").unwrap();
    }
    place.write("in.csv", &csv);
    let model = tiny_model();
    place.ok(&["embed", &model, "in.csv", "-o", "out.jsonl"]);
    let mut whole = Predictor::open(Path::new(&model), "cpu").unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let Embeddings { values, dim } = whole.embed(&texts, &mut |_| {}).unwrap();
    let written = fs::read_to_string(place.path("out.jsonl")).unwrap();
    assert_eq!(written.lines().count(), texts.len());
    for ((line, text), row) in written.lines().zip(&texts).zip(values.chunks(dim)) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let found: Vec<f32> =
            line["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
        assert_eq!((line["text"].as_str(), &found[..]), (Some(*text), row));
    }
}
