//! Who watches, as the page says it.

use merge_core::json::{self, Value};
use merge_core::policy::{Watcher, WatcherClass};

/// Reads `{"class","groups":[..],"aor"?}`.
///
/// # Errors
/// What is not understood, for the page's author.
pub(crate) fn read(text: &str) -> Result<Watcher, String> {
    let value = json::read(text.as_bytes()).map_err(|error| error.to_string())?;
    let string = |name| value.get(name).and_then(Value::as_str);
    let class = string("class").unwrap_or_default();
    let class = WatcherClass::of(class).ok_or_else(|| format!("no class of watchers: {class:?}"))?;
    let groups = value.get("groups").and_then(Value::as_array).unwrap_or_default();
    let mut groups: Vec<String> = groups.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    groups.sort();
    groups.dedup();
    Ok(Watcher { class, groups, aor: string("aor").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn groups_are_sorted_and_a_class_must_be_one() {
        let watcher = read(r#"{"class":"colleague","groups":["sales","ops","sales"]}"#).expect("a watcher");
        assert_eq!((watcher.class.as_str(), watcher.groups.join(" ")), ("colleague", "ops sales".to_owned()));
        assert_eq!(read(r#"{"class":"boss"}"#).expect_err("no class"), "no class of watchers: \"boss\"");
    }
}
