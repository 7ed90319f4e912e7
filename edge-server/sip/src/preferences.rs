//! Capabilities and caller preferences: which of a user's contacts a request goes to, and in which
//! order (RFC 3840, RFC 3841 7.2).
//!
//! ```text
//!   Contact: ...;audio;methods="INVITE,BYE";q=0.5        request: Accept-Contact, Reject-Contact,
//!                     |                                           or method and Event
//!                     v                                              v
//!                Features::of                                 Preferences::of
//!                     |                                              |
//!                     +------------> Preferences::order <------------+
//!                                           |
//!        u1 --- reject? ---> out            |    q of the callee first, then
//!        u2 --- accept + require? -> out    |    Qa, the average score of the caller's wishes
//!        u3 ------------------------------> +--> u5 | u3 u1 | u4        [Choice]s with their ranks
//! ```
//! * A **feature set** is a conjunction of terms, one for each tag; a term is a list of values of
//!   which one must hold: tokens (in any case), `<strings>` (to the letter), numbers `#4`, `#>=4`,
//!   `#-4:+5.125`, each with a `!` before it for its opposite (RFC 3840 5, RFC 3841 8).
//! * **Matching** is that of RFC 2533: two sets match when something could satisfy both. What only
//!   one of them speaks of is no obstacle. Nothing is known here of what a tag means.
//! * A contact **without features** is immune: no preference touches it (7.2.3).
//! * **Implicit preferences**, where the request states none: a contact that lists its `methods`
//!   without this one is left out; so is one that lists `events` without the package of a SUBSCRIBE.
//!   When that leaves nobody, all are asked, and their 405 tells the caller (R11).
//! * One device is named by `*;+sip.instance="<urn:...>";require;explicit` (R7): such names are
//!   compared in any case, as UUIDs are (RFC 5626 4.1, RFC 4122 3).

use crate::error::HeaderError;
use crate::lex::Lex;
use crate::message::Message;
use crate::method::Method;
use crate::name::Name;
use crate::params::{Params, strip_quotes};

/// Values of Accept-Contact and Reject-Contact in one request; beyond it is refused (RFC 3841 11).
pub const MOST_PREDICATES: usize = 20;

/// Tags and their values in one feature set. In a request, beyond it is refused; of a contact, those
/// beyond are not seen.
pub const MOST_VALUES: usize = 100;

/// A whole score, in millionths.
const WHOLE: u32 = 1_000_000;

/// What a contact can, or what a caller wishes: a conjunction of terms (RFC 3840 5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features<'a> {
    terms: Vec<Term<'a>>,
    /// There were more values than [`MOST_VALUES`].
    cut: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Term<'a> {
    /// As written; of a tag in the SIP tree that has a bare name, that.
    tag: &'a str,
    values: Vec<Value<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Value<'a> {
    negated: bool,
    is: Is<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Is<'a> {
    /// A token or a boolean.
    Token(&'a str),
    /// With its angle brackets.
    Text(&'a str),
    /// From, to: both inclusive.
    Number(f64, f64),
}

impl<'a> Features<'a> {
    /// The feature parameters among those of a Contact, Accept-Contact or Reject-Contact
    /// (RFC 3841 7.2.3).
    pub fn of(params: Params<'a>) -> Features<'a> {
        let mut features = Features::default();
        let mut room = MOST_VALUES;
        for param in params.iter() {
            let Some(tag) = feature_tag(param.name) else { continue };
            // `+video` beside `video` is a mistake of the client's; and a tag stands once.
            let plain = tag.strip_prefix('+').unwrap_or(tag);
            if features.term(tag).is_some() || features.term(plain).is_some() {
                continue;
            }
            if room == 0 {
                features.cut = true;
                break;
            }
            let text = strip_quotes(param.value.unwrap_or("TRUE"));
            let whole = text.starts_with('<') && text.ends_with('>');
            let pieces = text.split(if whole { '\0' } else { ',' });
            let values: Vec<_> = pieces.take(room + 1).filter_map(Value::parse).collect();
            features.cut |= values.len() > room;
            let kept = values.len().min(room);
            // A term without values takes room as well.
            room -= kept.max(1);
            features.terms.push(Term { tag, values: values.into_iter().take(kept).collect() });
        }
        features
    }

    /// Whether nothing is said: such a contact is immune to preferences.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether this tag is spoken of: `audio`, `+sip.instance`.
    pub fn has(&self, tag: &str) -> bool {
        feature_tag(tag).is_some_and(|tag| self.term(tag).is_some())
    }

    /// Whether something could satisfy both (RFC 2533 4).
    pub fn matches(&self, other: &Features<'_>) -> bool {
        self.terms.iter().all(|term| other.term(term.tag).is_none_or(|their| term.meets(their)))
    }

    fn term(&self, tag: &str) -> Option<&Term<'a>> {
        self.terms.iter().find(|term| term.tag.eq_ignore_ascii_case(tag))
    }
}

/// The parameters that are features without a plus (RFC 3840 9). All but `language` and `type` are
/// in the SIP tree.
const BARE: [&str; 20] = [
    "audio",
    "automata",
    "class",
    "duplex",
    "data",
    "control",
    "mobility",
    "description",
    "events",
    "priority",
    "methods",
    "extensions",
    "schemes",
    "application",
    "video",
    "language",
    "type",
    "isfocus",
    "actor",
    "text",
];

/// The tag that a parameter names, if it names one. `+sip.audio` is a long way to say `audio`.
fn feature_tag(name: &str) -> Option<&str> {
    let bare = |name: &str| BARE.iter().any(|bare| bare.eq_ignore_ascii_case(name));
    match name.strip_prefix('+') {
        None => bare(name).then_some(name),
        Some(rest) => {
            let tree = rest.get(..4).filter(|tree| tree.eq_ignore_ascii_case("sip.")).and(rest.get(4..));
            let outside = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "language" | "type");
            Some(tree.filter(|leaf| bare(leaf) && !outside(leaf)).unwrap_or(name))
        }
    }
}

