//! Reading and writing whole messages. Names that begin with `point_N` prove point N of what
//! browser clients need of the message layer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use bytes::Bytes;
use tributary_sip::transaction::FlowId;
use tributary_sip::{
    BuildError, Contacts, DialogId, KeepAlive, Keys, Limits, Message, Method, Name, ParseErrorKind, Reason,
    RequestBuilder, ResponseBuilder, Status, SubState,
};

const SUBSCRIBE: &str = "SUBSCRIBE sip:alice@example.com SIP/2.0\r\n\
    Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK5651023\r\n\
    Max-Forwards: 69\r\n\
    To: <sip:alice@example.com>\r\n\
    From: \"Bob\" <sip:bob@example.com>;tag=3a8kq1p0\r\n\
    Call-ID: 7kq0d2m3v9ts\r\n\
    CSeq: 4711 SUBSCRIBE\r\n\
    Event: presence;id=7\r\n\
    Expires: 600\r\n\
    Accept: application/pidf+xml\r\n\
    Contact: <sip:k3s9d0fa@df7jal23ls0d.invalid;transport=ws>;+sip.instance=\"<urn:uuid:F81D4FAE-7dec-11d0-a765-00a0c91e6bf6>\"\r\n\
    Supported: path,gruu,outbound\r\n\
    User-Agent: JsSIP 3.13.8\r\n\
    Content-Length: 0\r\n\r\n";

fn read(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn refused(text: &str) -> ParseErrorKind {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap_err().kind()
}

fn text(message: &Bytes) -> &str {
    std::str::from_utf8(message).unwrap()
}

/// SUBSCRIBE with one line replaced.
fn with(from: &str, to: &str) -> String {
    let changed = SUBSCRIBE.replace(from, to);
    assert_ne!(changed, SUBSCRIBE, "{from} is not in the message");
    changed
}

#[test]
fn a_subscribe_reads_as_it_was_meant() {
    let m = read(SUBSCRIBE);
    assert_eq!((m.method(), m.uri()), (Method::Subscribe, "sip:alice@example.com"));
    let event = m.event().unwrap().unwrap();
    assert_eq!((event.package, event.id()), ("presence", Some("7")));
    assert_eq!(m.expires(), Ok(Some(600)));
    assert!(m.has_token(Name::Supported, "GRUU") && !m.has_token(Name::Supported, "gru"));
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.instance().unwrap().as_str(), "<urn:uuid:F81D4FAE-7dec-11d0-a765-00a0c91e6bf6>");
    assert_eq!(contact.instance().unwrap().urn(), "urn:uuid:F81D4FAE-7dec-11d0-a765-00a0c91e6bf6");
    assert_eq!(m.user_agent(), Some("JsSIP 3.13.8"));
    assert_eq!(DialogId::of_incoming_request(&m), None);
}

#[test]
fn point_2_one_message_comes_out_and_what_follows_it_is_left() {
    let two = format!("{SUBSCRIBE}{SUBSCRIBE}");
    let m = read(&two);
    assert!(m.body().is_empty());
    assert_eq!(m.cseq().unwrap().number, 4711);
}

#[test]
fn point_2_names_go_out_in_full_whatever_form_came_in() {
    let compact = SUBSCRIBE.replace("Via:", "v:").replace("To:", "T :").replace("From:", "f:");
    let compact = compact.replace("Call-ID:", "i:").replace("Supported:", "k:").replace("Event:", "O:");
    let m = read(&compact);
    assert!(m.event().unwrap().is_some() && m.has_token(Name::Supported, "path"));
    let response = ResponseBuilder::new(&m, Status::OK).to_tag("x").echo(Name::Supported).build().unwrap();
    for line in text(&response).lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap();
        assert!(name.len() > 1 && (name.len() > 2 || name == "To"), "{line}");
    }
    for name in Name::ALL {
        assert!(name.as_str().len() > 1);
    }
}

