use super::*;

/// What `torch.save` writes for `OrderedDict(w=Parameter([2, 3]))`, put together by hand.
fn pickled(global: &str) -> Vec<u8> {
    let mut bytes = b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage".to_vec();
    bytes.extend(format!("c{}\n", global.replace('.', "\n")).as_bytes());
    bytes.extend(b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89h\x00)Rq\x02tRs}X\x09\x00\x00\x00_metadatah\x00)Rsb.");
    bytes
}

#[test]
fn a_state_dict_is_read() {
    let tensors = read(&pickled("torch.BFloat16Storage")).expect("read");
    let expected = Pickled {
        name: "w".into(),
        storage: "0".into(),
        kind: Some(Kind::BFloat16),
        kind_name: "BFloat16Storage".into(),
        offset: 0,
        shape: vec![2, 3],
        strides: vec![3, 1],
    };
    assert_eq!(tensors, [expected]);
}

#[test]
fn nothing_else_is_named() {
    let refused = |bytes: &[u8]| match read(bytes) {
        Err(Refusal::Foreign(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."), "it names os.system");
    assert_eq!(refused(b"\x80\x04\x8c\x05posix\x8c\x06system\x93."), "it names posix.system");
    assert_eq!(refused(&pickled("builtins.eval")), "it names builtins.eval");
    assert!(refused(b"\x80\x02ios\nsystem\n.").contains("instruction 0x69"));
    assert!(refused(b"K\x01.").contains("no dictionary"));
    assert!(refused(b"}X\x01\x00\x00\x00aK\x01s.").contains("entry a is a number"));
    assert!(refused(b"}K\x01K\x01s.").contains("a number for a tensor's name"));
}

#[test]
fn what_is_cut_or_turned_is_refused() {
    let whole = pickled("torch.FloatStorage");
    for end in 0..whole.len() {
        assert!(matches!(read(&whole[..end]), Err(Refusal::Damaged(_))), "cut at {end}");
    }
    for bytes in
        [&b"R."[..], b")R.", b"t.", b"u.", b"h\x07.", b"NNR.", b"]]s.", b"}b.", b"]Q.", b"\x85.", b"\x94."]
    {
        assert!(read(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn memory_is_bounded_by_a_count() {
    let many = |instruction: &[u8]| read(&instruction.repeat(3_000_000)).expect_err("refused");
    let too_many = Refusal::Damaged("it holds more values than any model has".into());
    for instruction in [&b"N"[..], b"(", b"}0", b")0", b"N\x940"] {
        assert_eq!(many(instruction), too_many, "{instruction:?}");
    }
    // A list of a list of a list: nothing here walks down, not even to free it.
    let mut deep = b"]".to_vec();
    deep.extend(b"\x85".repeat(300_000));
    deep.push(b'.');
    assert!(read(&deep).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        drop(read(&bytes));
    }

    #[test]
    fn a_pickle_with_changed_bytes_is_read_or_refused(
        changes in proptest::collection::vec((0..200_usize, proptest::num::u8::ANY), 1..6),
    ) {
        let mut bytes = pickled("torch.FloatStorage");
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        drop(read(&bytes));
    }
}

/// Written by Python's own pickler over stand-ins for torch's classes, as `torch.save` calls it: a shared storage, a
/// parameter, a number, more entries than go into one batch, `_metadata`.
#[test]
fn what_pythons_pickler_writes_is_read() {
    for protocol in [2, 4] {
        let path =
            format!("{}/tests/fixtures/torch/state_dict_protocol{protocol}.pkl", env!("CARGO_MANIFEST_DIR"));
        let tensors = read(&std::fs::read(path).expect("the fixture")).expect("read");
        assert_eq!(tensors.len(), 304);
        assert_eq!((tensors[0].shape.as_slice(), tensors[0].storage.as_str()), (&[272, 48][..], "0"));
        assert_eq!((tensors[1].kind, tensors[1].shape.as_slice()), (None, &[1, 70_000][..]));
        assert_eq!((tensors[2].kind, tensors[2].shape.len()), (Some(Kind::Half), 0));
        assert_eq!((tensors[3].name.as_str(), tensors[3].storage.as_str()), ("cls.decoder.weight", "0"));
        assert_eq!(
            (tensors[303].name.as_str(), tensors[303].strides.as_slice()),
            ("encoder.layer.299.bias", &[1][..])
        );
    }
}
