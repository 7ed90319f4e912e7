//! From source text to meant text, and back. What is decoded here was checked by the reader.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::chars::{ESCAPE_TEXT, ESCAPE_VALUE, find};
use super::tree::{Element, Tree};

/// White space of XML 1.0 section 2.3 around a value is not part of it.
pub(crate) fn trim(text: &str) -> &str {
    // A form feed, which this takes for white space too, cannot stand in a document.
    text.trim_ascii()
}

/// The text directly inside an element.
pub(crate) fn direct(element: Element<'_>) -> Cow<'_, str> {
    let node = element.node();
    let tree = element.tree;
    if node.marks.is_plain() {
        return Cow::Borrowed(tree.slice(node.content, element.close()));
    }
    if element.children().next().is_none() {
        return between(tree, node.content, element.close());
    }
    let mut text = String::new();
    let mut at = node.content;
    for child in element.children() {
        content(tree.slice(at, child.node().start), &mut text);
        at = child.node().end;
    }
    content(tree.slice(at, element.close()), &mut text);
    Cow::Owned(text)
}

/// The text of a stretch of source that holds no element.
pub(crate) fn between(tree: &Tree, start: u32, end: u32) -> Cow<'_, str> {
    let raw = tree.slice(start, end);
    if !raw.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'\r')) {
        return Cow::Borrowed(raw);
    }
    let mut text = String::new();
    content(raw, &mut text);
    Cow::Owned(text)
}

/// Decodes a stretch of content that holds no element: character data, references, CDATA, comments.
fn content(mut raw: &str, out: &mut String) {
    while let Some(at) = raw.find(['&', '<', '\r']) {
        let (before, rest) = raw.split_at(at);
        out.push_str(before);
        raw = if let Some(cdata) = rest.strip_prefix("<![CDATA[") {
            let (inside, after) = cdata.split_once("]]>").unwrap_or((cdata, ""));
            lines(inside, out);
            after
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            comment.split_once("-->").map_or("", |(_, after)| after)
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            instruction.split_once("?>").map_or("", |(_, after)| after)
        } else if let Some(end) = rest.strip_prefix('\r') {
            out.push('\n');
            end.strip_prefix('\n').unwrap_or(end)
        } else if let Some(name) = rest.strip_prefix('&') {
            let (name, after) = name.split_once(';').unwrap_or((name, ""));
            out.extend(reference(name));
            after
        } else {
            ""
        };
    }
    out.push_str(raw);
}

/// An attribute value, references resolved, white space characters turned to spaces.
pub(crate) fn attribute(mut raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    while let Some(at) = raw.find(['&', '\t', '\r', '\n']) {
        let (before, rest) = raw.split_at(at);
        out.push_str(before);
        raw = if let Some(name) = rest.strip_prefix('&') {
            let (name, after) = name.split_once(';').unwrap_or((name, ""));
            out.extend(reference(name));
            after
        } else {
            out.push(' ');
            rest.strip_prefix("\r\n").unwrap_or(&rest[1..])
        };
    }
    out.push_str(raw);
    out
}

/// The character that `&name;` stands for, if it is one of the five or a legal number.
pub(crate) fn reference(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let (digits, radix) = digits.strip_prefix('x').map_or((digits, 10), |hex| (hex, 16));
            // from_str_radix would take a sign.
            let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u32::from_str_radix(digits, radix).ok().filter(|_| plain)?;
            char::from_u32(number).filter(|character| is_char(*character))
        }
    }
}

/// `Char` of XML 1.0 section 2.2.
pub(crate) fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Line ends as XML 1.0 section 2.11 says.
fn lines(mut raw: &str, out: &mut String) {
    while let Some((before, after)) = raw.split_once('\r') {
        out.push_str(before);
        out.push('\n');
        raw = after.strip_prefix('\n').unwrap_or(after);
    }
    out.push_str(raw);
}

/// Writes character data, escaping what must be: `<`, `&`, `>` (for the sake of `]]>`) and carriage returns,
/// which a reader would turn to line feeds.
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    escape_class(text, ESCAPE_TEXT, out);
}

/// Writes an attribute value to stand between quotes of either kind.
pub(crate) fn escape_attribute(value: &str, out: &mut Vec<u8>) {
    escape_class(value, ESCAPE_VALUE, out);
}

/// The text of a CDATA section, as character data of the same meaning. Line ends stay as they are.
pub(crate) fn escape_cdata(text: &str, out: &mut Vec<u8>) {
    for (number, line) in text.split('\r').enumerate() {
        if number > 0 {
            out.push(b'\r');
        }
        escape(line, out);
    }
}

fn escape_class(text: &str, class: u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = find(bytes, from, class);
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        let Some(byte) = bytes.get(at) else {
            return;
        };
        let entity: &[u8] = match byte {
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'&' => b"&amp;",
            b'"' => b"&quot;",
            b'\'' => b"&apos;",
            b'\t' => b"&#9;",
            b'\n' => b"&#10;",
            _ => b"&#13;",
        };
        out.extend_from_slice(entity);
        from = at + 1;
    }
}