#[test]
fn point_3_odd_but_honest_messages_are_read() {
    // No Content-Length: the rest is the body.
    let m = read(&format!("{}body", with("Content-Length: 0\r\n", "")));
    assert_eq!(m.body(), b"body");
    // Odd case, white space before the colon, empty values, folds.
    let m = read(&with("Expires: 600", "eXPIRES \t:\t600  "));
    assert_eq!(m.expires(), Ok(Some(600)));
    let m = read(&with("Supported: path,gruu,outbound", "Supported:\r\nSupported: ,path"));
    assert_eq!(m.supported().collect::<Vec<_>>(), ["path"]);
    let m = read(&with("Event: presence;id=7", "Event:\r\n presence\r\n\t;id=7"));
    assert_eq!(m.event().unwrap().unwrap().id(), Some("7"));
    // Line ends left over from keep-alives.
    let m = read(&format!("\r\n\r\n{SUBSCRIBE}"));
    assert_eq!(m.call_id(), "7kq0d2m3v9ts");
}

#[test]
fn point_3_a_body_of_any_octets_is_carried() {
    let mut raw = with("Content-Length: 0", "Content-Type: x/y\r\nContent-Length: 4").into_bytes();
    raw.extend_from_slice(&[0xff, 0, b'\r', 0xc3]);
    let m = Message::parse(raw.into()).unwrap();
    assert_eq!(m.body(), [0xff, 0, b'\r', 0xc3]);
    let bytes = RequestBuilder::new(Method::Message, "sip:a@b.c")
        .header(Name::Via, "SIP/2.0/WS x.invalid;branch=z9hG4bK1")
        .header(Name::From, "<sip:a@b.c>;tag=1")
        .header(Name::To, "<sip:a@b.c>")
        .header(Name::CallId, "1")
        .cseq(1)
        .body("x/y", m.body())
        .unwrap();
    assert_eq!(Message::parse(bytes).unwrap().body_bytes(), m.body_bytes());
}

#[test]
fn point_5_the_vias_of_a_response_are_those_of_the_request_to_the_octet() {
    let vias = "Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK5651023";
    let odd = "v:  SIP / 2.0 / WS  DF7.invalid ; branch=z9hG4bKx , SIP/2.0/TCP [::1]:5060;rport\r\nVIA: SIP/2.0/UDP b.c";
    let m = read(&with(vias, odd));
    let response = ResponseBuilder::new(&m, Status::OK).to_tag("t").build().unwrap();
    let lines: Vec<&str> = text(&response).lines().filter(|line| line.starts_with("Via: ")).collect();
    assert_eq!(
        lines,
        [
            "Via: SIP / 2.0 / WS  DF7.invalid ; branch=z9hG4bKx , SIP/2.0/TCP [::1]:5060;rport",
            "Via: SIP/2.0/UDP b.c"
        ]
    );
    let one = ResponseBuilder::new(&read(SUBSCRIBE), Status::OK).to_tag("t").build().unwrap();
    assert_eq!(text(&one).matches("\r\nVia: ").count(), 1);
    assert!(text(&one).contains(&format!("\r\n{vias}\r\n")));
}

#[test]
fn point_6_a_transaction_is_connection_branch_sent_by_and_method() {
    let key =
        |connection, text: &str| Keys::new([1, 2]).of_request(Some(FlowId(connection)), &read(text)).unwrap();
    let ours = key(1, SUBSCRIBE);
    assert_eq!(ours, key(1, SUBSCRIBE));
    assert_eq!(ours, key(1, &with("df7jal23ls0d.invalid;b", "DF7JAL23LS0D.invalid;b")));
    assert_ne!(ours, key(2, SUBSCRIBE));
    assert_ne!(ours, key(1, &with("5651023", "5651024")));
    assert_ne!(ours, key(1, &with("0d.invalid;branch", "0e.invalid;branch")));
    assert_ne!(ours, key(1, &with("0d.invalid;branch", "0d.invalid:5060;branch")));
    assert_ne!(ours, key(1, &SUBSCRIBE.replace("SUBSCRIBE", "PUBLISH")));
}

