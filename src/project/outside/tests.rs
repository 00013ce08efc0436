use super::*;
use crate::project::{DataFile, Project};

const MINE: &str = "version = 1\nmodel = \"model\"\n[[data.file]]\npath = \"data/train.csv\"\n";

fn project(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["data", "model", "runs/full-1"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    fs::write(dir.path().join("data/train.csv"), "text\n").unwrap();
    fs::write(dir.path().join("model/config.json"), "{}").unwrap();
    fs::write(dir.path().join(FILE_NAME), text).unwrap();
    dir
}

fn found(dir: &Path) -> Vec<(String, Role)> {
    let paths = outside_paths(dir).unwrap().into_iter();
    paths.map(|outside| (outside.path.to_string_lossy().into_owned(), outside.role)).collect()
}

fn with_data(path: &str) -> tempfile::TempDir {
    project(&format!("[[data.file]]\npath = '{path}'\n"))
}

#[test]
fn what_lies_in_the_folder_is_nobody_elses() {
    assert_eq!(found(project(MINE).path()), []);
    for path in [".", "./data/train.csv", "data/../data/train.csv", "not there.csv", "a//b.csv"] {
        assert_eq!(found(with_data(path).path()), [], "{path}");
    }
    assert_eq!(outside_paths(tempfile::tempdir().unwrap().path()), Ok(Vec::new()));
    // A file that is no project is for its reader to refuse.
    assert_eq!(found(project("data = 3\nmodel = [1]").path()), []);
    assert_eq!(found(project("= no toml").path()), []);
}

#[cfg(unix)]
#[test]
fn paths_that_leave_the_folder_are_listed_with_what_they_are() {
    let text = "model = \"/models/tiny\"\n[[data.file]]\npath = \"/etc/passwd\"\n[[data.file]]\npath = \"/etc/passwd\"\n";
    let dir = project(text);
    fs::write(dir.path().join("runs/full-1/run.toml"), "model = \"/home/kim/models/x\"\n").unwrap();
    let expected = [
        ("/etc/passwd", Role::Data),
        ("/home/kim/models/x", Role::RunModel("full-1".into())),
        ("/models/tiny", Role::Model),
    ];
    assert_eq!(found(dir.path()), expected.map(|(path, role)| (path.to_owned(), role)));
    assert_eq!(outside_paths_of_run(dir.path(), "full-1").unwrap().len(), 1);

    for path in ["../x.csv", "data/../../x.csv", "./../x.csv"] {
        let dir = with_data(path);
        let sibling = dir.path().with_file_name("x.csv").to_string_lossy().into_owned();
        assert_eq!(found(dir.path()), [(sibling, Role::Data)], "{path}");
    }
    // A folder whose name begins as the project's is another one.
    let dir = with_data("data/train.csv");
    let other = format!("{}-other/x.csv", dir.path().display());
    fs::write(dir.path().join(FILE_NAME), format!("[[data.file]]\npath = \"{other}\"\n")).unwrap();
    assert_eq!(found(dir.path()), [(other, Role::Data)]);
}

#[test]
fn a_file_that_is_too_large_to_be_looked_through_is_refused() {
    for name in [FILE_NAME, "runs/full-1/run.toml"] {
        let dir = project(MINE);
        fs::File::create(dir.path().join(name)).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(outside_paths(dir.path()).unwrap_err().to_string().contains("far too large"), "{name}");
    }
}

#[test]
fn network_shares_are_told_on_every_system() {
    for path in [
        r"\\server\share\x.csv",
        "//server/share/x.csv",
        r"\\?\UNC\server\share\x.csv",
        r"//?/unc/server/share",
        r"\/server\x",
    ] {
        for text in [format!("model = '{path}'\n"), format!("[[data.file]]\npath = '{path}'\n")] {
            let dir = project(&text);
            let paths = outside_paths(dir.path()).unwrap();
            let [outside] = paths.as_slice() else { panic!("{path}: {paths:?}") };
            assert!(
                outside.is_network && outside.role_in_words().contains("hash of your password"),
                "{path}"
            );
            assert_eq!(listed(&paths)[0].0, path);
        }
    }
}

#[test]
fn devices_are_refused_on_every_system() {
    let of_windows =
        [r"\\.\PhysicalDrive0", r"\\.\pipe\x", r"//./COM1", r"\\?\GLOBALROOT\Device", r"\??\UNC\server\x"];
    let of_unix = ["/dev/zero", "/dev/../dev/sda", "/proc/self/mem", "/sys/x", "/dev"];
    for path in of_windows.into_iter().chain(of_unix.into_iter().filter(|_| cfg!(unix))) {
        let told = outside_paths(with_data(path).path()).unwrap_err().to_string();
        assert!(told.contains("a device"), "{path}: {told}");
    }
    assert!(!is_device_of_windows(r"\\?\C:\data\x.csv") && !is_network(r"\\?\C:\data\x.csv"));
    #[cfg(unix)]
    assert_eq!(found(with_data("/dev/shm/x.csv").path()).len(), 1, "memory that people keep data in");
}

#[cfg(unix)]
#[test]
fn links_that_leave_the_folder_are_listed_and_not_followed() {
    use std::os::unix::fs::symlink;
    let secret = tempfile::tempdir().unwrap();
    let target = secret.path().join("secret").to_string_lossy().into_owned();
    let cases: [(&str, &str); 3] =
        [("data/train.csv", &target), ("model/config.json", &target), ("model/deep", "../../out")];
    for (link, target) in cases {
        let dir = project(MINE);
        let path = dir.path().join(link);
        drop(fs::remove_file(&path));
        symlink(target, &path).unwrap();
        let target = if target.starts_with('/') {
            target.to_owned()
        } else {
            dir.path().canonicalize().unwrap().with_file_name("out").to_string_lossy().into_owned()
        };
        assert_eq!(found(dir.path()), [(target, Role::Link(link.into()))], "{link}");
    }

    // The folders on the way count, and links behind links.
    let dir = project("model = \"nested/model\"\n[[data.file]]\npath = \"through/train.csv\"\n");
    symlink("hop", dir.path().join("nested")).unwrap();
    symlink(secret.path(), dir.path().join("hop")).unwrap();
    symlink("data", dir.path().join("through")).unwrap();
    let led = secret.path().join("model").to_string_lossy().into_owned();
    assert_eq!(found(dir.path()), [(led, Role::Link("nested/model".into()))]);

    let dir = project(MINE);
    symlink("/dev/zero", dir.path().join("data/zero.csv")).unwrap();
    assert!(outside_paths(dir.path()).is_ok(), "it is no file of the project");
    symlink("/dev/zero", dir.path().join("model/vocab.txt")).unwrap();
    assert!(outside_paths(dir.path()).unwrap_err().to_string().contains("a device"));
}

#[cfg(unix)]
#[test]
fn nobody_is_asked_about_a_link_that_is_refused_anyway() {
    use std::os::unix::fs::symlink;
    let secret = tempfile::tempdir().unwrap();
    for link in ["runs/full-1/run.toml", "runs/full-1/checkpoints", "runs/full-1", FILE_NAME] {
        let dir = project(MINE);
        let path = dir.path().join(link);
        drop(fs::remove_file(&path));
        drop(fs::remove_dir(&path));
        symlink(secret.path(), &path).unwrap();
        assert_eq!(found(dir.path()), [], "{link}");
        let run = || crate::project::runs::RunFolder::open(dir.path(), "full-1").map(drop);
        let opened = if link == FILE_NAME { Project::load(dir.path()).map(drop) } else { run() };
        let told = opened.unwrap_err().to_string();
        assert!(told.contains("is a link to"), "{link}: {told}");
    }
}

/// A field that holds a path, and that the search does not know, would be read without a question.
#[cfg(unix)]
#[test]
fn every_path_that_is_saved_is_found() {
    let path = |name: &str| Path::new("/elsewhere").join(name);
    let files = vec![DataFile::new(path("a.csv")), DataFile::new(path("b.csv"))];
    let written = Project { files, model: Some(path("model")), ..Project::default() };
    // Whoever adds a field is led here: does it hold a path?
    let Project {
        name: _,
        files: _,
        mapping: _,
        changes: _,
        skip_bad_rows: _,
        valid_fraction: _,
        test_fraction: _,
        model: _,
        recipe: _,
    } = &written;
    let dir = project("");
    written.save(dir.path()).unwrap();
    let expected = [("a.csv", Role::Data), ("b.csv", Role::Data), ("model", Role::Model)];
    let expected = expected.map(|(name, role)| (path(name).to_string_lossy().into_owned(), role));
    assert_eq!(found(dir.path()), expected);
    // Of the text itself: no path stands anywhere that was not found.
    let text = fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(text.matches("/elsewhere").count(), expected.len());
}

#[cfg(unix)]
#[test]
fn links_within_the_folder_and_loops_are_fine() {
    use std::os::unix::fs::symlink;
    let dir = project(MINE);
    symlink("../data/train.csv", dir.path().join("model/again.csv")).unwrap();
    symlink("..", dir.path().join("model/up")).unwrap();
    symlink(dir.path().join("data"), dir.path().join("runs/data")).unwrap();
    symlink("loop", dir.path().join("data/loop")).unwrap();
    assert_eq!(found(dir.path()), []);
    // Through a link to the project's own folder, too.
    let link = dir.path().with_extension("link");
    symlink(dir.path(), &link).unwrap();
    let inside = format!("[[data.file]]\npath = \"{}/data/train.csv\"\n", dir.path().display());
    fs::write(dir.path().join(FILE_NAME), inside).unwrap();
    assert_eq!(found(&link), []);
    fs::remove_file(link).unwrap();
}

#[test]
fn names_of_the_hub_are_no_paths() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(found(project(&format!("model = \"org/name@{commit}\"\n")).path()), []);
}

