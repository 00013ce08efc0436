//! Texts from files as parts of a Markdown page. It knows nothing of what the page says.

use super::visible::visible;

/// The text within a line or a cell of a table: on one line, and neither markup, HTML, a link nor a reference to a
/// character.
#[must_use]
pub fn inline(text: &str) -> String {
    let words = on_one_line(text);
    let chars: Vec<char> = words.chars().collect();
    let mut safe = String::with_capacity(words.len() + 8);
    for (index, c) in chars.iter().enumerate() {
        let follows_w =
            index.checked_sub(1).and_then(|before| chars.get(before)).is_some_and(|c| matches!(c, 'w' | 'W'));
        let is_special = match c {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '{' | '&' | '$' | '~' | '^' | '@' => true,
            // Addresses that pages make links of: `https://...`, `www....`.
            ':' => chars.get(index + 1) == Some(&'/'),
            '.' => follows_w,
            _ => false,
        };
        if is_special {
            safe.push('\\');
        }
        safe.push(*c);
    }
    safe
}

/// The same where a line begins with it: no heading, list, rule or definition either.
#[must_use]
pub fn text(text: &str) -> String {
    let safe = inline(text);
    let digits = safe.chars().take_while(char::is_ascii_digit).count();
    let marker = safe.get(digits..).and_then(|rest| rest.chars().next());
    let is_alone = safe.chars().nth(digits + 1).is_none_or(|next| next == ' ' || Some(next) == marker);
    let begins_a_block = match marker {
        Some('#' | '=' | ':') => digits == 0,
        Some('-' | '+') => digits == 0 && is_alone,
        Some('.' | ')') => digits > 0 && is_alone,
        _ => false,
    };
    if begins_a_block { format!("{}\\{}", &safe[..digits], &safe[digits..]) } else { safe }
}

fn on_one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// The text as code in a line, as it is but for white space and what is hidden.
#[must_use]
pub fn code(text: &str) -> String {
    let words = on_one_line(text);
    let longest = words.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if words.is_empty() || words.starts_with('`') || words.ends_with('`') { " " } else { "" };
    format!("{fence}{room}{words}{room}{fence}")
}

/// The same in a cell of a table.
#[must_use]
pub fn code_cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    /// What a page shows of these lines, and what else they make of it.
    fn read(page: &str) -> (String, Vec<Event<'_>>) {
        let events: Vec<Event<'_>> =
            Parser::new_ext(page, Options::all() - Options::ENABLE_SMART_PUNCTUATION).collect();
        let shown = events.iter().filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.to_string()),
            _ => None,
        });
        (shown.collect(), events)
    }

    /// Texts of what Markdown and HTML are made of.
    fn markup() -> impl Strategy<Value = String> {
        let parts = [
            "|",
            "`",
            "```",
            "*",
            "**",
            "_",
            "<",
            ">",
            "[",
            "]",
            "(",
            ")",
            "!",
            "#",
            "-",
            "+",
            "=",
            "~~",
            "1.",
            "\\",
            "&",
            "&lt;",
            ";",
            "$",
            "^",
            ":",
            "---",
            "\n",
            "\n\n",
            "    ",
            "\t",
            " ",
            "a",
            "b",
            "<b>",
            "<!--",
            "<script>",
            "[x](y)",
            "![x](y)",
            "[^1]",
            "https://x.y",
            "www.x.y",
            "{",
            "}",
            "\"",
            "'",
            "\u{1b}",
        ];
        proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..8)
            .prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_text_is_a_paragraph_that_shows_it(name in markup()) {
            prop_assume!(!on_one_line(&name).is_empty());
            let page = text(&name);
            let (shown, events) = read(&page);
            prop_assert_eq!(shown, on_one_line(&name), "{}", page);
            let is_plain = |event: &Event<'_>| {
                matches!(event, Event::Text(_) | Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph))
            };
            prop_assert!(events.iter().all(is_plain), "{}: {:?}", page, events);
        }

        #[test]
        fn a_text_stays_in_its_heading_and_its_cell(name in markup()) {
            let page = format!("# {0}\n\n| a | b |\n|---|---|\n| {0} | {1} |\n", inline(&name), code_cell(&name));
            let (_, events) = read(&page);
            let count = |tag: fn(&Event<'_>) -> bool| events.iter().filter(|event| tag(event)).count();
            prop_assert_eq!(count(|e| matches!(e, Event::Start(Tag::Heading { .. }))), 1);
            prop_assert_eq!(count(|e| matches!(e, Event::Start(Tag::TableCell))), 4);
            prop_assert_eq!(count(|e| matches!(e, Event::Code(_))), 1);
            prop_assert!(!events.iter().any(|e| matches!(
                e,
                Event::Html(_) | Event::InlineHtml(_) | Event::Start(Tag::Link { .. } | Tag::Image { .. })
            )), "{}", page);
        }

        #[test]
        fn code_shows_what_it_is_made_of(name in markup()) {
            prop_assume!(!on_one_line(&name).is_empty());
            let page = format!("of {}, made", code(&name));
            let (shown, events) = read(&page);
            prop_assert_eq!(shown, format!("of {}, made", on_one_line(&name)), "{}", page);
            prop_assert_eq!(events.iter().filter(|e| matches!(e, Event::Code(_))).count(), 1);
        }
    }

    #[test]
    fn usual_names_stay_as_they_are() {
        for name in ["topic", "Customer messages, v2.1", "größer (neu)", "a: b", "sub-topic", "-1", "0.1.0"]
        {
            assert_eq!(text(name), name);
        }
        assert_eq!(text("mood|tone"), "mood\\|tone");
        assert_eq!(text("see https://x.y or WWW.x.y"), "see https\\://x.y or WWW\\.x.y");
        assert_eq!(code("say `x`"), "`` say `x` ``");
    }
}