#[test]
fn an_ack_and_a_cancel_find_their_invite() {
    let invite = read(&SUBSCRIBE.replace("SUBSCRIBE", "INVITE"));
    let ack = read(&SUBSCRIBE.replace("SUBSCRIBE", "ACK"));
    let cancel = read(&SUBSCRIBE.replace("SUBSCRIBE", "CANCEL"));
    let key = Keys::new([1, 2]).of_request(Some(FlowId(1)), &invite);
    assert_eq!(Keys::new([1, 2]).of_request(Some(FlowId(1)), &ack), key);
    assert_eq!(Keys::new([1, 2]).cancelled_by(Some(FlowId(1)), &cancel), key);
    assert_ne!(Keys::new([1, 2]).of_request(Some(FlowId(1)), &cancel), key);
}

#[test]
fn point_9_a_contact_goes_out_as_it_was_given() {
    let given = "<sip:RAND8@HOST.invalid;transport=ws>;+sip.ice;reg-id=1;+SIP.instance=\"<urn:uuid:AbC>\";expires=600";
    let request = SUBSCRIBE.replace("SUBSCRIBE", "REGISTER");
    let start = request.find("Contact: ").unwrap() + 9;
    let end = start + request[start..].find("\r\n").unwrap();
    let m = read(&format!("{}{given}{}", &request[..start], &request[end..]));
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.reg_id(), Some(1));
    assert_eq!(contact.expires(), Some(600));
    let instance = contact.params.get_raw("+sip.instance").unwrap();
    let response = ResponseBuilder::new(&m, Status::OK)
        .to_tag("t")
        .header(
            Name::Contact,
            format_args!("<{}>;expires=600;+sip.instance={instance};reg-id=1", contact.uri),
        )
        .build()
        .unwrap();
    let again = Message::parse(response).unwrap();
    let again = again.contact().unwrap().unwrap();
    assert_eq!(again.uri, "sip:RAND8@HOST.invalid;transport=ws");
    assert_eq!(again.params.get_raw("+sip.instance"), Some("\"<urn:uuid:AbC>\""));
}

#[test]
fn all_contacts_are_listed_and_a_star_is_a_star() {
    let contacts =
        "Contact: <sip:a@b.c>;q=0.7, \"X, Y\" <sip:d@e.f;x>;expires=0\r\nm: sip:g@h.i;expires=99999999999";
    let request = SUBSCRIBE.replace("SUBSCRIBE", "REGISTER").replace("Contact: ", "X-Was: ");
    let m = read(&request.replace("Supported", &format!("{contacts}\r\nSupported")));
    let Contacts::List(list) = m.contacts().unwrap() else { panic!("a star") };
    assert_eq!(list.iter().map(|c| c.uri).collect::<Vec<_>>(), ["sip:a@b.c", "sip:d@e.f;x", "sip:g@h.i"]);
    assert_eq!(list[0].q_milli(), Some(700));
    assert_eq!((list[1].expires(), list[2].expires()), (Some(0), Some(u32::MAX)));
    let m = read(&request.replace("Supported", "Contact: *\r\nSupported"));
    assert_eq!(m.contacts(), Ok(Contacts::Star));
    let m = read(&request.replace("Supported", "Contact: *\r\nContact: <sip:a@b.c>\r\nSupported"));
    assert!(m.contacts().is_err());
    assert_eq!(read(&request).contacts(), Ok(Contacts::List(vec![])));
}