impl Term<'_> {
    /// Whether one value could satisfy both terms of a tag.
    fn meets(&self, other: &Term<'_>) -> bool {
        let any_case = self.tag.eq_ignore_ascii_case("+sip.instance");
        self.values.iter().any(|ours| other.values.iter().any(|theirs| ours.meets(theirs, any_case)))
    }
}

impl<'a> Value<'a> {
    /// A tag-value (RFC 3840 9); `None` for a number that is none.
    fn parse(text: &'a str) -> Option<Value<'a>> {
        let text = text.trim();
        let (negated, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let is = if let Some(number) = text.strip_prefix('#') {
            let (low, high) = if let Some(least) = number.strip_prefix(">=") {
                (decimal(least)?, f64::INFINITY)
            } else if let Some(most) = number.strip_prefix("<=") {
                (f64::NEG_INFINITY, decimal(most)?)
            } else if let Some(exactly) = number.strip_prefix('=') {
                (decimal(exactly)?, decimal(exactly)?)
            } else {
                let (low, high) = number.split_once(':')?;
                (decimal(low)?, decimal(high)?)
            };
            Is::Number(low, high)
        } else if text.starts_with('<') && text.ends_with('>') {
            Is::Text(text)
        } else {
            Is::Token(text)
        };
        Some(Value { negated, is })
    }

    /// Whether something satisfies both.
    fn meets(&self, other: &Value<'_>, any_case: bool) -> bool {
        match (self.negated, other.negated) {
            (false, false) => self.is.overlaps(&other.is, any_case),
            (false, true) => !self.is.is_within(&other.is, any_case),
            (true, false) => !other.is.is_within(&self.is, any_case),
            // There is always something third.
            (true, true) => true,
        }
    }
}

impl Is<'_> {
    fn overlaps(&self, other: &Is<'_>, any_case: bool) -> bool {
        match (self, other) {
            (Is::Number(a, b), Is::Number(c, d)) => a.max(*c) <= b.min(*d),
            _ => self.is_within(other, any_case),
        }
    }

    fn is_within(&self, other: &Is<'_>, any_case: bool) -> bool {
        match (self, other) {
            (Is::Number(a, b), Is::Number(c, d)) => c <= a && b <= d,
            (Is::Token(a), Is::Token(b)) => a.eq_ignore_ascii_case(b),
            (Is::Text(a), Is::Text(b)) => a == b || (any_case && a.eq_ignore_ascii_case(b)),
            _ => false,
        }
    }
}

/// `[ "+" / "-" ] 1*DIGIT [ "." 0*DIGIT ]`
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    text.parse().ok()
}

/// What the caller wishes of those who get its request.
#[derive(Clone, Debug, PartialEq)]
pub struct Preferences<'a> {
    accept: Vec<Accepted<'a>>,
    reject: Vec<Features<'a>>,
    stated: bool,
}

/// One value of Accept-Contact.
#[derive(Clone, Debug, PartialEq)]
struct Accepted<'a> {
    features: Features<'a>,
    require: bool,
    explicit: bool,
}

/// A contact that may be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<'a> {
    /// `q` of its Contact in thousandths; 1000 where it gave none.
    pub q: u16,
    /// What it can.
    pub features: Features<'a>,
}

/// A contact that is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which of the candidates.
    pub contact: usize,
    /// Equal for those that are equally good, and less for those that come later: what
    /// [`Disposition::groups`](crate::proxy::Disposition::groups) makes groups of.
    pub rank: u32,
    /// The caller's preference Qa in millionths.
    pub preference: u32,
}

