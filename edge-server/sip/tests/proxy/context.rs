//! The response context, by requirement; and every order of events for three branches.

use tributary_sip::proxy::context::{Action, Context, Device, Input, Rules};
use tributary_sip::proxy::{Disposition, ForkPolicy, MOST_BREADTH, Order};
use tributary_sip::{Message, Status};

/// An answer in these tests: its branch and its status.
type Answer = (u32, u16);

const INVITE: Rules = Rules { invite: true, no_cancel: false, authoritative: true, breadth: MOST_BREADTH };
const MESSAGE: Rules = Rules { invite: false, ..INVITE };

/// A context and all that it wanted, as words.
struct Proxy {
    context: Context<Answer>,
    told: Vec<String>,
}

impl Proxy {
    /// Groups are parted by `|`, devices by spaces, the contacts of one by `/`.
    fn new(rules: Rules, groups: &str) -> Proxy {
        let device = |text: &str| Device { contacts: text.split('/').map(|n| n.parse().unwrap()).collect() };
        let group = |text: &str| text.split_whitespace().map(device).collect();
        let mut actions = Vec::new();
        let context = Context::begin(rules, groups.split('|').map(group).collect(), &mut actions);
        Proxy { context, told: actions.iter().map(tell).collect() }
    }

    fn take(&mut self, input: Input<Answer>) {
        let mut actions = Vec::new();
        self.context.handle(input, &mut actions);
        self.told.extend(actions.iter().map(tell));
    }

    fn answer(&mut self, branch: u32, code: u16) {
        self.take(Input::Response { branch, status: status(code), response: (branch, code) });
    }
}

fn status(code: u16) -> Status {
    Status::new(code).unwrap()
}

fn tell(action: &Action<Answer>) -> String {
    match action {
        Action::Start { branch, contact, .. } => format!("start {branch}:{contact}"),
        Action::Relay((branch, code)) => format!("relay {branch}:{code}"),
        Action::Answer { best: (branch, code), challenges } if challenges.is_empty() => {
            format!("answer {branch}:{code}")
        }
        Action::Answer { best: (branch, code), challenges } => {
            format!("answer {branch}:{code} with {challenges:?}")
        }
        Action::Refuse(status) => format!("refuse {}", status.code()),
        Action::Cancel { branch, reason } => match reason {
            Some(reason) => format!("cancel {branch} {reason}"),
            None => format!("cancel {branch}"),
        },
    }
}

/// What a context says to a script: `1:180` an answer, `1-408` a failure, `cancel`, `cancel=R`,
/// `left 1`, `enough`.
fn check(rules: Rules, groups: &str, script: &str, expect: &[&str]) {
    let mut proxy = Proxy::new(rules, groups);
    for word in script.split(", ").filter(|word| !word.is_empty()) {
        if let Some((branch, code)) = word.split_once(':') {
            proxy.answer(branch.parse().unwrap(), code.parse().unwrap());
        } else if let Some((branch, code)) = word.split_once('-') {
            let status = status(code.parse().unwrap());
            proxy.take(Input::Failed { branch: branch.parse().unwrap(), status });
        } else if let Some(branch) = word.strip_prefix("left ") {
            proxy.take(Input::Withdrawn { branch: branch.parse().unwrap() });
        } else if word == "enough" {
            proxy.take(Input::Enough);
        } else {
            let reason = word.strip_prefix("cancel=").map(Box::from);
            proxy.take(Input::Cancel { reason });
        }
    }
    assert_eq!(proxy.told, expect, "{groups}: {script}");
}

const THREE: [&str; 3] = ["start 0:0", "start 1:1", "start 2:2"];

/// [`check`] for an INVITE to three devices at the same time; without their starts.
fn three(script: &str, expect: &[&str]) {
    check(INVITE, "0 1 2", script, &[&THREE[..], expect].concat());
}

const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

#[test]
fn r1_three_devices_ring_at_the_same_time() {
    three("0:100, 1:180, 2:183", &["relay 1:180", "relay 2:183"]);
}

#[test]
fn r2_the_first_2xx_goes_back_at_once_and_the_others_are_cancelled_with_the_reason() {
    let cancel = |branch: u32| format!("cancel {branch} {ELSEWHERE}");
    three("1:180, 1:200, 0:487, 2:487", &["relay 1:180", "relay 1:200", &cancel(0), &cancel(2)]);
    // One that has ended is not cancelled.
    three("0:486, 1:200", &["relay 1:200", &cancel(2)]);
}

