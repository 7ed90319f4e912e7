//! What the README of the rules shows is what compiles.

#[allow(dead_code, unused_attributes, reason = "it is a crate of its own where it is used, with exports")]
#[path = "readme/newest.rs"]
mod newest;

#[test]
fn the_policy_of_the_readme_is_the_one_that_is_compiled_here() {
    let shown = concat!("```rust\n", include_str!("readme/newest.rs"), "```\n");
    assert!(include_str!("../../README.md").contains(shown), "wasm-rules/README.md shows another policy");
}
