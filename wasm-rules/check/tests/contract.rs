//! CONTRACT.md repeats two tables of the code; here they are compared. `UPDATE_CONTRACT=1` writes
//! the document's copies anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is missing")]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use merge_core::policy::limits;

fn limits_table() -> String {
    let mut out = String::from("| limit | value | unit | code |\n|---|---|---|---|\n");
    for limit in limits::TABLE {
        writeln!(out, "| {} | {} | {} | {} |", limit.name, limit.value, limit.unit, limit.code).unwrap();
    }
    out
}

fn codes_table() -> String {
    let mut out = String::from("| code | meaning | found in |\n|---|---|---|\n");
    for row in policy_check::CODES {
        writeln!(out, "| {} | {} | {} |", row.code, row.meaning, row.phase.as_str()).unwrap();
    }
    out
}

fn check_table(mark: &str, table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRACT.md");
    let text = fs::read_to_string(&file).unwrap();
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let start = text.find(&open).unwrap() + open.len();
    let end = text.find(&close).unwrap();
    if std::env::var_os("UPDATE_CONTRACT").is_some() {
        fs::write(&file, format!("{}{table}{}", &text[..start], &text[end..])).unwrap();
        return;
    }
    assert_eq!(&text[start..end], table, "CONTRACT.md and the code's table differ");
}

#[test]
fn the_contracts_tables_are_those_of_the_code() {
    check_table("limits", &limits_table());
    check_table("codes", &codes_table());
}

#[test]
fn the_contract_names_each_activity() {
    let contract = include_str!("../../CONTRACT.md");
    let list = contract.split("- The activities of RFC 4480 are ").nth(1).unwrap().split('.').next().unwrap();
    let named: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, merge_core::tokens::ACTIVITIES);
}

#[test]
fn each_limit_names_a_code_that_exists() {
    for limit in limits::TABLE.iter().filter(|limit| !limit.code.is_empty()) {
        assert!(policy_check::find_code(limit.code).is_some(), "{}", limit.name);
    }
}

#[test]
fn codes_are_in_order_and_given_once() {
    assert!(policy_check::CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
}