#[test]
fn nothing_that_is_shown_hides_what_it_is() {
    let hostile = |role| OutsidePath { path: "/a\u{1b}[2J\u{202e}b".into(), role, is_network: false };
    for role in [Role::Data, Role::RunModel("x\u{202e}y".into()), Role::Link("l\u{1b}".into())] {
        for (path, words) in listed(&[hostile(role)]) {
            assert_eq!(path, "/a\\u001b[2J\\u202eb");
            assert!(!words.contains(['\u{202e}', '\u{1b}']), "{words:?}");
        }
    }
    assert_eq!(visible("a\u{1b}[2Jb\u{202e}c\nd é"), "a\\u001b[2Jb\\u202ec\\nd é");
}

#[test]
fn many_paths_are_listed_by_their_folders_and_none_is_hidden() {
    let outside = |path: String| OutsidePath { path: path.into(), role: Role::Data, is_network: false };
    let mut paths: Vec<OutsidePath> = (0..5000).map(|file| outside(format!("/data/{file}.csv"))).collect();
    paths.push(outside("/home/kim/.ssh/id".into()));
    let line = |path: &str, words: &str| (path.to_owned(), words.to_owned());
    assert_eq!(
        listed(&paths),
        [line("/data", "5000 paths in this folder"), line("/home/kim/.ssh/id", "data")]
    );
    assert_eq!(listed(&paths[..3]).len(), 3);
}
