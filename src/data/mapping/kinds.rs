//! Which kind of task a column is for, where it is not one class per text.

use std::collections::HashMap;

use super::{
    FACT_WORDS, TEXT_NAMES, TaskColumn, first_by_name, is_one_of, names_labels, normal, says_label, words,
};
use crate::data::mapping::profile::Profile;
use crate::data::task::TaskKind;

/// Columns of two texts, the likeliest first, and whether they belong together where nothing else is said.
const PAIRS: [(&str, &str, bool); 15] = [
    ("sentence1", "sentence2", false),
    ("sentence_1", "sentence_2", false),
    ("sentence_a", "sentence_b", false),
    ("text1", "text2", false),
    ("text_1", "text_2", false),
    ("text_a", "text_b", false),
    ("question1", "question2", false),
    ("premise", "hypothesis", false),
    ("anchor", "positive", true),
    ("query", "positive", true),
    ("query", "answer", true),
    ("query", "passage", true),
    ("query", "document", true),
    ("question", "answer", true),
    ("question", "context", true),
];

/// Words of columns that say how alike two texts are.
const MEASURES: [&str; 4] = ["score", "similarity", "relatedness", "rating"];

/// Names of columns that say whether two texts are the same.
const SAME: [&str; 6] = ["is_duplicate", "duplicate", "paraphrase", "is_paraphrase", "same", "quality"];

/// With fewer columns of 0 and 1 each is a task of its own.
const FEWEST_INDICATORS: usize = 3;

/// Names of columns that hold lists of words.
const WORDS: [&str; 2] = ["tokens", "words"];

/// Names of columns that hold a tag per word, the likeliest first.
const TAGS: [&str; 10] =
    ["ner_tags", "ner", "tags", "labels", "label", "entities", "upos", "pos_tags", "pos", "chunk_tags"];

/// The columns of words and of their tags, where both are lists, or the tags are names of tags with blanks between.
/// Further lists of tags of entities are tasks as well.
pub(super) fn words_and_tags<'a>(columns: &[&'a Profile]) -> Option<(&'a str, Vec<&'a str>)> {
    // Few columns have such a name, and what they hold is looked at then.
    let is_known = |name: &str| [&WORDS[..], &TAGS, &TEXT_NAMES].iter().any(|names| names.contains(&name));
    let normals = columns.iter().map(|column| (normal(&column.name), *column));
    let known: Vec<(String, &Profile)> = normals.filter(|(name, _)| is_known(name)).collect();
    let named = |names: &[&str], fits: &dyn Fn(&Profile) -> bool| {
        names.iter().find_map(|name| {
            let (_, found) = known.iter().find(|(normal, column)| fits(column) && normal == name)?;
            Some(found.name.as_str())
        })
    };
    let lists = || {
        let text = named(&WORDS, &Profile::is_word_list)?;
        let first = named(&TAGS, &Profile::is_word_list);
        let entities = columns.iter().filter(|column| column.is_list_of_tags());
        let mut tags: Vec<&str> = entities.map(|column| column.name.as_str()).collect();
        // The likeliest name comes first; lists that are no tags of entities need one.
        tags.retain(|name| Some(*name) != first && *name != text);
        tags.splice(0..0, first);
        (!tags.is_empty()).then_some((text, tags))
    };
    let blanks = || {
        let text = named(&WORDS, &|_| true).or_else(|| named(&TEXT_NAMES, &|_| true))?;
        Some((text, vec![named(&TAGS, &Profile::is_tags)?]))
    };
    lists().or_else(blanks)
}

/// The columns of the first and the second text.
pub(super) fn second_text<'a>(columns: &[&'a Profile]) -> Option<(&'a Profile, &'a Profile)> {
    let prose: Vec<&Profile> = columns.iter().copied().filter(|column| column.may_be_prose()).collect();
    let normals = first_by_name(&prose);
    let named = |name: &str| normals.get(name).copied();
    PAIRS.iter().find_map(|(first, second, _)| Some((named(first)?, named(second)?)))
}

