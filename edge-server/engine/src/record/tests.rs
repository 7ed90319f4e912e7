use super::*;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "\\PC{0,40}"]
}

fn option() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn datagrams() -> impl Strategy<Value = Last<Datagrams>> {
    let peer = prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u16; 8], u16)>().prop_map(SocketAddr::from),
    ];
    let datagrams = (any::<u64>(), peer).prop_map(|(flow, peer)| Datagrams { flow: FlowId(flow), peer });
    prop::option::of(datagrams).prop_map(Last)
}

fn registration() -> impl Strategy<Value = Record> {
    (
        (text(), text(), text(), text(), option()),
        (any::<u16>(), any::<i64>(), text(), any::<u32>(), option(), any::<u8>()),
        (
            datagrams(),
            any::<u64>(),
            prop::collection::vec(text(), 0..3),
            prop::collection::vec((text(), text()), 0..3),
            option(),
        ),
    )
        .prop_map(
            |(
                (aor, id, contact, params, instance),
                (q_milli, expires_ms, call_id, cseq, user_agent, transport),
                (Last(datagrams), generation, path, headers, epid),
            )| {
                Record::Registration(RegistrationRecord {
                    aor,
                    id,
                    contact,
                    params,
                    instance,
                    q_milli,
                    expires_ms,
                    call_id,
                    cseq,
                    user_agent,
                    transport,
                    added: Added { datagrams, generation: NonZeroU64::new(generation), path, headers, epid },
                })
            },
        )
}

fn publication() -> impl Strategy<Value = Record> {
    (
        (any::<u64>(), text(), text(), text(), text(), option(), option(), option(), option()),
        (
            any::<i64>(),
            any::<i64>(),
            any::<i64>(),
            prop::collection::vec(any::<u8>(), 0..200),
            prop::option::of(any::<u64>()),
        ),
    )
        .prop_map(
            |((id, aor, etag, device, device_kind, label, instance, returns_as, user_agent), times)| {
                let (received_ms, first_ms, expires_ms, document, flow) = times;
                Record::Publication(PublicationRecord {
                    id,
                    aor,
                    etag,
                    device,
                    device_kind,
                    label,
                    instance,
                    returns_as,
                    user_agent,
                    received_ms,
                    first_ms,
                    expires_ms,
                    document: document.into(),
                    datagrams: Last(flow.map(FlowId)),
                })
            },
        )
}

fn subscription() -> impl Strategy<Value = Record> {
    (
        (text(), text(), text(), option(), text(), text(), text(), text()),
        (any::<u32>(), any::<u32>(), any::<i64>(), any::<u8>(), datagrams()),
    )
        .prop_map(
            |((local_tag, presentity, watcher, device, target, headers, call_id, remote_tag), numbers)| {
                let (cseq_reserved, remote_cseq, expires_ms, transport, datagrams) = numbers;
                Record::Subscription(SubscriptionRecord {
                    local_tag,
                    presentity,
                    watcher,
                    device,
                    target,
                    headers,
                    call_id,
                    remote_tag,
                    cseq_reserved,
                    remote_cseq,
                    expires_ms,
                    transport,
                    datagrams,
                })
            },
        )
}

fn record() -> impl Strategy<Value = Record> {
    prop_oneof![registration(), publication(), subscription()]
}

proptest! {
    #[test]
    fn every_record_comes_back_as_it_was(record in record()) {
        prop_assert_eq!(Record::decode(record.table(), &record.encode()), Ok(record));
    }

    #[test]
    fn no_cut_of_a_record_is_a_record(record in record(), cut in any::<prop::sample::Index>()) {
        let bytes = record.encode();
        let cut = cut.index(bytes.len());
        prop_assert!(Record::decode(record.table(), &bytes[..cut]).is_err());
    }

    #[test]
    fn no_altered_byte_goes_unnoticed(record in record(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = record.encode().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Record::decode(record.table(), &bytes).is_err());
    }

    #[test]
    fn any_bytes_with_a_right_check_sum_are_read_without_a_panic(
        body in prop::collection::vec(any::<u8>(), 0..300),
        table in prop::sample::select(Table::ALL.to_vec()),
    ) {
        // Frames a body as the writer would, by way of a publication's document.
        let framed = code::frame_for_tests(&body);
        let _ = Record::decode(table, &framed);
    }
}

#[test]
fn a_record_of_a_later_version_says_so() {
    let bytes = code::frame_of_version_for_tests(2, b"");
    assert_eq!(Record::decode(Table::Publications, &bytes), Err(RecordError::Version(2)));
}

#[test]
fn a_binding_stored_before_there_were_generations_is_read_with_its_way() {
    let datagrams = Datagrams { flow: FlowId(1 << 63 | 5), peer: ([192, 0, 2, 1], 5060).into() };
    for added in [None, Some(datagrams)] {
        let mut writer = Writer::new();
        RegistrationRecord { aor: "sip:a@b".to_owned(), ..Default::default() }.write(&mut writer);
        Last(added).write(&mut writer);
        let Ok(Record::Registration(record)) = Record::decode(Table::Registrations, &writer.finish()) else {
            panic!("{added:?}")
        };
        assert_eq!(record.added, Added { datagrams: added, ..Added::default() });
    }
}
