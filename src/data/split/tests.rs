use super::*;

#[test]
fn names_of_files_and_folders_say_the_split() {
    let cases = [
        ("data/train.csv", Some(Split::Train)),
        ("sst2-dev.tsv", Some(Split::Valid)),
        ("my_Validation_set.jsonl", Some(Split::Valid)),
        ("test2.csv", Some(Split::Test)),
        ("train-00000-of-00001.csv", Some(Split::Train)),
        ("reviews.eval.csv", Some(Split::Test)),
        ("23a_train_without_one_label.csv", Some(Split::Train)),
        ("data/test/part1.csv", Some(Split::Test)),
        ("valid/train.csv", Some(Split::Train)),
        ("contest.csv", None),
        ("trainer.csv", None),
        ("train_test.csv", None),
        ("my-test-project/all.csv", None),
        ("reviews.csv", None),
        ("", None),
    ];
    for (name, expected) in cases {
        assert_eq!(split_of_name(Path::new(name)), expected, "{name}");
    }
}
