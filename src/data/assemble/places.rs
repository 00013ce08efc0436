//! Labels of a task whose cells hold places in the text: how they are meant, the tags of all rows, and what to tell.

use crate::data::labels::align::{Counting, Laid, Trouble};
use crate::data::labels::offsets;
use crate::data::labels::offsets::{Place, places};

/// Cells that are looked at to tell whether a column holds places.
const SAMPLE: usize = 1000;

/// Whether cells hold places in their texts.
pub(super) fn are_places<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> bool {
    let nested = cells.flatten().filter(|cell| cell.trim_start().starts_with(['[', '{', '(']));
    nested.take(SAMPLE).any(|cell| places(cell).is_some())
}

/// What a row says: nothing, or its places.
enum Said {
    Nothing,
    Places(Vec<Place>),
    /// Neither places nor an empty list.
    Other,
}

/// The tags of every row as lists in JSON, and what to tell of them.
pub(super) type Tagged = (Vec<Option<String>>, Vec<String>);

/// The tags of every row; `None` where a cell says nothing. And what does not fit, in a sentence;
/// `name` says where a row is.
///
/// # Errors
/// The row of the first cell that holds no places, and what is wrong with it.
pub(super) fn tags(
    task: &str,
    texts: &[&str],
    cells: &[Option<&str>],
    name: &dyn Fn(usize) -> String,
) -> Result<Tagged, (usize, String)> {
    let read = |cell: Option<&str>| match cell {
        None => Said::Nothing,
        Some(cell) => match places(cell) {
            Some(places) => Said::Places(places),
            None if offsets::is_none(cell) => Said::Places(Vec::new()),
            None => Said::Other,
        },
    };
    let rows: Vec<Said> = cells.iter().copied().map(read).collect();
    let counting = counting(texts, &rows);
    let (mut all, mut found) = (Vec::with_capacity(rows.len()), Found::default());
    for (row, (said, text)) in rows.iter().zip(texts).enumerate() {
        let places = match said {
            Said::Nothing => {
                all.push(None);
                continue;
            }
            Said::Other => {
                return Err((row, "holds neither places in the text nor a list of them".to_owned()));
            }
            Said::Places(places) => places,
        };
        let laid = Laid::of(text, counting);
        let (tags, trouble) = laid.tags(places);
        found.take(&trouble, &laid, || name(row));
        // Strings can always be written as JSON.
        all.push(serde_json::to_string(&tags).ok());
    }
    let mut notes = found.told(task);
    if let Some(told) = counting.told() {
        notes.insert(0, format!("Task \"{task}\": the places of entities {told}."));
    }
    Ok((all, notes))
}

/// How the places are meant: the way in which the fewest of them cut a word.
fn counting(texts: &[&str], rows: &[Said]) -> Counting {
    let misfits = |counting: Counting| -> usize {
        let rows = rows.iter().zip(texts);
        let of_row = |(said, text): (&Said, &&str)| match said {
            Said::Places(places) if !places.is_empty() => Laid::of(text, counting).misfits(places),
            _ => 0,
        };
        rows.map(of_row).sum()
    };
    let [usual, others @ ..] = Counting::ALL;
    let mut best = (misfits(usual), usual);
    for other in others {
        if best.0 == 0 {
            break;
        }
        let count = misfits(other);
        if count < best.0 {
            best = (count, other);
        }
    }
    best.1
}

/// How many places do not fit, by why, and the first of each.
#[derive(Default)]
struct Found {
    inside: (usize, String),
    outside: (usize, String),
    overlapping: (usize, String),
    other_text: (usize, String),
}

impl Found {
    fn take(&mut self, trouble: &Trouble, laid: &Laid, name: impl Fn() -> String) {
        for (slot, places) in [
            (&mut self.inside, &trouble.inside),
            (&mut self.outside, &trouble.outside),
            (&mut self.overlapping, &trouble.overlapping),
            (&mut self.other_text, &trouble.other_text),
        ] {
            if let (Some(first), 0) = (places.first(), slot.0) {
                slot.1 = format!("{}, {}", name(), laid.shown(first));
            }
            slot.0 += places.len();
        }
    }

    fn told(self, task: &str) -> Vec<String> {
        let told = |(count, first): (usize, String), one: &str, many: &str| {
            let what = if count == 1 { format!("1 span {one}") } else { format!("{count} spans {many}") };
            (count > 0).then(|| format!("Task \"{task}\": {what} (first: {first})."))
        };
        [
            told(
                self.inside,
                "is misaligned: it begins or ends inside a word, and is read as the whole words it touches",
                "are misaligned: they begin or end inside a word, and are read as the whole words they touch",
            ),
            told(
                self.outside,
                "is misaligned: no word of its text is there, and it is left out",
                "are misaligned: no word of their texts is there, and they are left out",
            ),
            told(
                self.other_text,
                "does not hold the text that the file says is there",
                "do not hold the text that the file says is there",
            ),
            told(
                self.overlapping,
                "overlaps a longer one, which is kept, and is left out",
                "overlap longer ones, which are kept, and are left out",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
