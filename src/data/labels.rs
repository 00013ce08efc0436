//! What a label cell says: a class, or nothing.

/// What tables hold where nobody annotated: what pandas reads as missing, and the question mark.
///
/// Matched exactly, so that `None`, which Python writes for no value, is missing, while `none`, which people
/// write for a class of its own, is a class.
const MISSING: [&str; 13] =
    ["?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NULL", "null", "None", "-NaN"];

/// True where a label cell says that there is no label. The cell must be trimmed already.
pub(super) fn is_missing(trimmed: &str) -> bool {
    trimmed.is_empty() || MISSING.contains(&trimmed)
}

/// Classes in the order in which they are shown: by value when all are whole numbers, else by name.
pub(super) fn sort_classes(classes: &mut [&str]) {
    if classes.iter().all(|class| class.parse::<i64>().is_ok()) {
        classes.sort_by_key(|class| (class.parse::<i64>().unwrap_or_default(), class.len()));
    } else {
        classes.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_missing_and_classes_are_not() {
        for marker in ["", "NA", "n/a", "None", "null", "?", "nan"] {
            assert!(is_missing(marker), "{marker}");
        }
        for class in ["none", "no", "0", "-1", "other", "na", "not applicable"] {
            assert!(!is_missing(class), "{class}");
        }
    }

    #[test]
    fn numbers_sort_by_value_and_words_by_name() {
        let mut stars = ["10", "2", "1"];
        sort_classes(&mut stars);
        assert_eq!(stars, ["1", "2", "10"]);
        let mut mixed = ["b", "10", "2"];
        sort_classes(&mut mixed);
        assert_eq!(mixed, ["10", "2", "b"]);
    }
}
