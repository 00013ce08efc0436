use super::*;
use crate::data::read::delimited::header::first_is_header;

fn header(body: &str) -> bool {
    first_is_header(&sample(body.as_bytes(), Dialect::new(b',', Quoting::Doubled)))
}

fn found(ending: &str, body: &str) -> (Dialect, Preamble) {
    dialect(ending, body.as_bytes(), Said::default())
}

#[test]
fn the_delimiter_is_the_one_that_cuts_evenly() {
    let cases: [(&str, &str, u8); 11] = [
        ("csv", "text,label\n\"a; b; c\",x\n\"d, e\",y\n", b','),
        ("csv", "text;label\nfirst, of two, things;x\nplain;y\n", b';'),
        ("csv", "text\tlabel\none, two\tx\nthree\ty\n", b'\t'),
        ("txt", "text|label\na, b|x\nc|y\n", b'|'),
        ("tsv", "a,b\tc,d\ne,f\tg,h\n", b'\t'),
        ("csv", "\"over\nlines, with; all\",x\nshort,y\n", b','),
        ("txt", "Hello, world.\nNo comma here.\nOne, two, three.\n", b'\t'),
        ("txt", "a\tb; c, d | e\nplain\nf, g, h\nplain, too\n", ONE_COLUMN),
        ("csv", "text,label\nno label here\nnor here\nnor, perhaps, here\n", b','),
        ("csv", "text;score\n1,5 or so;1,5\ntwo;2,25\nthree;3,75\n", b';'),
        ("csv", "text;mood;\na, b;x;\nc, d;y;\ne, f;x;\n", b';'),
    ];
    for (ending, body, expected) in cases {
        assert_eq!(char::from(found(ending, body).0.delimiter), char::from(expected), "{body:?}");
    }
}

#[test]
fn a_header_is_told_from_a_first_row() {
    assert!(header("text,label\ngood,1\n"));
    assert!(header(" Text ,DEPARTMENT\nnice top,tops\nok,tops\n"));
    assert!(header("#id,text\n1,nice top\n2,ok\n"));
    assert!(header("utt,klass\nhello there my good old friend,greet\n"));
    assert!(header(",message,kind\n0,hi,a\n1,ho,b\n"), "the index column of pandas has no name");
    assert!(header("alpha,beta\n1,2\n3,4\n"));
    assert!(!header("Can I get the movie times,Search\nwhat is on,Weather\nand this,Search\n"));
    assert!(!header("great movie,positive\nawful,negative\nfine,positive\n"));
    assert!(!header("What would you ask her?,question\nGo there.,order\nWhy is that?,question\n"));
    assert!(!header("0,hello\n1,there\n"));
    assert!(header("text,label\n"), "nothing below it");
    assert!(header("message\nhow are you\nfine thanks\n"));
    assert!(!header("Good movie\nnot for me\nawful\n"));
}

#[test]
fn what_quotes_mean_is_told_from_how_they_end() {
    let quoting = |body: &str, delimiter| quoting_of(body.as_bytes(), delimiter);
    let literal = "sentence\tlabel\n\"Hello\" he said\t1\n\"never closed\t0\n";
    assert_eq!(quoting(literal, b'\t'), Quoting::Literal);
    let quoted = "sentence\tlabel\n\"Hello \"\"you\"\"\"\t1\n\"over\nlines\"\t0\n";
    assert_eq!(quoting(quoted, b'\t'), Quoting::Doubled);
    assert_eq!(quoting("a 5\" pipe\t1\nb\t0\n", b'\t'), Quoting::Doubled, "it harms nobody");
    let backslash = "text,label\n\"say \\\"hi\\\", please\",x\n\"plain\",y\n\"a \\\"b\\\"\",x\n";
    assert_eq!(quoting(backslash, b','), Quoting::Backslash);
    assert_eq!(quoting("text,label\n\"C:\\\\\",x\n\"D:\\\",y\n", b','), Quoting::Doubled);
}

#[test]
fn what_stands_above_a_table_is_passed_over() {
    let (dialect, preamble) = found("csv", "sep=;\ntext;label\na, b;x\nc;y\n");
    assert_eq!((dialect.delimiter, preamble.bytes, preamble.lines.len()), (b';', 6, 0));
    let (_, preamble) = found("csv", "sep=\t\r\ntext\tlabel\r\na\tx\r\n");
    assert_eq!(preamble.bytes, 7);
    let (dialect, preamble) = found("csv", "# exported, 2024\n# by me\ntext,label\na,x\nc,y\nd,x\n");
    assert_eq!(
        (dialect.delimiter, preamble.lines.join("; ")),
        (b',', "# exported, 2024; # by me".to_owned())
    );
    let titled = "Reviews of May\n\ntext,label\na,x\nb,y\nc,x\nd,y\n";
    assert_eq!(found("csv", titled).1.lines, ["Reviews of May"]);
    for none in ["#fun day,x\nother,y\n#more,x\n", "text,label\na\nb,x\n", "one\ntwo\nthree, four\n"] {
        assert_eq!(found("csv", none).1, Preamble::default(), "{none:?}");
    }
}

#[test]
fn carriage_returns_end_lines_where_that_makes_sense() {
    let bare = |body: &str| found("csv", body).0.bare_cr;
    assert!(bare("text,label\ra,x\rb,y\r"));
    assert!(bare("text,label\na,x\rb,y\rc,x\nd,y\r\ne,x\n"), "mixed ends");
    assert!(!bare("text,label\na\rb,x\nc,y\nd,x\n"), "one inside a cell");
    assert!(!bare("text,label\r\na,x\r\nb,y\r"));
}