#[test]
fn mistakes_that_could_split_a_message_are_refused() {
    assert_eq!(refused(&SUBSCRIBE.replace("\r\n", "\n")), ParseErrorKind::BareLineEnd);
    assert_eq!(refused(&with("Expires: 600", "Expires: 600\nX: y")), ParseErrorKind::BareLineEnd);
    assert_eq!(refused(&with("Expires: 600", "Expires: 600\rX: y")), ParseErrorKind::BareLineEnd);
    assert_eq!(refused(&with("Expires: 600", "no colon")), ParseErrorKind::HeaderLine);
    assert_eq!(refused(&with("Expires: 600", ": no name")), ParseErrorKind::HeaderLine);
    assert_eq!(refused(&with("Expires: 600", "Ex pires: 600")), ParseErrorKind::HeaderLine);
    for twice in ["Expires: 600", "Event: presence;id=7", "Max-Forwards: 69", "Content-Length: 0"] {
        let ParseErrorKind::Header(error) = refused(&with(twice, &format!("{twice}\r\n{twice}"))) else {
            panic!("{twice} twice")
        };
        assert!(twice.starts_with(error.name.as_str()));
    }
    assert_eq!(refused(SUBSCRIBE.trim_end()), ParseErrorKind::Truncated);
    assert_eq!(refused("\r\n\r\n"), ParseErrorKind::Empty);
    assert_eq!(refused(""), ParseErrorKind::Empty);
    assert_eq!(refused(&with("SIP/2.0\r\n", "HTTP/1.1\r\n")), ParseErrorKind::StartLine);
    assert_eq!(refused(&with(" SIP/2.0\r\n", "\r\n")), ParseErrorKind::StartLine);
    assert_eq!(refused(&with("4711 SUBSCRIBE", "4711 NOTIFY")), ParseErrorKind::MethodMismatch);
    for from in ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "] {
        let ParseErrorKind::Header(error) = refused(&with(&format!("\n{from}"), "\nX-Other: ")) else {
            panic!("{from} is missing")
        };
        assert_eq!(error.reason, "missing");
    }
    for cseq in ["2147483648 SUBSCRIBE", "x SUBSCRIBE", "1", "1SUBSCRIBE", "1 SUBSCRIBE x", "-1 SUBSCRIBE"] {
        assert!(matches!(refused(&with("4711 SUBSCRIBE", cseq)), ParseErrorKind::Header(_)), "{cseq}");
    }
}

#[test]
fn a_head_that_is_not_utf_8_is_refused_with_what_is_left_of_it() {
    let mut raw = SUBSCRIBE.as_bytes().to_vec();
    let bob = SUBSCRIBE.find("Bob").unwrap();
    raw[bob] = 0xff;
    let error = Message::parse(raw.into()).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ParseErrorKind::NotUtf8, bob));
    assert_eq!(error.method(), Some(Method::Subscribe));
    assert_eq!(error.header(Name::CallId), Some("7kq0d2m3v9ts"));
    assert!(error.response("t").is_some());
}

#[test]
fn responses_and_acks_are_never_answered() {
    let ack = SUBSCRIBE.replace("SUBSCRIBE", "ACK").replace("Expires: 600", "oops");
    let error = Message::parse(ack.into()).unwrap_err();
    assert_eq!((error.status(), error.response("t")), (None, None));
    let response = format!("SIP/2.0 200 OK\r\noops\r\n{}", SUBSCRIBE.split_once("\r\n").unwrap().1);
    let error = Message::parse(response.into()).unwrap_err();
    assert_eq!((error.kind(), error.status()), (ParseErrorKind::HeaderLine, None));
    let no_via = with("Via: ", "X-Via: ");
    assert_eq!(Message::parse(no_via.into()).unwrap_err().status(), None);
}

#[test]
fn status_lines_are_read_and_their_mistakes_refused() {
    let rest = SUBSCRIBE.split_once("\r\n").unwrap().1;
    for (line, expect) in [
        ("SIP/2.0 200 OK", Some((200, "OK"))),
        ("sip/2.0 489 ", Some((489, ""))),
        ("SIP/2.0 699", Some((699, ""))),
        ("SIP/2.0 099 X", None),
        ("SIP/2.0 700 X", None),
        ("SIP/2.0 20 X", None),
        ("SIP/2.0 200X", None),
        ("SIP/2.0  200 OK", None),
        ("SIP/3.0 200 OK", None),
        ("SIP/", None),
    ] {
        let read = Message::parse(format!("{line}\r\n{rest}").into());
        let read = read.as_ref().ok().map(|m| (m.status().unwrap().code(), m.reason()));
        assert_eq!(read, expect, "{line}");
    }
}

