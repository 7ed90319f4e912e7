//! Documents: read, looked at, written, and judged by others (roxmltree, xmllint with the RFCs' schemas).

#![allow(clippy::panic, reason = "a check that fails says so")]

mod compare;
mod fixtures;
mod generate;
mod reader;
mod schema;
mod second_opinion;
mod views;
mod writer;
