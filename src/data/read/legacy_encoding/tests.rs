use super::*;

/// A few sentences of a language, and the encodings in which a table of them must come out as it was.
const SAMPLES: &[(&[&str], &[&Encoding])] = &[
    (
        &[
            "Przesyłka dotarła z opóźnieniem",
            "Gdzie jest mój zwrot pieniędzy?",
            "Bardzo miła obsługa, dziękuję",
        ],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &["Zásilka přišla poškozená", "Kde najdu číslo objednávky?", "Děkuji za rychlé vyřízení"],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &["Zásielka prišla neskoro", "Chcem vrátiť peniaze späť", "Ďakujem, všetko bolo v poriadku"],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &[
            "A csomag sérülten érkezett",
            "Hol találom a számlát?",
            "Köszönöm a gyors ügyintézést, minden jó volt",
        ],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &["Coletul a ajuns târziu", "Unde găsesc factura?", "Mulţumesc, totul a fost în regulă şi rapid"],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &["Paket je stigao oštećen", "Gdje mogu naći račun?", "Hvala, sve je riješeno vrlo brzo, puno sreće"],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &["Paket je prišel prepozno", "Kje najdem račun?", "Hvala, težava je hitro rešena"],
        &[WINDOWS_1250, ISO_8859_2],
    ),
    (
        &["Kargom hâlâ gelmedi", "Faturayı nereden bulabilirim?", "Teşekkürler, çok hızlı çözüldü"],
        &[WINDOWS_1254],
    ),
    (
        &["Siunta atvyko pažeista", "Kur rasti sąskaitą?", "Ačiū, viskas išspręsta labai greitai"],
        &[WINDOWS_1257, ISO_8859_13],
    ),
    (
        &["Sūtījums pienāca bojāts", "Kur es varu atrast rēķinu?", "Paldies, viss tika ātri atrisināts"],
        &[WINDOWS_1257, ISO_8859_13],
    ),
    (
        &["Pakk jõudis kohale hilja", "Kust ma leian arve?", "Aitäh, kõik lahendati väga kiiresti"],
        &[WINDOWS_1257, WINDOWS_1252],
    ),
    (
        &["Das Paket kam beschädigt an", "Wo finde ich die Rechnung?", "Danke, alles wurde schnell gelöst"],
        &[WINDOWS_1252, MACINTOSH],
    ),
    (
        &["Le colis est arrivé abîmé", "Où se trouve la facture ?", "Merci, tout a été réglé très vite"],
        &[WINDOWS_1252, MACINTOSH],
    ),
    (
        &["El paquete llegó dañado", "¿Dónde está mi factura?", "Gracias, todo se resolvió rápido"],
        &[WINDOWS_1252],
    ),
    (
        &["A encomenda não chegou", "Onde está a minha fatura? Já paguei", "Obrigado, a solução foi rápida"],
        &[WINDOWS_1252],
    ),
    (
        &["Il pacco è arrivato rotto", "Perché non c'è la fattura?", "Grazie, è già tutto a posto"],
        &[WINDOWS_1252],
    ),
    (&["Paketet kom för sent", "Var hittar jag räkningen?", "Tack, allt löstes på en gång"], &[WINDOWS_1252]),
    (
        &["Pakken kom for sent på lørdag", "Hvor er min regning nå?", "Takk, alt ble løst på én gang"],
        &[WINDOWS_1252],
    ),
    (
        &["Paketti saapui myöhässä", "Mistä löydän laskun?", "Kiitos, kaikki selvisi hyvin äkkiä"],
        &[WINDOWS_1252],
    ),
    (
        &["Pakkinn kom of seint", "Hvar finn ég reikninginn?", "Takk fyrir, þetta var mjög fljótt afgreitt"],
        &[WINDOWS_1252],
    ),
    (
        &["Посылка пришла поздно", "Где мой счёт?", "Спасибо, всё решили быстро"],
        &[encoding_rs::WINDOWS_1251, encoding_rs::KOI8_R, encoding_rs::IBM866, encoding_rs::ISO_8859_5],
    ),
    (
        &["Посилка прийшла пізно", "Де мій рахунок?", "Дякую, усе вирішили швидко"],
        &[encoding_rs::WINDOWS_1251, encoding_rs::KOI8_U],
    ),
    (
        &["Το δέμα ήρθε αργά", "Πού είναι το τιμολόγιο;", "Ευχαριστώ, όλα λύθηκαν γρήγορα"],
        &[encoding_rs::WINDOWS_1253, encoding_rs::ISO_8859_7],
    ),
    (&["החבילה הגיעה מאוחר", "איפה החשבונית שלי?", "תודה, הכול נפתר מהר"], &[encoding_rs::WINDOWS_1255]),
    (&["وصل الطرد متأخرا", "أين فاتورتي؟", "شكرا، تم حل كل شيء بسرعة"], &[encoding_rs::WINDOWS_1256]),
];