#[test]
fn r3_a_second_2xx_goes_back_too_and_so_do_repetitions() {
    let (zero, two) = (format!("cancel 0 {ELSEWHERE}"), format!("cancel 2 {ELSEWHERE}"));
    three("1:200, 2:200, 1:200, 0:487", &["relay 1:200", &zero, &two, "relay 2:200", "relay 1:200"]);
}

#[test]
fn r4_a_6xx_cancels_all_and_goes_back_when_the_branches_have_ended() {
    let decline = "SIP;cause=603;text=\"Decline\"";
    let (zero, two) = (format!("cancel 0 {decline}"), format!("cancel 2 {decline}"));
    three("1:603, 0:487, 2:487", &[&zero, &two, "answer 1:603"]);
    three("1:603, 0:200, 2:487", &[&zero, &two, "relay 0:200"]);
    three("1:603, 0:600, 2-408", &[&zero, &two, "answer 1:603"]);
    check(INVITE, "0 | 1", "0:603", &["start 0:0", "answer 0:603"]);
}

#[test]
fn r4_else_the_lowest_class_and_in_it_what_the_caller_can_mend() {
    three("0:503, 1:404, 2:302", &["answer 2:302"]);
    three("0:503, 1:500, 2:486", &["answer 2:486"]);
    three("0:404, 1:484, 2:486", &["answer 1:484"]);
    three("0:486, 1:404, 2:408", &["answer 0:486"]);
    three("0:482, 1:480, 2:603", &["answer 2:603"]);
    three("0:503, 1:500, 2:503", &["answer 1:500"]);
}

#[test]
fn r4_challenges_are_merged() {
    three("0:407, 1:404, 2:401", &["answer 0:407 with [(2, 401)]"]);
    three("0:404, 1:401, 2:407", &["answer 1:401 with [(2, 407)]"]);
    let decline = "SIP;cause=600;text=\"Busy Everywhere\"";
    three("0:407, 1:401, 2:600", &["answer 2:600"]);
    three("0:407, 1:600, 2:401", &[&format!("cancel 2 {decline}"), "answer 1:600"]);
}

#[test]
fn r4_a_lone_503_becomes_500_and_no_answer_408() {
    check(INVITE, "0", "0:503", &["start 0:0", "refuse 500"]);
    three("0-503, 1:503, 2-503", &["refuse 500"]);
    three("0-408, 1-408, 2-408", &["refuse 408"]);
    three("0-503, 1-408, 2-503", &["refuse 408"]);
}

#[test]
fn r4_a_cancel_of_the_caller_cancels_all_branches_with_its_reason() {
    let reason = "SIP;cause=600";
    let cancels = ["cancel 1 SIP;cause=600", "cancel 2 SIP;cause=600"];
    let (one, two) = (cancels[0], cancels[1]);
    three(&format!("0:486, cancel={reason}, 1:487, 2:487"), &[one, two, "answer 1:487"]);
    three("cancel, 0:487, 1:200, 2:487", &["cancel 0", "cancel 1", "cancel 2", "relay 1:200"]);
    // 9.1: who does not answer the CANCEL has heard it.
    check(INVITE, "0 | 1", "cancel, 0-408", &["start 0:0", "cancel 0", "refuse 487"]);
    check(INVITE, "0", "cancel, cancel, 0:487", &["start 0:0", "cancel 0", "answer 0:487"]);
}

#[test]
fn r8_the_next_group_follows_a_refusal_or_patience_and_nothing_follows_a_2xx() {
    check(
        INVITE,
        "0 | 1 2",
        "0:486, 1:200",
        &["start 0:0", "start 1:1", "start 2:2", "relay 1:200", &format!("cancel 2 {ELSEWHERE}")],
    );
    let late = "SIP;cause=408;text=\"Request Timeout\"";
    check(
        INVITE,
        "0 | 1",
        "0:180, enough, 0:487, 1:404",
        &["start 0:0", "relay 0:180", &format!("cancel 0 {late}"), "start 1:1", "answer 1:404"],
    );
    // It may still be taken.
    check(
        INVITE,
        "0 | 1",
        "0:180, enough, 0:200",
        &["start 0:0", "relay 0:180", &format!("cancel 0 {late}"), "relay 0:200"],
    );
    check(
        INVITE,
        "0",
        "0:180, enough, 0:487",
        &["start 0:0", "relay 0:180", &format!("cancel 0 {late}"), "refuse 408"],
    );
}