impl<'a> Preferences<'a> {
    /// What Accept-Contact and Reject-Contact say, or else what method and Event imply (7.2.1, 7.2.2).
    ///
    /// # Errors
    /// A header that cannot be read, or says more than is looked at: 400.
    pub fn of(request: &'a Message) -> Result<Preferences<'a>, HeaderError> {
        let accept = predicates(request, Name::AcceptContact)?;
        let reject = predicates(request, Name::RejectContact)?;
        if accept.len() + reject.len() > MOST_PREDICATES {
            return Err(HeaderError::new(Name::AcceptContact, "more preferences than are looked at"));
        }
        if accept.is_empty() && reject.is_empty() {
            return Ok(Preferences::implied(request));
        }
        let flagged = |params: Params<'a>| Accepted {
            features: Features::of(params),
            require: params.has("require"),
            explicit: params.has("explicit"),
        };
        Ok(Preferences {
            accept: accept.into_iter().map(flagged).collect(),
            reject: reject.into_iter().map(Features::of).collect(),
            stated: true,
        })
    }

    fn implied(request: &'a Message) -> Preferences<'a> {
        let term = |tag, token| {
            let is = Is::Token(token);
            Term { tag, values: vec![Value { negated: false, is }] }
        };
        let mut terms = vec![term("methods", request.method().as_str())];
        if request.method() == Method::Subscribe
            && let Ok(Some(event)) = request.event()
        {
            terms.push(term("events", event.package));
        }
        let features = Features { terms, cut: false };
        let implied = Accepted { features, require: true, explicit: false };
        Preferences { accept: vec![implied], reject: Vec::new(), stated: false }
    }

    /// Whether the request states preferences, so that an empty order means 480.
    pub fn are_stated(&self) -> bool {
        self.stated
    }

    /// The contacts to ask, best first (7.2.4); candidates that are equally good keep their order.
    /// None are left only where preferences are stated.
    ///
    /// Those of one rank have the same q, and where the request states preferences, the same Qa:
    /// who asks for something wants it tried first. What is only implied leaves contacts out and
    /// orders none, so that who is present comes first among equals (R8), not who lists its methods.
    pub fn order(&self, candidates: &[Candidate<'_>]) -> Vec<Choice> {
        let wanted = |(contact, candidate): (usize, &Candidate<'_>)| {
            let preference = self.preference(&candidate.features)?;
            Some(Choice { contact, rank: 0, preference })
        };
        let mut choices: Vec<_> = candidates.iter().enumerate().filter_map(wanted).collect();
        if choices.is_empty() && !self.stated {
            let all = 0..candidates.len();
            choices = all.map(|contact| Choice { contact, rank: 0, preference: WHOLE }).collect();
        }
        let q = |choice: &Choice| candidates.get(choice.contact).map_or(0, |candidate| candidate.q);
        let class = |choice: &Choice| (q(choice), if self.stated { choice.preference } else { 0 });
        choices.sort_by_key(|choice| std::cmp::Reverse(class(choice)));
        let mut rank = 0;
        let mut last = None;
        for choice in choices.iter_mut().rev() {
            let this = class(choice);
            rank += u32::from(last.is_some_and(|last| last != this));
            last = Some(this);
            choice.rank = rank;
        }
        choices
    }

    /// Qa of a contact (7.2.4); `None`: it is not asked.
    fn preference(&self, contact: &Features<'_>) -> Option<u32> {
        if contact.is_empty() {
            return Some(WHOLE);
        }
        let rejected = |unwanted: &Features<'_>| {
            unwanted.terms.iter().all(|term| contact.term(term.tag).is_some()) && unwanted.matches(contact)
        };
        if self.reject.iter().any(rejected) {
            return None;
        }
        let (mut sum, mut count) = (0, 0);
        for wish in &self.accept {
            if !wish.features.matches(contact) {
                if wish.require {
                    return None;
                }
                continue;
            }
            let mut score = wish.score(contact);
            // Figure 1.
            if score < WHOLE && wish.explicit {
                if wish.require {
                    return None;
                }
                score = 0;
            }
            sum += score;
            count += 1;
        }
        // Qa of who matches none of the wishes is the average of nothing.
        let none = if self.accept.is_empty() { WHOLE } else { 0 };
        Some(u32::checked_div(sum, count).unwrap_or(none))
    }
}

impl Accepted<'_> {
    /// How much of the wish the contact speaks of.
    fn score(&self, contact: &Features<'_>) -> u32 {
        let terms = &self.features.terms;
        let spoken_of = terms.iter().filter(|term| contact.term(term.tag).is_some()).count() as u32;
        match terms.len() as u32 {
            0 => WHOLE,
            all => (WHOLE * spoken_of) / all,
        }
    }
}

/// The values of Accept-Contact or Reject-Contact: `*` and parameters.
fn predicates(request: &Message, name: Name) -> Result<Vec<Params<'_>>, HeaderError> {
    let star = |lex: &mut Lex<'_>| {
        lex.skip_ws();
        lex.eat(b'*')
    };
    let mut all = Vec::new();
    for params in request.list(name, |lex| if star(lex) { Params::lex(lex) } else { None }) {
        let params = params?;
        if all.len() == MOST_PREDICATES || Features::of(params).cut {
            return Err(HeaderError::new(name, "more preferences than are looked at"));
        }
        all.push(params);
    }
    Ok(all)
}
