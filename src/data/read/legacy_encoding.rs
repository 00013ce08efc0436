//! Which encoding bytes that are not Unicode are in, and how sure that is.
//!
//! Two opinions are weighed. `chardetng` knows which letters follow each other and every script, but needs more text
//! than a short file has to tell Polish from Hungarian or Latvian from French. So each pair of a language and an
//! encoding is also scored by how likely the decoded letters are in that language ([`super::letter_frequencies`]). The score is a
//! log-likelihood; how much the best reading is ahead of the best one with other letters says how sure it is.

use std::collections::BTreeMap;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    Encoding, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15,
    ISO_8859_16, MACINTOSH, WINDOWS_1250, WINDOWS_1252, WINDOWS_1254, WINDOWS_1257, WINDOWS_1258,
};

use super::letter_frequencies::{LANGUAGES, Language};

/// How text that is not Unicode is read.
pub(in crate::data) struct Guess {
    pub(in crate::data) encoding: &'static Encoding,
    /// Its name: `cp1252`, `iso-8859-1`, `windows-1250` ...
    pub(in crate::data) name: String,
    /// What else it may be, where that is nearly as likely.
    pub(in crate::data) doubt: Option<Doubt>,
}

/// A second reading that is nearly as likely as the first.
#[derive(Debug)]
pub(in crate::data) struct Doubt {
    /// The encoding of the second reading.
    pub(in crate::data) other: String,
    /// The first word that differs, in both readings.
    pub(in crate::data) words: (String, String),
    /// The languages that the readings are likely in; none where the script gave it away.
    pub(in crate::data) languages: Option<(&'static str, &'static str)>,
}

impl Doubt {
    /// The doubt in a sentence, about a file that was read as `name`.
    pub(in crate::data) fn sentence(&self, name: &str) -> String {
        let ((here, there), other) = (&self.words, &self.other);
        let (mine, theirs) = match self.languages {
            Some((mine, theirs)) => (format!("{name}, {mine}"), format!("{other}, {theirs}")),
            None => (name.to_owned(), other.clone()),
        };
        format!(
            "The encoding is a guess from few letters: \"{here}\" ({mine}) may be \"{there}\" ({theirs}). If so, set the \
             encoding to {other}."
        )
    }
}

/// Bytes that the detector gets at most.
const DETECTOR_SAMPLE: usize = 1 << 20;
/// Bytes of lines with foreign letters that are scored at most.
const SCORED: usize = 64 << 10;
/// Bytes above ASCII below which a script other than Latin is in doubt.
const FEW: usize = 6;
/// Below this lead a reading is in doubt: in trials with one to ten short sentences in 25 languages such readings were
/// right nine times out of ten, and those with a larger lead 998 times out of 1,000.
const SURE: f64 = 6.0;
/// Bytes around a foreign letter whose ASCII letters count.
const NEAR: usize = 60;
/// What the detector's vote adds to a score.
const VOTE: f64 = 1.5;
/// Weight of ASCII letters, which say which language it is but are alike in all encodings.
const ASCII_WEIGHT: f64 = 0.5;
/// Probability of a letter that a language lacks: of one that western languages borrow, and of any other.
const BORROWED: f64 = 1.5e-5;
const ALIEN: f64 = 3.3e-6;
const WESTERN_LETTERS: &str = "áàâäãåæçéèêëíìîïñóòôöõøœúùûüÿß";

/// The encoding of text that is not Unicode.
pub(in crate::data) fn guess(raw: &[u8]) -> Guess {
    let detected = detect(raw);
    let others = raw.iter().filter(|byte| **byte >= 0x80).count();
    if !is_latin(detected) && is_script(raw, others) {
        let doubt = (others < FEW).then(|| doubt_between(raw, detected, WINDOWS_1252, None)).flatten();
        return Guess { encoding: detected, name: detected.name().to_ascii_lowercase(), doubt };
    }
    // Files of old Macs end their lines by CR alone, and have letters where the others have signs.
    let upper = |range: std::ops::RangeInclusive<u8>| raw.iter().filter(|byte| range.contains(byte)).count();
    if memchr::memchr(b'\n', raw).is_none() && raw.contains(&b'\r') && upper(0x80..=0x9f) > upper(0xc0..=0xff)
    {
        return Guess { encoding: MACINTOSH, name: "macintosh".to_owned(), doubt: None };
    }
    let lines = lines_with_others(raw);
    let readings = Reading::all(&lines, detected);
    let Some(best) = readings.first() else {
        return Guess { encoding: WINDOWS_1252, name: western_name(raw), doubt: None };
    };
    let decoded = decode(&lines, best.encoding);
    let rival = readings.iter().find(|reading| decode(&lines, reading.encoding) != decoded);
    let rival = rival.filter(|rival| best.score - rival.score < SURE);
    let doubt = rival.and_then(|rival| {
        doubt_between(&lines, best.encoding, rival.encoding, Some((best.language, rival.language)))
    });
    Guess { encoding: best.encoding, name: name_of(best.encoding, raw), doubt }
}