#[test]
fn each_limit_refuses_with_its_status() {
    let small = Limits { head: 4096, body: 10, headers: 20, line: 200, vias: 2 };
    let check = |text: String, status: u16, kind: ParseErrorKind| {
        let error = Message::parse_with(text.into(), &small).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.status().map(Status::code), Some(status));
    };
    assert!(Message::parse_with(SUBSCRIBE.into(), &small).is_ok());
    let body = format!("{}{}", with("Content-Length: 0", "Content-Length: 11"), "x".repeat(11));
    check(body, 413, ParseErrorKind::BodyTooLarge);
    let no_length = format!("{}{}", with("Content-Length: 0\r\n", ""), "x".repeat(11));
    check(no_length, 413, ParseErrorKind::BodyTooLarge);
    check(with("Expires", &format!("{}Expires", "X: y\r\n".repeat(8))), 513, ParseErrorKind::HeadTooLarge);
    check(with("Expires", &format!("X: {}\r\nY", "y".repeat(200))), 513, ParseErrorKind::HeadTooLarge);
    check(
        with("z9hG4bK5651023", "z9hG4bK5651023,SIP/2.0/WS b.c\r\nv: SIP/2.0/WS d.e"),
        513,
        ParseErrorKind::HeadTooLarge,
    );
    let long: String = (0..18).map(|n| format!("X-{n}: {}\r\n", "y".repeat(190))).collect();
    let tight = Limits { head: 2000, headers: 100, ..small };
    let error = Message::parse_with(with("Expires", &format!("{long}Expires")).into(), &tight).unwrap_err();
    assert_eq!(error.kind(), ParseErrorKind::HeadTooLarge);
    assert_eq!(error.header(Name::CallId), Some("7kq0d2m3v9ts"));
}

#[test]
fn keep_alives_are_recognised() {
    assert_eq!(KeepAlive::recognise(b"\r\n\r\n"), Some(KeepAlive::Ping));
    assert_eq!(KeepAlive::recognise(KeepAlive::PONG), Some(KeepAlive::Pong));
    assert_eq!(KeepAlive::recognise(SUBSCRIBE.as_bytes()), None);
}

#[test]
fn a_line_end_in_a_value_is_never_written() {
    let m = read(SUBSCRIBE);
    for value in ["a\r\nX: y", "a\nb", "a\rb", "a\0b"] {
        let ok = |builder: ResponseBuilder<'_>| builder.build();
        let expect = Err(BuildError::LineEnd(Name::Subject));
        assert_eq!(ok(ResponseBuilder::new(&m, Status::OK).header(Name::Subject, value)), expect);
        let named = ResponseBuilder::new(&m, Status::OK).header_named("X-Subject", value);
        assert_eq!(ok(named), Err(BuildError::LineEnd(Name::Extension)));
        let tag = ResponseBuilder::new(&m, Status::OK).to_tag(value);
        assert_eq!(ok(tag), Err(BuildError::LineEnd(Name::To)));
        assert!(ok(ResponseBuilder::with_reason(&m, Status::OK, value)).is_err());
        let media = ResponseBuilder::new(&m, Status::OK).body(value, b"x");
        assert_eq!(media, Err(BuildError::LineEnd(Name::ContentType)));
        let uri = RequestBuilder::new(Method::Notify, value);
        assert_eq!(uri.build(), Err(BuildError::RequestLine));
        assert_eq!(
            RequestBuilder::new(Method::Extension(value), "sip:a").build(),
            Err(BuildError::RequestLine)
        );
    }
    let bad_name = ResponseBuilder::new(&m, Status::OK).header_named("X: y\r\nZ", 1).build();
    assert_eq!(bad_name, Err(BuildError::HeaderName));
    let length = ResponseBuilder::new(&m, Status::OK).header(Name::ContentLength, 3).build();
    assert_eq!(length, Err(BuildError::HeaderName));
    let twice =
        ResponseBuilder::new(&m, Status::OK).header(Name::Expires, 1).header_named("expires", 2).build();
    assert_eq!(twice, Err(BuildError::Twice(Name::Expires)));
}

