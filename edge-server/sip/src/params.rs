//! `;name=value` lists, as they follow URIs, Vias, events and almost everything else.

use std::borrow::Cow;

use crate::lex::{self, Lex};

/// A checked parameter list, borrowed from the message and walked on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    text: &'a str,
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name as written; compare it without regard to case.
    pub name: &'a str,
    /// The value as written, quotes included; `None` when there was no `=`.
    pub value: Option<&'a str>,
}

impl<'a> Params<'a> {
    /// Reads a list that begins at a `;` (or is empty) and fills the whole text.
    pub fn parse(text: &'a str) -> Option<Params<'a>> {
        let mut lex = Lex::new(text);
        lex.skip_ws();
        let params = Params::lex(&mut lex)?;
        lex.skip_ws();
        lex.is_empty().then_some(params)
    }

    /// Reads as many parameters as there are. `None`: a `;` without a well-formed parameter.
    pub(crate) fn lex(lex: &mut Lex<'a>) -> Option<Params<'a>> {
        let start = lex.at();
        while lex.separator(b';') {
            Param::lex(lex)?;
        }
        Some(Params { text: lex.since(start) })
    }

    /// The value of the first parameter of this name, without its quotes (escapes inside are
    /// left as they are); the empty string for a parameter without a value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.get_raw(name).map(strip_quotes)
    }

    /// Like [`get`](Params::get), quotes included.
    pub fn get_raw(&self, name: &str) -> Option<&'a str> {
        let hit = self.iter().find(|param| param.name.eq_ignore_ascii_case(name))?;
        Some(hit.value.unwrap_or(""))
    }

    /// Whether a parameter of this name is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get_raw(name).is_some()
    }

    /// The parameters in their order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut lex = Lex::new(self.text);
        std::iter::from_fn(move || if lex.separator(b';') { Param::lex(&mut lex) } else { None })
    }

    /// The list as written, from its first `;`.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// True when there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl<'a> Param<'a> {
    /// `name [ "=" value ]`, white space around the `=` allowed.
    pub(crate) fn lex(lex: &mut Lex<'a>) -> Option<Param<'a>> {
        let name = lex.token()?;
        if !lex.separator(b'=') {
            return Some(Param { name, value: None });
        }
        let value = if lex.peek() == Some(b'"') { lex.quoted()? } else { lex.take_while(lex::is_value) };
        // `;name=` is met in the wild and harmless: an empty value, not an error.
        Some(Param { name, value: Some(value) })
    }
}

/// Takes one pair of enclosing quotes off, if there is one.
pub(crate) fn strip_quotes(text: &str) -> &str {
    text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text)
}

/// The text of a quoted string: quotes off, escapes resolved. Anything else comes back as is.
pub fn unquote(text: &str) -> Cow<'_, str> {
    if !text.starts_with('"') {
        return Cow::Borrowed(text);
    }
    let inner = strip_quotes(text);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
        } else if let Some(escaped) = chars.next() {
            out.push(escaped);
        }
    }
    Cow::Owned(out)
}

/// Writes a quoted string: `"` and `\` escaped. Line ends are for the writer to refuse.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&[(&str, Option<&str>)]>) {
        let read = Params::parse(text).map(|p| p.iter().map(|p| (p.name, p.value)).collect::<Vec<_>>());
        assert_eq!(read.as_deref(), expect, "{text}");
    }

    #[test]
    fn lists_are_read_with_white_space_quotes_and_flags() {
        check("", Some(&[]));
        check(";lr", Some(&[("lr", None)]));
        check(" ; a = b ;c", Some(&[("a", Some("b")), ("c", None)]));
        check(r#";x="a;\"b,";y"#, Some(&[("x", Some(r#""a;\"b,""#)), ("y", None)]));
        check(";received=2001:db8::9:255", Some(&[("received", Some("2001:db8::9:255"))]));
        check(";e=", Some(&[("e", Some(""))]));
    }

    #[test]
    fn empty_names_and_open_quotes_are_refused() {
        for text in [";", ";;a", ";a;", ";=b", "a", ";a b", r#";a="b"#] {
            check(text, None);
        }
    }

    #[test]
    fn point_3_instance_is_found_in_any_case_and_kept_as_given() {
        let params = Params::parse(r#";reg-id=1;+SIP.Instance="<urn:uuid:F8>""#).unwrap();
        assert_eq!(params.get("+sip.instance"), Some("<urn:uuid:F8>"));
        assert_eq!(params.get_raw("+sip.instance"), Some(r#""<urn:uuid:F8>""#));
        assert_eq!(params.get("reg-id"), Some("1"));
        assert_eq!(params.get("ob"), None);
    }

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        for text in ["", "plain", r#"a"b\c"#, "Жук"] {
            assert_eq!(unquote(&quote(text)), text);
        }
        assert_eq!(unquote("bare"), "bare");
    }
}