/// The same by names alone.
pub(super) fn pair_names(columns: &[String]) -> Option<(String, String)> {
    let mut normals: HashMap<String, &String> = HashMap::new();
    for column in columns {
        normals.entry(normal(column)).or_insert(column);
    }
    let named = |name: &str| normals.get(name).map(|column| (*column).clone());
    PAIRS.iter().find_map(|(first, second, _)| Some((named(first)?, named(second)?)))
}

/// How alike the texts of pairs are, where a column measures it: fractions, numbers in a column named so, or 0 and 1.
pub(super) fn measured_pairs(columns: &[&Profile]) -> Option<TaskColumn> {
    let is_measure = |column: &&&Profile| {
        let fractions = column.is_fractional() && column.distinct > 2 || column.is_written_as_fraction();
        let is_named = MEASURES.iter().any(|name| words(&column.name).iter().any(|word| word == name));
        says_label(column) && fractions
            || is_named && column.is_numeric()
            || (says_label(column) || SAME.contains(&normal(&column.name).as_str())) && column.is_binary()
    };
    let column = columns.iter().find(is_measure)?;
    Some(TaskColumn::of_kind(&column.name, TaskKind::Similarity))
}

/// That pairs belong together, where their names say so and there is nothing else to learn.
pub(super) fn of_pairs(second: &Profile, nothing_else: bool) -> Option<TaskColumn> {
    let belong = PAIRS.iter().any(|(_, name, belong)| *belong && normal(&second.name) == *name);
    (nothing_else && belong).then(|| TaskColumn::of_kind(&second.name, TaskKind::Ranking))
}

/// Tasks of columns of 0 and 1 that stand for a class each: two or more whose names begin with the same name for labels
/// (`cats.a`, `label_a`), and of the others three or more, none with a name for labels.
pub(super) fn indicators(columns: &[&Profile]) -> Vec<TaskColumn> {
    let mut of_stems: Vec<(&str, Vec<String>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut others = Vec::new();
    for column in columns.iter().filter(|column| column.is_indicator()) {
        if let Some(stem) = label_stem(&column.name) {
            let place = *places.entry(stem).or_insert(of_stems.len());
            match of_stems.get_mut(place) {
                Some((_, names)) => names.push(column.name.clone()),
                None => of_stems.push((stem, vec![column.name.clone()])),
            }
        } else if !says_label(column) && !words(&column.name).iter().any(|word| is_one_of(word, &FACT_WORDS))
        {
            others.push(column.name.clone());
        }
    }
    let of_stems = of_stems.into_iter().filter(|(_, names)| names.len() > 1);
    let mut tasks: Vec<TaskColumn> =
        of_stems.filter_map(|(stem, names)| of_indicators(stem, names)).collect();
    if others.len() >= FEWEST_INDICATORS {
        tasks.extend(of_indicators("labels", others));
    }
    tasks
}

/// The name for labels that a name begins with: `cats` of `cats.billing`, `label` of `label_billing`.
fn label_stem(name: &str) -> Option<&str> {
    let (stem, class) = name.rsplit_once('.').or_else(|| name.split_once('_'))?;
    (names_labels(stem) && !class.is_empty()).then_some(stem)
}

/// One task of several columns of 0 and 1.
fn of_indicators(task: &str, indicators: Vec<String>) -> Option<TaskColumn> {
    let column = indicators.first()?.clone();
    Some(TaskColumn {
        task: task.to_owned(),
        indicators,
        ..TaskColumn::of_kind(&column, TaskKind::MultiLabel)
    })
}

/// Whether a column's cells hold several classes each.
pub(super) fn holds_sets(column: &Profile) -> bool {
    column.has_sets() || column.has_bars()
}

/// Whether a column's numbers are measured, not chosen from a few.
pub(super) fn is_measured(column: &Profile) -> bool {
    column.is_numeric() && column.distinct > 2 && (column.is_fractional() || column.distinct > 50)
}