#[test]
fn r8_no_cancel_leaves_the_others_ringing_after_a_2xx_but_not_after_a_6xx() {
    let rules = Rules { no_cancel: true, ..INVITE };
    check(rules, "0 1 | 2", "0:200, 1:180, 1:200", &["start 0:0", "start 1:1", "relay 0:200", "relay 1:200"]);
    let decline = "cancel 1 SIP;cause=603;text=\"Decline\"";
    check(rules, "0 1 | 2", "0:603, 1:487", &["start 0:0", "start 1:1", decline, "answer 0:603"]);
}

#[test]
fn r12_another_request_gets_exactly_one_final_answer_and_no_cancel() {
    let starts = |rest: &[&'static str]| [&THREE[..], rest].concat();
    check(MESSAGE, "0 1 2", "0:100, 1:180, 1:200, 2:200, 0:202, 0:202", &starts(&["relay 1:200"]));
    check(MESSAGE, "0 1 2", "0:603, 1:404, 2:200", &starts(&["relay 2:200"]));
    check(MESSAGE, "0 1 2", "0:603, 1:404, 2:405", &starts(&["answer 0:603"]));
    // Patience leaves them to themselves; a late success is better than none.
    check(MESSAGE, "0 1 2", "0:404, enough, 1:200", &starts(&["answer 0:404"]));
    check(MESSAGE, "0 | 1", "enough, 0:200, 1:404", &["start 0:0", "start 1:1", "relay 0:200"]);
}

#[test]
fn r14_another_flow_of_a_device_is_tried_when_one_failed_and_nothing_rang() {
    check(
        INVITE,
        "0/1/2 3",
        "0:430, 2-503, 3:200",
        &[
            "start 0:0",
            "start 1:3",
            "start 2:1",
            "start 3:2",
            "relay 3:200",
            &format!("cancel 1 {ELSEWHERE}"),
        ],
    );
    check(INVITE, "0/1", "0-408, 1:430", &["start 0:0", "start 1:1", "refuse 480"]);
    check(INVITE, "0/1", "0:180, 0-408", &["start 0:0", "relay 0:180", "refuse 408"]);
    check(INVITE, "0/1", "0:404", &["start 0:0", "answer 0:404"]);
    check(INVITE, "0/1", "0:503", &["start 0:0", "refuse 500"]);
    check(INVITE, "0/1", "cancel, 0:430", &["start 0:0", "cancel 0", "refuse 480"]);
}

#[test]
fn rfc_5626_11_5_an_edge_lets_430_through() {
    check(Rules { authoritative: false, ..INVITE }, "0", "0:430", &["start 0:0", "answer 0:430"]);
}

#[test]
fn r23_a_device_that_leaves_is_cancelled_and_its_caller_told_that_it_is_not_there() {
    let gone = "SIP;cause=480;text=\"Temporarily Unavailable\"";
    let cancel = format!("cancel 0 {gone}");
    check(INVITE, "0/7", "0:180, left 0, 0:487", &["start 0:0", "relay 0:180", &cancel, "refuse 480"]);
    check(MESSAGE, "0 1", "left 0, 1:200", &["start 0:0", "start 1:1", "relay 1:200"]);
}

#[test]
fn without_anybody_to_try_it_is_480() {
    for groups in ["", "|", " | | "] {
        check(INVITE, groups, "", &["refuse 480"]);
    }
}

#[test]
fn r5_breadth_is_shared_out_and_given_back_and_too_little_is_440() {
    let mut actions = Vec::new();
    let devices = |contacts: &[usize]| contacts.iter().map(|&n| Device { contacts: vec![n] }).collect();
    let rules = Rules { breadth: 3, ..INVITE };
    let mut context = Context::begin(rules, vec![devices(&[0, 1]), devices(&[2])], &mut actions);
    for branch in [0, 1] {
        context
            .handle(Input::Response { branch, status: status(486), response: (branch, 486) }, &mut actions);
    }
    let shares = actions.iter().map(|action| match action {
        Action::Start { branch, breadth, .. } => (*branch, *breadth),
        other => panic!("{other:?}"),
    });
    assert_eq!(shares.collect::<Vec<_>>(), [(0, 2), (1, 1), (2, 3)]);
    check(rules, "0 1 2 3", "", &["refuse 440"]);
    check(Rules { breadth: 0, ..INVITE }, "0", "", &["refuse 440"]);
    // What is given up but not over has its share still.
    check(Rules { breadth: 1, ..MESSAGE }, "0 | 1", "enough", &["start 0:0", "refuse 440"]);
    check(
        Rules { breadth: 2, ..MESSAGE },
        "0 | 1",
        "enough, 1:200",
        &["start 0:0", "start 1:1", "relay 1:200"],
    );
}

#[test]
fn nothing_said_about_branches_that_do_not_exist_does_harm() {
    let mut proxy = Proxy::new(INVITE, "0");
    for code in [180, 200, 404, 600] {
        proxy.answer(7, code);
    }
    proxy.take(Input::Failed { branch: u32::MAX, status: status(408) });
    proxy.take(Input::Withdrawn { branch: 3 });
    assert_eq!(proxy.told, ["start 0:0"]);
}

#[test]
fn r8_the_disposition_makes_the_groups() {
    let read = |value: &str| {
        let text = format!(
            "INVITE sip:b@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@a>;tag=a\r\n\
             To: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{value}Content-Length: 0\r\n\r\n"
        );
        Disposition::of(&Message::parse(text.into()).unwrap())
    };
    let check = |value: &str, expect: &str| {
        let ranked = [(5, 0), (5, 1), (2, 2), (1, 3), (1, 4)];
        let ranked = ranked.map(|(rank, contact)| (rank, Device { contacts: vec![contact] }));
        let groups = read(value).groups(ranked);
        let names = |group: &Vec<Device>| {
            group.iter().map(|device| device.contacts[0].to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(groups.iter().map(names).collect::<Vec<_>>().join(" | "), expect, "{value}");
    };
    check("", "0 1 | 2 | 3 4");
    check("Request-Disposition: proxy, queue\r\n", "0 1 | 2 | 3 4");
    check("d: PARALLEL\r\n", "0 1 2 3 4");
    check("d: no-queue, sequential\r\n", "0 | 1 | 2 | 3 | 4");
    check("d: fork, no-fork, parallel, sequential\r\n", "0 1 2 3 4");
    check("Request-Disposition: no-fork\r\n", "0");
    check("d: what, ,;\r\nd: no-fork\r\n", "0");
    let odd = read("d: redirect, no-cancel\r\n");
    assert_eq!(odd, Disposition { redirect: true, no_cancel: true, no_fork: false, order: Order::ByRank });
}

#[test]
fn r9_devices_that_cannot_be_forked_to_by_policy() {
    // Three devices in the order of preference: 1 can be one of several, 0 cannot.
    for (can, all, exclude, all_or_best) in [
        ("111", "012", "012", "012"),
        ("110", "012", "01", "0"),
        ("101", "012", "02", "0"),
        ("100", "012", "0", "0"),
        ("011", "012", "12", "0"),
        ("010", "012", "1", "0"),
        ("001", "012", "2", "0"),
        ("000", "012", "0", "0"),
        // Alone it is used.
        ("0", "0", "0", "0"),
        ("", "", "", ""),
    ] {
        let devices: Vec<(usize, bool)> = can.chars().map(|can| can == '1').enumerate().collect();
        let left = |policy: ForkPolicy| {
            let left = policy.apply(devices.clone(), |(_, can)| *can);
            left.iter().map(|(at, _)| at.to_string()).collect::<String>()
        };
        assert_eq!(left(ForkPolicy::All), all, "{can}");
        assert_eq!(left(ForkPolicy::Exclude), exclude, "{can}");
        assert_eq!(left(ForkPolicy::AllOrBest), all_or_best, "{can}");
    }
}

/// What three devices, and the caller, may still do.
#[derive(Clone)]
struct World {
    context: Context<Answer>,
    rules: Rules,
    /// By branch: whether it rang, whether it has ended, whether it was told to stop.
    branches: Vec<(bool, bool, bool)>,
    cancelled: bool,
    /// What the caller got.
    finals: Vec<u16>,
    /// Final answers that devices gave, in order.
    given: Vec<u16>,
    starts_after_the_end: bool,
}

impl World {
    fn new(rules: Rules, groups: Vec<Vec<Device>>) -> World {
        let mut actions = Vec::new();
        let context = Context::begin(rules, groups, &mut actions);
        let mut world = World {
            context,
            rules,
            branches: Vec::new(),
            cancelled: false,
            finals: Vec::new(),
            given: Vec::new(),
            starts_after_the_end: false,
        };
        world.obey(actions);
        world
    }

    fn obey(&mut self, actions: Vec<Action<Answer>>) {
        for action in actions {
            match action {
                Action::Start { branch, .. } => {
                    assert_eq!(branch as usize, self.branches.len());
                    let over = self.cancelled || self.given.iter().any(|code| matches!(code, 200 | 603));
                    self.starts_after_the_end |= over;
                    self.branches.push((false, false, false));
                }
                Action::Cancel { branch, .. } => {
                    let (_, ended, told) = &mut self.branches[branch as usize];
                    assert!(self.rules.invite && !*ended && !*told, "one CANCEL, of what is open");
                    *told = true;
                }
                Action::Relay((_, code)) if code < 200 => assert!(self.finals.is_empty()),
                Action::Relay((_, code)) | Action::Answer { best: (_, code), .. } => self.finals.push(code),
                Action::Refuse(status) => self.finals.push(status.code()),
            }
            if self.finals.last().is_some_and(|&code| code >= 300) {
                assert!(self.branches.iter().all(|&(_, ended, _)| ended), "a refusal is last");
            }
        }
    }

    fn step(&self, input: Input<Answer>) -> World {
        let mut next = self.clone();
        let mut actions = Vec::new();
        next.context.handle(input, &mut actions);
        next.obey(actions);
        next
    }

    /// All that may happen next.
    fn futures(&self) -> Vec<World> {
        let mut futures = Vec::new();
        if !self.cancelled && self.rules.invite && self.finals.is_empty() {
            let mut cancelled = self.clone();
            cancelled.cancelled = true;
            futures.push(cancelled.step(Input::Cancel { reason: None }));
        }
        for (branch, &(rang, ended, told)) in self.branches.iter().enumerate() {
            if ended {
                continue;
            }
            let mut answer = |code: u16| {
                let mut next = self.clone();
                let branch_state = &mut next.branches[branch];
                branch_state.0 |= code < 200;
                branch_state.1 |= code >= 200;
                if code >= 200 {
                    next.given.push(code);
                }
                let (status, branch) = (status(code), branch as u32);
                let input = Input::Response { branch, status, response: (branch, code) };
                futures.push(next.step(input));
            };
            if !rang {
                answer(180);
            }
            // 487 only from who was told to stop, which is who has rung: the CANCEL waits for that.
            let finals: &[u16] = if told && rang { &[487, 200] } else { &[200, 486, 603] };
            finals.iter().copied().for_each(&mut answer);
            let mut failed = self.clone();
            failed.branches[branch].1 = true;
            // A CANCEL that nobody heard counts as heard.
            failed.given.push(if told { 487 } else { 408 });
            futures.push(failed.step(Input::Failed { branch: branch as u32, status: status(408) }));
        }
        futures
    }

    fn check(&self) {
        assert!(self.context.is_over(), "every branch ends, and the caller knows");
        assert!(!self.starts_after_the_end);
        let accepted = self.given.iter().filter(|&&code| code == 200).count();
        let expect: Vec<u16> = match accepted {
            0 if self.given.contains(&603) => vec![603],
            0 if self.given.contains(&487) => vec![487],
            0 if self.given.contains(&486) => vec![486],
            0 => vec![408],
            _ if self.rules.invite => vec![200; accepted],
            _ => vec![200],
        };
        assert_eq!(self.finals, expect, "{:?}", self.given);
    }

    /// Lives all futures to their ends; how many there were.
    fn live(&self) -> u64 {
        let futures = self.futures();
        if self.branches.iter().all(|&(_, ended, _)| ended) {
            self.check();
            return 1;
        }
        futures.iter().map(World::live).sum()
    }
}

#[test]
fn in_every_order_of_events_the_caller_gets_one_refusal_or_every_2xx() {
    let devices = |contacts: &[usize]| contacts.iter().map(|&n| Device { contacts: vec![n] }).collect();
    let lived = |rules, groups: &[&[usize]]| {
        World::new(rules, groups.iter().map(|group| devices(group)).collect()).live()
    };
    let ends = [
        lived(INVITE, &[&[0, 1, 2]]),
        lived(INVITE, &[&[0], &[1], &[2]]),
        lived(INVITE, &[&[0, 1], &[2]]),
        lived(Rules { no_cancel: true, ..INVITE }, &[&[0, 1]]),
        lived(MESSAGE, &[&[0, 1], &[2]]),
    ];
    // So that nobody narrows the world by mistake: over 46,000 futures of three devices.
    assert!(ends[0] > 40_000 && ends.iter().all(|&ends| ends > 300), "{ends:?}");
}
