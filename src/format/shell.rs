//! Words of a command line that people copy or type, quoted for their shell. It knows nothing of the commands.

use std::path::Path;

/// A path as one word of a command for the shell at hand: `sh` and its kin, on Windows `PowerShell` and `cmd`. A
/// relative path that begins with `-` gets `./` in front, so that no command takes it for an option.
#[must_use]
pub fn path(path: &Path) -> String {
    #[cfg(unix)]
    let word = {
        use std::os::unix::ffi::OsStrExt;
        posix(path.as_os_str().as_bytes())
    };
    #[cfg(not(unix))]
    let word = windows(&path.to_string_lossy());
    word
}

/// True for what no shell treats specially, wherever in a word it stands.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | ',')
}

/// Between single quotes nothing is special. Hidden characters, and bytes that are no text, are written as octal
/// numbers in `$'...'`, which bash, zsh and ksh read: a terminal must not act on what is only to be copied.
#[cfg_attr(all(not(unix), not(test)), expect(dead_code, reason = "the tests compare on every system"))]
fn posix(bytes: &[u8]) -> String {
    use super::visible::is_hidden;
    use std::fmt::Write as _;

    let prefix: &[u8] = if bytes.starts_with(b"-") { b"./" } else { b"" };
    let bytes = [prefix, bytes].concat();
    let hides = |text: &str| text.contains(is_hidden);
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Ok(text) if !hides(text) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => {
            let mut word = String::from("$'");
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\'' | '\\' => word.extend(['\\', c]),
                        // Writing to a string does not fail.
                        c if is_hidden(c) => {
                            c.encode_utf8(&mut [0; 4])
                                .bytes()
                                .for_each(|byte| _ = write!(word, "\\{byte:03o}"));
                        }
                        c => word.push(c),
                    }
                }
                chunk.invalid().iter().for_each(|byte| _ = write!(word, "\\{byte:03o}"));
            }
            word + "'"
        }
    }
}

/// Double quotes, which both shells know: `cmd` takes single ones for letters and would start what follows an `&`.
/// `PowerShell` escapes with a backtick, and takes typographic double quotes for plain ones. `cmd` reads `%NAME%` within
/// quotes too; the worst is another path. No path of Windows holds `"`.
#[cfg_attr(all(unix, not(test)), expect(dead_code, reason = "the tests compare on every system"))]
fn windows(text: &str) -> String {
    let prefix = if text.starts_with('-') { ".\\" } else { "" };
    let text = format!("{prefix}{text}");
    if !text.is_empty() && text.chars().all(|c| c == '\\' || (is_plain(c) && c != ',')) {
        return text;
    }
    let mut word = String::from("\"");
    for c in super::visible::visible(&text).chars() {
        if matches!(c, '$' | '`' | '"' | '\u{201c}'..='\u{201f}') {
            word.push('`');
        }
        word.push(c);
    }
    // A backslash before the closing quote would escape it for the program that is started.
    let trailing = text.chars().rev().take_while(|c| *c == '\\').count();
    word.extend(std::iter::repeat_n('\\', trailing));
    word + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_stay_as_they_are() {
        for path in ["demo", "/data/my-project_2/größer", "a.b/c"] {
            assert_eq!(posix(path.as_bytes()), path);
        }
        assert_eq!(windows("C:\\Users\\me\\demo"), "C:\\Users\\me\\demo");
    }

    #[test]
    fn two_shells_of_windows_are_quoted_for() {
        for (text, word) in [
            ("C:\\my project", "\"C:\\my project\""),
            ("C:\\$(calc)", "\"C:\\`$(calc)\""),
            ("C:\\x' & calc", "\"C:\\x' & calc\""),
            ("C:\\$x & calc", "\"C:\\`$x & calc\""),
            ("it's `x`", "\"it's ``x``\""),
            ("a\u{201d}; calc", "\"a`\u{201d}; calc\""),
            ("C:\\my folder\\", "\"C:\\my folder\\\\\""),
            ("-rf", ".\\-rf"),
            ("", "\"\""),
        ] {
            assert_eq!(windows(text), word);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_the_path_and_runs_nothing() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        use std::process::Command;

        let dir = tempfile::tempdir().unwrap();
        let shells = |hidden: bool| if hidden { vec!["bash"] } else { vec!["sh", "bash"] };
        for name in [
            &b"demo"[..],
            b"",
            b"a b",
            b"$(touch pwned)",
            b"`touch pwned`",
            b"'; touch pwned; '",
            b"\"$HOME\"",
            b"~root",
            b"!!",
            b"a\\b",
            b"*",
            b"a=b #c",
            b"&& touch pwned",
            b"-rf",
            b"two\nlines",
            b"\x1b]52;c;cm0=\x07 it's \\",
            "\u{202e}txt".as_bytes(),
            b"no\xfftext\xe2\x80",
            "größer ’".as_bytes(),
        ] {
            let word = path(Path::new(OsStr::from_bytes(name)));
            assert!(!word.contains(crate::format::visible::is_hidden), "{word:?}");
            for shell in shells(word.starts_with('$')) {
                let script = format!("printf %s {word}");
                let Ok(output) = Command::new(shell).args(["-c", &script]).current_dir(dir.path()).output()
                else {
                    continue; // A system without bash.
                };
                let wanted = if name.starts_with(b"-") { [b"./", name].concat() } else { name.to_vec() };
                assert_eq!(output.stdout, wanted, "{shell}: {word}");
                assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{shell}: {word}");
            }
        }
    }
}