#[test]
fn a_request_without_what_it_needs_is_not_built() {
    let request = RequestBuilder::new(Method::Notify, "sip:a@b.c").header(Name::Via, "SIP/2.0/WS x;branch=1");
    let request = request.header(Name::From, "<sip:a@b.c>;tag=1").header(Name::To, "<sip:d@e.f>;tag=2");
    assert_eq!(request.clone().cseq(1).build(), Err(BuildError::Missing(Name::CallId)));
    let bytes = request.header(Name::CallId, "c").cseq(7).header(Name::Event, "presence");
    let bytes =
        bytes.header(Name::SubscriptionState, "active;expires=60").body("application/pidf+xml", b"<p/>");
    assert_eq!(
        text(&bytes.unwrap()),
        "NOTIFY sip:a@b.c SIP/2.0\r\nVia: SIP/2.0/WS x;branch=1\r\nFrom: <sip:a@b.c>;tag=1\r\n\
         To: <sip:d@e.f>;tag=2\r\nCall-ID: c\r\nCSeq: 7 NOTIFY\r\nEvent: presence\r\n\
         Subscription-State: active;expires=60\r\nContent-Type: application/pidf+xml\r\n\
         Max-Forwards: 70\r\nContent-Length: 4\r\n\r\n<p/>"
    );
}

#[test]
fn a_tag_is_added_to_to_once_and_only_where_none_is() {
    let tag_of = |to: &str| {
        let m = read(&with("To: <sip:alice@example.com>", to));
        let response =
            ResponseBuilder::new(&m, Status::OK).to_tag("new").header(Name::Expires, 1).build().unwrap();
        let response = Message::parse(response).unwrap();
        response.to().unwrap().tag().map(str::to_owned)
    };
    assert_eq!(tag_of("To: sip:alice@example.com").as_deref(), Some("new"));
    assert_eq!(tag_of("To: <sip:alice@example.com;tag=uri>").as_deref(), Some("new"));
    assert_eq!(tag_of("To: <sip:alice@example.com>;tag=old").as_deref(), Some("old"));
    let trying = ResponseBuilder::new(&read(SUBSCRIBE), Status::new(100).unwrap()).build().unwrap();
    assert!(text(&trying).starts_with("SIP/2.0 100 Trying\r\n"));
    assert_eq!(Message::parse(trying).unwrap().to().unwrap().tag(), None);
}

#[test]
fn dialogs_are_named_from_both_ends() {
    let request = read(&with("<sip:alice@example.com>\r\n", "<sip:alice@example.com>;tag=ours\r\n"));
    let id = DialogId::of_incoming_request(&request).unwrap();
    assert_eq!(id, DialogId::new("7kq0d2m3v9ts", "ours", "3a8kq1p0"));
    let response = Message::parse(ResponseBuilder::new(&request, Status::OK).build().unwrap()).unwrap();
    let seen_from_bob = DialogId::of_incoming_response(&response).unwrap();
    assert_eq!(seen_from_bob, DialogId::new("7kq0d2m3v9ts", "3a8kq1p0", "ours"));
}

