use serde_json::json;

use super::*;

fn checked(change: &Value) -> Result<(), String> {
    let mut file = json!({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}});
    for (key, value) in change.as_object().expect("fields") {
        file[key] = value.clone();
    }
    check(file.to_string().as_bytes())
}

fn refused(change: &Value, told: &str) {
    let error = checked(change).expect_err(told);
    assert!(error.contains(told), "{error}");
}

#[test]
fn a_table_of_characters_is_looked_at_wherever_it_is() {
    // One block of units, all of which lead to the first, and no texts.
    let sound = STANDARD.encode([&1024_u32.to_le_bytes()[..], &[0; 1024]].concat());
    let table = |text: &str| json!({"type": "Precompiled", "precompiled_charsmap": text});
    let nested = |part: Value| json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [part]}]}});
    assert_eq!(checked(&json!({"normalizer": table(&sound)})), Ok(()));
    assert_eq!(checked(&nested(table(&sound))), Ok(()));
    // The only unit of all that leads out of the block; a leaf that is no beginning of a text.
    let leads =
        |unit: u32| STANDARD.encode([&1024_u32.to_le_bytes()[..], &unit.to_le_bytes(), &[0; 1020]].concat());
    let leaf = STANDARD.encode(
        [
            &1024_u32.to_le_bytes()[..],
            &(1_u32 << 8 | 1 << 10).to_le_bytes(),
            &7_u32.to_le_bytes(),
            &[0; 1016],
        ]
        .concat(),
    );
    for text in ["", "AAAA", "no base64", &leads(u32::MAX >> 1), &leaf] {
        refused(&json!({"normalizer": table(text)}), "table of characters");
        refused(&nested(table(text)), "table of characters");
    }
    refused(&json!({"normalizer": {"type": "Precompiled"}}), "without a precompiled_charsmap");
    refused(&json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": 7}}), "base64");
}

#[test]
fn a_text_may_not_grow_without_bounds() {
    let replace = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
    let sequence = |steps: Vec<Value>| json!({"normalizer": {"type": "Sequence", "normalizers": steps}});
    refused(&sequence(vec![replace("q", "qq"); 20]), "times as long");
    refused(&sequence(vec![replace("rare", "rarerare"); 40]), "times as long");
    refused(&sequence(vec![json!({"type": "Prepend", "prepend": "p".repeat(5000)})]), "5000 bytes");
    refused(&sequence(vec![replace(".", &"x".repeat(5000))]), "5000 bytes");
    refused(&sequence(vec![json!({"type": "Lowercase"}); 5000]), "5000 steps");
    // What tokenizers in use do.
    assert_eq!(
        checked(&sequence(vec![replace(" {2,}", "▁"), json!({"type": "Prepend", "prepend": "▁"})])),
        Ok(())
    );
    assert_eq!(checked(&sequence(vec![json!({"type": "NFKD"}), json!({"type": "ByteLevel"})])), Ok(()));
}

#[test]
fn what_is_put_around_a_text_is_described() {
    let template = |special: Value| {
        json!({"post_processor": {"type": "TemplateProcessing", "pair": [], "special_tokens": special,
            "single": [{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}})
    };
    assert_eq!(checked(&template(json!({"x": {"id": "x", "ids": [0], "tokens": ["x"]}}))), Ok(()));
    refused(&template(json!({})), "does not say what that is");
    refused(&template(json!({"x": {"id": "x", "ids": [0, 1], "tokens": ["x"]}})), "other ids than tokens");
    let nested = json!({"type": "Sequence", "processors": [
        {"type": "BertProcessing", "sep": ["s", 3], "cls": ["c", 4]},
        {"type": "RobertaProcessing", "sep": ["s", 5], "cls": ["c", 6]},
        template(json!({"x": {"id": "x", "ids": [7], "tokens": ["x"]}}))["post_processor"],
    ]});
    assert_eq!(ids_around(&nested), Ok(vec![3, 4, 5, 6, 7]));
}

#[test]
fn a_word_that_takes_too_long_to_cut_is_refused() {
    let model = |longest: u64| json!({"model": {"type": "WordPiece", "vocab": {"a": 0}, "max_input_chars_per_word": longest}});
    assert_eq!(checked(&model(200)), Ok(()));
    refused(&model(1_000_000), "1000000 characters");
    refused(&json!({"model": {"type": "WordPiece"}}), "no vocabulary");
}

#[test]
fn more_added_tokens_than_any_model_has_are_refused() {
    let added = |count: usize| json!({"added_tokens": vec![json!({"id": 1, "content": "x"}); count]});
    assert_eq!(checked(&added(1000)), Ok(()));
    refused(&added(70_000), "it adds 70000 tokens");
}
