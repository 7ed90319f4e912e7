//! `TRIBUTARY_SECTION_KEY` variables: each replaces one key of the file.

use super::{Config, ConfigError, Problem, misread};

/// Variables with this beginning are settings.
const PREFIX: &str = "TRIBUTARY_";

/// Applies the settings among `variables` to `config`, which was read from `text`.
pub(crate) fn apply(
    config: Config,
    text: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut settings: Vec<(String, String)> =
        variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    if settings.is_empty() {
        return Ok(config);
    }
    settings.sort();
    let Ok(mut table) = text.parse::<toml::Table>() else { return Ok(config) };
    let mut config = config;
    let mut problems = Vec::new();
    for (variable, value) in settings {
        let Some((section, key)) = target(&variable) else {
            problems.push(problem(
                &variable,
                "no setting has this name".to_owned(),
                "names are TRIBUTARY_SECTION_KEY, such as TRIBUTARY_SERVER_LISTEN; see docs/configuration.md",
            ));
            continue;
        };
        match with(&table, section, key, &value) {
            Ok((changed, read)) => {
                table = changed;
                config = read;
            }
            Err(said) => {
                let (message, fix) = misread::in_words(&format!("{section}.{key}"), &value, &said);
                problems.push(problem(&variable, message, &fix));
            }
        }
    }
    if problems.is_empty() { Ok(config) } else { Err(ConfigError { file: None, problems }) }
}

fn problem(variable: &str, message: String, fix: &str) -> Problem {
    Problem { line: None, key: variable.to_owned(), message, fix: fix.to_owned() }
}

/// The section and key that a variable names.
fn target(variable: &str) -> Option<(&'static str, &'static str)> {
    let name = variable.strip_prefix(PREFIX)?.to_ascii_lowercase();
    Config::sections().into_iter().filter(|section| !section.repeated).find_map(|section| {
        let key = name.strip_prefix(section.name)?.strip_prefix('_')?;
        let key = section.keys.iter().find(|known| known.name == key)?.name;
        Some((section.name, key))
    })
}

/// `table` with one key replaced, and the configuration that it then holds. A value is read as
/// TOML first and as a bare text second, so that `8`, `true`, `["a"]` and `plain words` all work.
fn with(table: &toml::Table, section: &str, key: &str, value: &str) -> Result<(toml::Table, Config), String> {
    let typed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut parsed| parsed.remove("v"));
    let text = toml::Value::String(value.to_owned());
    let mut failure = String::new();
    for candidate in [typed, Some(text)].into_iter().flatten() {
        let mut changed = table.clone();
        let entry = changed.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if let Some(inner) = entry.as_table_mut() {
            inner.insert(key.to_owned(), candidate);
        }
        match changed.clone().try_into::<Config>() {
            Ok(config) => return Ok((changed, config)),
            Err(error) if failure.is_empty() => failure = error.message().to_owned(),
            Err(_) => {}
        }
    }
    Err(failure)
}