fn detect(raw: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    // From the first byte that tells anything, and no more than it needs.
    let telling = raw.iter().position(|byte| *byte >= 0x80).unwrap_or(0);
    let sample = raw.get(telling.saturating_sub(64)..).unwrap_or(raw);
    detector.feed(sample.get(..DETECTOR_SAMPLE).unwrap_or(sample), true);
    detector.guess(None, Utf8Detection::Deny)
}

fn is_latin(encoding: &'static Encoding) -> bool {
    [
        WINDOWS_1252,
        WINDOWS_1250,
        WINDOWS_1254,
        WINDOWS_1257,
        WINDOWS_1258,
        ISO_8859_2,
        ISO_8859_3,
        ISO_8859_4,
        ISO_8859_10,
        ISO_8859_13,
        ISO_8859_14,
        ISO_8859_15,
        ISO_8859_16,
    ]
    .contains(&encoding)
}

/// Whether the bytes above ASCII are a script of their own rather than a letter here and there: a fifth of all letters,
/// or mostly side by side.
fn is_script(raw: &[u8], others: usize) -> bool {
    let letters = raw.iter().filter(|byte| byte.is_ascii_alphabetic()).count() + others;
    let runs = raw.chunk_by(|one, next| (*one >= 0x80) == (*next >= 0x80));
    let runs = runs.filter(|run| run.first().is_some_and(|byte| *byte >= 0x80)).count();
    others * 5 >= letters || (others >= FEW && others >= 2 * runs)
}

/// The lines that hold a byte above ASCII, up to some size.
fn lines_with_others(raw: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for line in raw.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_ascii()) {
        if !lines.is_empty() && lines.len() + line.len() > SCORED {
            break;
        }
        // A file may be one long line.
        let first = line.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
        let telling = line.get(first.saturating_sub(SCORED / 2)..).unwrap_or(line);
        lines.extend_from_slice(telling.get(..SCORED).unwrap_or(telling));
        lines.push(b'\n');
    }
    lines
}

fn decode(bytes: &[u8], encoding: &'static Encoding) -> String {
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// A language and an encoding that the text may be in.
struct Reading {
    language: &'static str,
    encoding: &'static Encoding,
    score: f64,
}

impl Reading {
    /// All readings, the likeliest first.
    fn all(lines: &[u8], detected: &'static Encoding) -> Vec<Self> {
        let mut ascii = [0_usize; 26];
        // In a file of two languages the letters around say which one a foreign letter is of.
        let mut others = lines.iter().enumerate().filter(|(_, byte)| !byte.is_ascii()).map(|(at, _)| at);
        let (mut before, mut next) = (None, others.next());
        let is_near = |at: usize| {
            if next == Some(at) {
                (before, next) = (next, others.next());
            }
            let near = |other: Option<usize>| other.is_some_and(|other| other.abs_diff(at) <= NEAR);
            near(before) || near(next)
        };
        let near = lines.iter().zip((0..).map(is_near)).filter(|(_, near)| *near).map(|(byte, _)| byte);
        for byte in near.filter(|byte| byte.is_ascii_alphabetic()) {
            if let Some(count) = ascii.get_mut(usize::from(byte.to_ascii_lowercase() - b'a')) {
                *count += 1;
            }
        }
        let mut seen: Vec<(&'static Encoding, Signs)> = Vec::new();
        let mut all = Vec::new();
        for language in LANGUAGES {
            let plain = language.ascii_score(&ascii);
            for encoding in language.encodings {
                if seen.iter().all(|(known, _)| known != encoding) {
                    seen.push((encoding, signs(&decode(lines, encoding))));
                }
                let signs = seen.iter().find(|(known, _)| known == encoding).map(|(_, signs)| signs);
                let vote = if *encoding == detected { VOTE } else { 0.0 };
                let score = signs.map_or(0.0, |signs| language.score(signs)) + plain + vote + prior(encoding);
                all.push(Self { language: language.name, encoding, score });
            }
        }
        all.sort_by(|one, other| other.score.total_cmp(&one.score));
        all
    }
}

/// How much rarer an encoding is than the most frequent ones, as a logarithm.
fn prior(encoding: &'static Encoding) -> f64 {
    match encoding {
        e if e == WINDOWS_1252 => 1.0,
        e if e == ISO_8859_2 || e == ISO_8859_15 => -2.0,
        e if e == ISO_8859_13 => -3.0,
        e if e == ISO_8859_4 => -4.0,
        // Most of its files were recognised by their line ends.
        e if e == MACINTOSH => -6.0,
        _ => 0.0,
    }
}

/// What a character stands beside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Usual,
    /// A capital behind a small letter, or a small letter before a capital.
    OddCapital,
    /// A sign with letters on both sides.
    InWord,
    /// Before or behind a digit: usual for a sign (`£5`, `20°`), odd for a letter.
    AtNumber,
}

/// The characters above ASCII with their places, and how often each occurs.
type Signs = BTreeMap<(char, Place), usize>;

fn signs(text: &str) -> Signs {
    let mut signs = Signs::new();
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied().unwrap_or(' ');
        if !c.is_ascii() {
            let at_number = before.is_ascii_digit() || next.is_ascii_digit();
            let place = match c.is_alphabetic() {
                _ if at_number => Place::AtNumber,
                true if c.is_uppercase() && before.is_lowercase() => Place::OddCapital,
                true if c.is_lowercase() && next.is_ascii_uppercase() => Place::OddCapital,
                false if before.is_alphabetic() && next.is_alphabetic() && !joins_words(c) => Place::InWord,
                _ => Place::Usual,
            };
            *signs.entry((c, place)).or_default() += 1;
        }
        before = c;
    }
    signs
}

