//! Making an input small that shows a fault: what can be left out is.

use merge_core::json::Value;

use crate::load::written;

/// Questions asked at most, so that a slow policy does not take for ever.
const MOST_TRIES: usize = 2000;

/// The smallest input found by leaving members and items out one after the other, of which `fails` still
/// holds.
pub(crate) fn shrink<'v>(value: Value<'v>, mut fails: impl FnMut(&[u8]) -> bool) -> Value<'v> {
    let mut best = value;
    let mut tries = 0;
    loop {
        let mut places = Vec::new();
        collect(&best, &mut Vec::new(), &mut places);
        let before = tries;
        let mut shrunk = false;
        // From behind, so that leaving one out moves none of those that come.
        for place in places.iter().rev() {
            if tries >= MOST_TRIES {
                return best;
            }
            let mut smaller = best.clone();
            if !remove(&mut smaller, place) {
                continue;
            }
            tries += 1;
            if fails(written(&smaller).as_bytes()) {
                best = smaller;
                shrunk = true;
            }
        }
        if !shrunk || tries == before {
            return best;
        }
    }
}

/// The place of every member and item, as positions from the outside in.
fn collect(value: &Value<'_>, at: &mut Vec<usize>, places: &mut Vec<Vec<usize>>) {
    let children: Vec<&Value<'_>> = match value {
        Value::Object(members) => members.iter().map(|member| &member.value).collect(),
        Value::Array(items) => items.iter().collect(),
        _ => return,
    };
    for (position, child) in children.into_iter().enumerate() {
        at.push(position);
        places.push(at.clone());
        collect(child, at, places);
        at.pop();
    }
}

/// Takes out what stands at `place`; false where nothing does any more, or the contract has it there always.
fn remove(value: &mut Value<'_>, place: &[usize]) -> bool {
    let Some((&last, way)) = place.split_last() else { return false };
    let mut parent = value;
    for &step in way {
        let child = match parent {
            Value::Object(members) => members.get_mut(step).map(|member| &mut member.value),
            Value::Array(items) => items.get_mut(step),
            _ => None,
        };
        let Some(child) = child else { return false };
        parent = child;
    }
    match parent {
        Value::Object(members) if last < members.len() => {
            let always = way.is_empty() && ["abi", "minor", "publications"].contains(&&*members[last].name);
            if always {
                return false;
            }
            members.remove(last);
            true
        }
        Value::Array(items) if last < items.len() => {
            items.remove(last);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use merge_core::json::read;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let input = br#"{"abi":1,"a":{"b":[1,2,3],"c":4},"publications":[{"x":1},{"y":[5]}],"d":6}"#;
        let small = shrink(read(input).unwrap(), |input| String::from_utf8_lossy(input).contains('2'));
        assert_eq!(written(&small), r#"{"abi":1,"a":{"b":[2]},"publications":[]}"#);
    }

    #[test]
    fn what_fails_by_itself_keeps_what_every_input_has() {
        let small = shrink(read(br#"{"abi":1,"minor":0,"publications":[],"x":[[]]}"#).unwrap(), |_| true);
        assert_eq!(written(&small), r#"{"abi":1,"minor":0,"publications":[]}"#);
    }
}
