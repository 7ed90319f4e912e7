//! Two texts side by side, line by line: what was expected and what came.

use crate::answer::Paint;

/// More lines than this are not compared, but shown one after the other.
const MOST_LINES: usize = 2000;
/// Equal lines that are shown around a difference.
const CONTEXT: usize = 3;

/// A line of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'t> {
    Both(&'t str),
    Expected(&'t str),
    Got(&'t str),
}

/// The lines of both texts: `-` was expected and is missing, `+` came and was not expected.
pub(crate) fn diff(expected: &[String], got: &[String], paint: Paint) -> String {
    let lines = compare(expected, got);
    let near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        lines.iter().skip(from).take(at + CONTEXT + 1 - from).any(|line| !matches!(line, Line::Both(_)))
    };
    let mut out = String::new();
    let mut left_out = false;
    for (at, line) in lines.iter().enumerate() {
        if !near(at) {
            if !left_out {
                out.push_str("      ...\n");
            }
            left_out = true;
            continue;
        }
        left_out = false;
        let line = match line {
            Line::Both(text) => format!("      {text}"),
            Line::Expected(text) => paint.bad(&format!("    - {text}")),
            Line::Got(text) => paint.good(&format!("    + {text}")),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The longest common subsequence, by the usual table.
fn compare<'t>(expected: &'t [String], got: &'t [String]) -> Vec<Line<'t>> {
    if expected.len().max(got.len()) > MOST_LINES {
        let expected = expected.iter().map(|line| Line::Expected(line));
        return expected.chain(got.iter().map(|line| Line::Got(line))).collect();
    }
    let width = got.len() + 1;
    // longest[i][j] of the lines from i and j on. Both are at most MOST_LINES, so a u16 holds it.
    let mut longest = vec![0_u16; (expected.len() + 1) * width];
    for (i, a) in expected.iter().enumerate().rev() {
        for (j, b) in got.iter().enumerate().rev() {
            longest[i * width + j] = if a == b {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    loop {
        match (expected.get(i), got.get(j)) {
            (None, None) => return out,
            (Some(a), Some(b)) if a == b => {
                out.push(Line::Both(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || longest[(i + 1) * width + j] >= longest[i * width + j + 1] => {
                out.push(Line::Expected(a));
                i += 1;
            }
            (_, Some(b)) => {
                out.push(Line::Got(b));
                j += 1;
            }
            // The arm above takes what is expected where nothing more came.
            (Some(_), None) => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &str, got: &str, shown: &str) {
        let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let out = diff(&lines(expected), &lines(got), Paint::default());
        let out: Vec<String> = out.lines().map(|line| line.trim().replace(' ', "")).collect();
        assert_eq!(out.join(" "), shown);
    }

    #[test]
    fn a_difference_stands_between_the_lines_that_both_have() {
        check("a b c", "a x c", "a -b +x c");
        check("a b", "a b c", "a b +c");
        check("a b c", "b c", "-a b c");
        check("", "a", "+a");
        check("a", "", "-a");
        check("1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 x", "... 6 7 8 -9 +x");
    }
}