/// Signs that stand between letters.
const fn joins_words(c: char) -> bool {
    matches!(c, '’' | '‘' | '´' | '–' | '—' | '·' | '\u{a0}')
}

/// The logarithm of how often a sign occurs beside letters.
const fn sign_score(c: char) -> f64 {
    match c {
        '“' | '”' | '„' | '’' | '‘' | '‚' | '«' | '»' | '–' | '—' | '…' | '‹' | '›' => {
            -6.5
        }
        '\u{a0}' | '€' | '§' | '°' | '®' | '©' | '™' | '•' | '·' | '²' | '½' | '£' | '´' | '¡' | '¿'
        | '×' => -8.0,
        '\u{fffd}' | '\u{80}'..='\u{9f}' => -12.0,
        _ => -11.0,
    }
}

impl Language {
    fn ascii_score(&self, counts: &[usize; 26]) -> f64 {
        let scores = self.ascii.iter().zip(counts).map(|(share, count)| *count as f64 * logarithm(*share));
        ASCII_WEIGHT * scores.sum::<f64>()
    }

    fn score(&self, signs: &Signs) -> f64 {
        signs.iter().map(|((c, place), count)| *count as f64 * self.sign(*c, *place)).sum()
    }

    fn sign(&self, c: char, place: Place) -> f64 {
        if !c.is_alphabetic() || matches!(c, 'ª' | 'º' | 'µ') {
            return sign_score(c)
                + match place {
                    Place::InWord => -6.0,
                    Place::AtNumber => 3.0,
                    Place::Usual | Place::OddCapital => 0.0,
                };
        }
        // A capital dotted I is two characters in small letters; it is as frequent as its partner.
        let small = if c == 'İ' { 'ı' } else { c.to_lowercase().next().unwrap_or(c) };
        let share = self.others.iter().find(|(letter, _)| *letter == small).map(|(_, share)| *share);
        let is_western = self.encodings.contains(&MACINTOSH);
        let score = match share {
            Some(share) => logarithm(share),
            None if is_western && WESTERN_LETTERS.contains(small) => BORROWED.ln(),
            None => ALIEN.ln(),
        };
        let capital = if small == c { 0.0 } else { 1.0 };
        let odd = match place {
            Place::OddCapital => 3.0,
            Place::AtNumber => 5.0,
            Place::Usual | Place::InWord => 0.0,
        };
        score - capital - odd
    }
}

fn logarithm(share: u16) -> f64 {
    if share == 0 { BORROWED.ln() } else { (f64::from(share) / 10_000.0).ln() }
}

/// The first word that two encodings read differently.
fn doubt_between(
    raw: &[u8],
    one: &'static Encoding,
    other: &'static Encoding,
    languages: Option<(&'static str, &'static str)>,
) -> Option<Doubt> {
    let ends_word = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    let words = raw.split(ends_word).filter(|word| !word.is_ascii());
    let mut read = words.map(|word| (decode(word, one), decode(word, other)));
    let words = read.find(|(here, there)| here != there)?;
    Some(Doubt { other: name_of(other, raw), words, languages })
}

fn name_of(encoding: &'static Encoding, raw: &[u8]) -> String {
    if encoding == WINDOWS_1252 { western_name(raw) } else { encoding.name().to_ascii_lowercase() }
}

/// Latin-1, unless there are bytes that only Windows-1252 uses for characters. Five are characters in neither.
fn western_name(raw: &[u8]) -> String {
    let only_1252 =
        |byte: &u8| matches!(byte, 0x80..=0x9f) && !matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    if raw.iter().any(only_1252) { "cp1252" } else { "iso-8859-1" }.to_owned()
}

#[cfg(test)]
mod tests;