fn guess_of(bytes: &[u8]) -> (String, bool) {
    let guess = guess(bytes);
    (guess.name, guess.doubt.is_some())
}

fn table(sentences: &[&str]) -> String {
    let rows: Vec<String> = sentences.iter().map(|text| format!("\"{text}\";x\r\n")).collect();
    format!("text;label\r\n{}", rows.concat())
}

#[test]
fn short_tables_of_many_languages_are_read_letter_by_letter() {
    let mut wrong = Vec::new();
    for (sentences, encodings) in SAMPLES {
        let text = table(sentences);
        for encoding in *encodings {
            let (bytes, _, lost) = encoding.encode(&text);
            assert!(!lost, "{} lacks a letter of {text}", encoding.name());
            let guess = guess(&bytes);
            if decode(&bytes, guess.encoding) != text {
                wrong.push((encoding.name(), guess.name, decode(&bytes, guess.encoding)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_reading_that_is_nearly_as_likely_is_named_with_a_word_in_both() {
    let (bytes, _, _) = WINDOWS_1252.encode("text,label\nsi no õ,a\n");
    let guess = guess(&bytes);
    let doubt = guess.doubt.expect("one letter decides nothing");
    let sentence = doubt.sentence(&guess.name);
    assert!(sentence.contains("õ") && sentence.contains(&doubt.other), "{sentence}");
    // Enough text leaves no doubt, and neither does a file without a letter that could be another.
    let (bytes, _, _) = WINDOWS_1250.encode("Zażółć gęślą jaźń\nPrzesyłka dotarła z opóźnieniem\n");
    assert!(super::guess(&bytes).doubt.is_none());
    assert!(super::guess(b"it\x92s fine\n").doubt.is_none());
}

#[test]
fn a_letter_here_and_there_is_not_another_script() {
    let mut text = "text,label\n".to_owned();
    text += &"Please tell me where the caf\u{e9} in the old town is,question\n".repeat(50);
    let (bytes, _, _) = WINDOWS_1252.encode(&text);
    let guess = guess(&bytes);
    assert_eq!((guess.name.as_str(), guess.doubt.is_some()), ("iso-8859-1", false));
    // Signs at numbers, in messages of few letters.
    let signs = guess_of(
        b"label,text\nspam,\"WIN \xa3500 now!! Text WIN to 00000\"\nspam,\"Claim \xa3100, call now\"\n",
    );
    assert_eq!(signs, ("iso-8859-1".to_owned(), false));
    assert_eq!(guess_of(b"it is 20\xb0 here and 5\xb5m thick, \xa75\n").0, "iso-8859-1");
    // Quotes of a word processor and nothing else.
    assert_eq!(super::guess(b"he said \x93yes\x94 and left\n").name, "cp1252");
    // One long line whose first foreign letter comes late.
    let late = [
        vec![b'a'; 300_000],
        "obs\u{142}uga, dzi\u{119}kuj\u{119}"
            .encode_utf16()
            .map(|c| match c {
                0x142 => 0xb3,
                0x119 => 0xea,
                c => c as u8,
            })
            .collect(),
    ]
    .concat();
    assert_eq!(super::guess(&late).name, "windows-1250");
}
