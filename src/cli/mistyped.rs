//! The command line taken apart: what was meant by a word that is no command, and what only two arguments together tell.

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::args::{Args, Command};
use crate::format::visible::visible;

impl Args {
    /// The arguments of this process. What is wrong with them ends it with 2; `--help` ends it with 0.
    #[must_use]
    pub fn of_command_line() -> Self {
        let words: Vec<OsString> = std::env::args_os().collect();
        Self::of(&words).unwrap_or_else(|error| shown(error, &words).exit())
    }

    fn of(words: &[OsString]) -> Result<Self, clap::Error> {
        match no_command(words) {
            Some(reason) => Err(Self::command().error(ErrorKind::InvalidSubcommand, reason)),
            None => Self::try_parse_from(words)?.checked(),
        }
    }

    /// What the parser cannot see of one argument alone.
    fn checked(self) -> Result<Self, clap::Error> {
        match &self.command {
            Some(Command::Embed(args)) => drop(args.format()?),
            Some(Command::Predict(args)) => drop(args.format()?),
            _ => {}
        }
        Ok(self)
    }
}

/// The error without what acts on a terminal: a pattern such as `*` puts the names of a stranger's files among the words.
/// The styles of the parser's own are lost with it only where there is such a name.
fn shown(error: clap::Error, words: &[OsString]) -> clap::Error {
    let visible_words: Vec<OsString> =
        words.iter().map(|word| visible(&word.to_string_lossy()).into_owned().into()).collect();
    if visible_words == words {
        return error;
    }
    // The same words, as they are shown, are refused for the same reason.
    match Args::of(&visible_words) {
        Err(shown) => shown,
        Ok(_) => Args::command().error(error.kind(), visible(&error.to_string())),
    }
}

/// What is wrong with the first word, where it can only be meant as a command and is none: a word alone is the folder
/// of a project, which the window opens, so a mistyped command would pass for one that is missing.
fn no_command(words: &[OsString]) -> Option<String> {
    /// From which likeness on one word is taken for the other.
    const ALIKE: f64 = 0.8;

    let word = words.get(1)?.to_str()?;
    let is_plain = word.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_'));
    if !is_plain || word.starts_with('-') || Path::new(word).exists() {
        return None;
    }
    let known = Args::command();
    let names: Vec<&str> = known.get_subcommands().map(clap::Command::get_name).chain(["help"]).collect();
    if names.contains(&word) {
        return None;
    }
    let typed = word.to_ascii_lowercase().replace('_', "-");
    let alike = |name: &&str| strsim::jaro_winkler(&typed, name);
    let nearest = names.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    if alike(nearest) >= ALIKE {
        return Some(format!(
            "there is no command '{word}', and no folder of that name: did you mean '{nearest}'?"
        ));
    }
    // A word alone is more likely a folder that was moved.
    (words.len() > 2).then(|| format!("there is no command '{word}': `frostline --help` lists them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_command_is_answered_with_the_one_that_is_meant() {
        let told = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            Args::of(&words).map_err(|error| (error.exit_code(), error.to_string()))
        };
        for (typed, meant) in [
            (&["frostline", "trian"][..], "train"),
            (&["frostline", "trian", "p", "--json"], "train"),
            (&["frostline", "Train", "p"], "train"),
            (&["frostline", "find_rate", "p"], "find-rate"),
            (&["frostline", "predcit", "m", "a.csv"], "predict"),
            (&["frostline", "exprot"], "export"),
            (&["frostline", "inpsect", "a.csv"], "inspect"),
        ] {
            let (code, text) = told(typed).unwrap_err();
            assert_eq!(code, 2, "{text}");
            assert!(text.contains(&format!("did you mean '{meant}'?")), "{text}");
        }
        let (code, text) = told(&["frostline", "frobnicate", "p"]).unwrap_err();
        assert!(code == 2 && text.contains("there is no command 'frobnicate'"), "{text}");
        // A folder is a project, whatever it is called; so is what is called like no command.
        assert_eq!(told(&["frostline", "src"]).unwrap().project, Some("src".into()));
        assert_eq!(told(&["frostline", "messages"]).unwrap().project, Some("messages".into()));
        let (code, text) = told(&["frostline", "train", "p", "--devise", "cpu"]).unwrap_err();
        assert!(code == 2 && text.contains("--device"), "{text}");
        let (code, text) =
            told(&["frostline", "init", "p", "--data", "a", "--preset", "gradul"]).unwrap_err();
        assert!(code == 2 && text.contains("gradual"), "{text}");
    }
}
