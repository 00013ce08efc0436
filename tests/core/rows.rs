//! Rows through a real session: found, corrected, mended and undone.

use std::time::{Duration, Instant};

use frostline::data::dataset::Split;
use frostline::data::edit::Cell;
use frostline::data::edit::fix::Fix;
use frostline::data::query::RowQuery;
use frostline::project::{DataFile, Project};
use frostline::session::Session;
use frostline::session::command::{Command, Edit};
use frostline::session::state::{ChangedFile, Loadable};

const ROWS: &str = "text,mood,split\n\
    fine parcel,good,train\n\
    fine parcel,good,train\n\
    late again,bad,train\n\
    thank you,Good,train\n\
    late again,bad,test\n\
    broken cup,bad,valid\n";

fn wait_for(session: &mut Session, what: &str, done: impl Fn(&Session) -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !done(session) {
        assert!(Instant::now() < end, "waited in vain for {what}");
        session.wait(Duration::from_millis(20));
        session.poll();
    }
}

fn opened(path: &std::path::Path) -> Session {
    let mut session = Session::start(|| {});
    let project = Project { files: vec![DataFile::new(path)], ..Project::default() };
    session.send(Command::NewProject(Box::new(project)));
    wait_for(&mut session, "the data", |session| session.state().data.ready().is_some());
    session
}

fn rows(session: &Session) -> usize {
    session.state().data.ready().map_or(0, |data| data.dataset.rows())
}

fn label(session: &Session, row: usize) -> Option<String> {
    session.state().data.ready()?.dataset.tasks.first()?.in_words(row)
}

#[test]
fn findings_are_mended_cells_corrected_and_both_undone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::write(&path, ROWS).unwrap();
    let mut session = opened(&path);
    let fixes: Vec<Fix> = session
        .state()
        .data
        .ready()
        .expect("data")
        .card
        .findings
        .iter()
        .filter_map(|finding| finding.fix.clone())
        .collect();
    assert!(fixes.contains(&Fix::DropRepeats) && fixes.contains(&Fix::JoinLeaks), "{fixes:?}");

    session.send(Command::Edit(Edit::AddFix(Fix::DropRepeats)));
    wait_for(&mut session, "the fix", |session| rows(session) == 5);
    // Row 1 is the third of the file by now, and that is the one that is corrected.
    session.send(Command::Correct { row: 1, cell: Cell::Label("mood".into()), now: "good".into() });
    wait_for(&mut session, "the label", |session| label(session, 1).as_deref() == Some("good"));
    let correction = session.state().project.changes.corrections.first().cloned().expect("one");
    assert_eq!((correction.line, correction.was.as_str()), (4, "bad"));
    session.send(Command::Correct { row: 1, cell: Cell::Text, now: "early again".into() });
    wait_for(&mut session, "the text", |session| {
        session.state().data.ready().is_some_and(|data| data.dataset.text(1) == "early again")
    });

    for _ in 0..3 {
        session.send(Command::Undo);
    }
    wait_for(&mut session, "what was", |session| {
        rows(session) == 6 && label(session, 2).as_deref() == Some("bad")
    });
    assert_eq!(std::fs::read_to_string(&path).unwrap(), ROWS, "the file stays as it is");
}

#[test]
fn rows_are_found_beside_the_work_and_found_again_when_they_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::write(&path, ROWS).unwrap();
    let mut session = opened(&path);
    let query = RowQuery { words: "LATE".into(), split: Some(Split::Train), ..RowQuery::default() };
    session.send(Command::FindRows(query));
    let found = |session: &Session| session.state().rows.found.as_ref().map(|found| found.to_vec());
    wait_for(&mut session, "rows", |session| found(session) == Some(vec![2]));
    session.send(Command::Edit(Edit::AddFix(Fix::DropRepeats)));
    wait_for(&mut session, "rows anew", |session| found(session) == Some(vec![1]));
    session.send(Command::FindRows(RowQuery::default()));
    assert_eq!(found(&session), None);
}

#[test]
fn a_file_that_changes_is_noticed_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::write(&path, ROWS).unwrap();
    let mut session = opened(&path);
    std::fs::write(&path, format!("{ROWS}another one,good,train\n")).unwrap();
    wait_for(&mut session, "the change", |session| !session.state().changed_files.is_empty());
    session.send(Command::ReloadData);
    wait_for(&mut session, "the rows", |session| rows(session) == 7);
    assert!(session.state().changed_files.is_empty());
}

#[test]
fn a_file_that_is_gone_is_not_called_changed_and_may_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::write(&path, ROWS).unwrap();
    let mut session = opened(&path);
    std::fs::remove_file(&path).unwrap();
    wait_for(&mut session, "the loss", |session| !session.state().changed_files.is_empty());
    assert_eq!(session.state().changed_files, [ChangedFile { path: path.clone(), is_gone: true }]);
    let told = session.state().notices.last().unwrap().text.clone();
    assert!(told.starts_with("rows.csv is gone") && !told.contains("changed"), "{told}");
    assert_eq!(rows(&session), 6, "what was read stays");
    std::fs::write(&path, ROWS).unwrap();
    wait_for(&mut session, "its return", |session| session.state().changed_files.is_empty());
    std::fs::write(&path, "text,label\n").unwrap();
    wait_for(&mut session, "the change", |session| !session.state().changed_files.is_empty());
    assert_eq!(session.state().changed_files, [ChangedFile { path, is_gone: false }]);
}

#[test]
fn reading_is_given_up_at_once_and_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::write(&path, ROWS).unwrap();
    let mut session = opened(&path);
    session.send(Command::ReloadData);
    assert_eq!(session.state().data, Loadable::Loading);
    session.send(Command::CancelReading);
    assert_eq!(session.state().data, Loadable::Cancelled);
    wait_for(&mut session, "the worker", Session::is_idle);
    session.poll();
    assert_eq!(session.state().data, Loadable::Cancelled, "what comes late is not taken");
    session.send(Command::ReloadData);
    wait_for(&mut session, "the rows", |session| rows(session) == 6);
}