#[test]
fn headers_of_presence_are_typed() {
    let m = read(&with(
        "Expires: 600",
        "SIP-If-Match: dx200xyz\r\nSIP-ETag: *\r\nSubscription-State: Terminated;reason=timeout;retry-after=9\r\n\
         Allow-Events: presence, presence.winfo\r\nMin-Expires: 60\r\nRetry-After: 18 (in a (short) while);duration=3600\r\n\
         Warning: 399 a.b \"x, \\\"y\\\"\", 307 isi.edu:5060 \"z\"\r\nReason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n\
         P-Asserted-Identity: \"A\" <sip:a@b.c>, <tel:+1>\r\nService-Route: <sip:p1;lr>,<sip:p2;lr>\r\nPath: <sip:p3;lr>\r\n\
         Content-Type: application/PIDF+xml ; charset = \"utf-8\"\r\nUnsupported: foo",
    ));
    assert_eq!(m.sip_if_match().unwrap().unwrap().as_str(), "dx200xyz");
    assert_eq!(m.sip_etag().unwrap().unwrap().as_str(), "*");
    let state = m.subscription_state().unwrap().unwrap();
    assert_eq!(
        (state.state, state.reason(), state.retry_after()),
        (SubState::Terminated, Some("timeout"), Some(9))
    );
    assert_eq!(m.allow_events().collect::<Vec<_>>(), ["presence", "presence.winfo"]);
    assert_eq!(m.min_expires(), Ok(Some(60)));
    let retry = m.retry_after().unwrap().unwrap();
    assert_eq!((retry.seconds, retry.params.get("duration")), (18, Some("3600")));
    let warnings: Vec<_> = m.warnings().map(|w| w.unwrap()).map(|w| (w.code, w.agent, w.text)).collect();
    assert_eq!(warnings, [(399, "a.b", r#""x, \"y\"""#), (307, "isi.edu:5060", "\"z\"")]);
    let reason = m.reasons().next().unwrap().unwrap();
    assert_eq!((reason.protocol, reason.params.get("cause")), ("SIP", Some("200")));
    assert_eq!(m.asserted_identities().count(), 2);
    assert_eq!(m.service_routes().map(|r| r.unwrap().uri).collect::<Vec<_>>(), ["sip:p1;lr", "sip:p2;lr"]);
    assert_eq!(m.paths().count(), 1);
    let media = m.content_type().unwrap().unwrap();
    assert!(media.is("application/pidf+xml"));
    assert_eq!(media.params.get("charset"), Some("utf-8"));
    assert_eq!(m.unsupported().collect::<Vec<_>>(), ["foo"]);
}

#[test]
fn an_optional_header_that_cannot_be_read_is_an_error_when_asked_for() {
    let m = read(&with(
        "Expires: 600",
        "Expires: soon\r\nMin-Expires: -1\r\nSIP-If-Match: a b\r\nWarning: 1812 overture \"In Progress\"\r\n\
         Retry-After: 949302838503028349304023988\r\nContent-Type: text\r\nSubscription-State: ;x\r\nDate: now",
    ));
    assert_eq!(m.expires().unwrap_err().name, Name::Expires);
    assert!(m.min_expires().is_err() && m.sip_if_match().is_err() && m.retry_after().is_err());
    assert!(m.warnings().next().unwrap().is_err());
    assert!(m.content_type().is_err() && m.subscription_state().is_err() && m.date().is_err());
    let m = read(&with("Max-Forwards: 69", "Max-Forwards: 256"));
    assert!(m.max_forwards().is_err());
    let m = read(&with("Event: presence;id=7", "Event: presence;;"));
    assert!(m.event().is_err());
}

#[test]
fn what_is_shown_of_a_message_holds_no_values_of_headers() {
    let shown = format!("{:?}", read(&with("Expires: 600", "Authorization: Digest response=\"secret\"")));
    assert!(shown.contains("Authorization") && !shown.contains("secret"));
}

#[test]
fn headers_of_the_edge_are_typed() {
    let text = "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\n\
                From: <sip:a@b>;tag=1;epid=0123abc\r\nTo: <sip:a@b>;epid=\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
                Require: GRUU, path\r\nRequire: x-new\r\nFlow-Timer: 120\r\n\
                Path: <sip:t@e;lr;ob>, \"E\" <sip:f@e;lr>;x=1\r\nReason: Q.850;cause=16, SIP;cause=600;text=\"\\\"\"\r\n\r\n";
    let m = Message::parse(text.into()).unwrap();
    assert_eq!(m.from().unwrap().epid(), Some("0123abc"));
    assert_eq!(m.to().unwrap().epid(), None);
    assert_eq!(m.options_beyond(Name::Require, &["gruu", "path"]).collect::<Vec<_>>(), ["x-new"]);
    assert_eq!(m.options_beyond(Name::ProxyRequire, &[]).count(), 0);
    assert_eq!(m.flow_timer(), Ok(Some(120)));
    let written: Vec<_> = m.paths().map(|path| path.unwrap().to_string()).collect();
    assert_eq!(written, ["<sip:t@e;lr;ob>", "\"E\" <sip:f@e;lr>;x=1"]);
    let causes: Vec<_> = m.reasons().map(|reason| reason.unwrap().cause()).collect();
    assert_eq!(causes, [Some(16), Some(600)]);
    assert_eq!(Reason::sip(Status::OK, "a \"b\""), "SIP;cause=200;text=\"a \\\"b\\\"\"");
}
