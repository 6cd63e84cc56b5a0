//! What a store knows, as text.

use super::names::{clip, counted, name, plural};
use crate::render::printer::Printer;
use crate::render::table::Table;
use crate::report::{
    GroupHistory, GroupState, History, HistoryAnswer, Mark, RecordedGroup, Regression, Trend,
};
use std::io::{self, Write};

/// How many of its dumps a group shows.
const DUMPS: usize = 10;
/// How many days a sparkline has at most.
const SPARKS: usize = 60;
/// How wide the longest bar of a day is, in characters.
const BAR: usize = 40;
/// How long an id, a time, a name of a machine or a version is shown.
const SHORT: usize = 40;
/// How long a title is shown.
const TITLE: usize = 100;

/// Writes what a store answers as text.
///
/// # Errors
/// Those of `out`.
pub fn history(answer: &HistoryAnswer, colour: bool, out: impl Write) -> io::Result<()> {
    let mut p = Printer::new(out, colour);
    match answer {
        HistoryAnswer::Groups(history) => groups(&mut p, history)?,
        HistoryAnswer::Group(group) => whole(&mut p, group)?,
        HistoryAnswer::Trend(trend) => days(&mut p, trend)?,
        HistoryAnswer::Marked(marked) => heading(&mut p, &marked.group)?,
    }
    p.flush()
}

fn groups<W: Write>(p: &mut Printer<W>, history: &History) -> io::Result<()> {
    let all = history.groups.len() + history.more;
    let summary =
        format!("{} in {}: {}", plural(all, "group"), plural(history.runs, "run"), name(&history.store));
    p.paint(p.styles.summary, summary)?;
    writeln!(p)?;
    if history.groups.is_empty() {
        return Ok(());
    }
    writeln!(p)?;
    let mut table = Table::new(vec!["Dumps", "Runs", "State", "First seen", "Last seen", "Group", "Title"]);
    for group in &history.groups {
        table.add(vec![
            group.count.to_string(),
            group.runs.to_string(),
            state(group.state).to_owned(),
            seen(&group.first_seen),
            seen(&group.last_seen),
            clip(&group.id, SHORT),
            clip(&group.title, TITLE),
        ]);
    }
    table.print(p)?;
    if history.more > 0 {
        writeln!(p, "... and {}", plural(history.more, "further group"))?;
    }
    Ok(())
}

fn heading<W: Write>(p: &mut Printer<W>, group: &RecordedGroup) -> io::Result<()> {
    let style = if group.state == GroupState::Regressed { p.styles.crashed } else { p.styles.remark };
    p.paint(style, state(group.state))?;
    write!(p, "  ")?;
    p.paint(p.styles.heading, name(&group.title))?;
    writeln!(p)?;
    p.indented("    ", |p| {
        let (first, last) = (seen(&group.first_seen), seen(&group.last_seen));
        writeln!(p, "{} in {}, {first} to {last}", plural(group.count, "dump"), plural(group.runs, "run"))?;
        if let Some(held) = &group.mark {
            writeln!(p, "{}", mark(held))?;
        }
        if let Some(Regression { count, first_seen, releases }) = &group.regression {
            let of = match releases.is_empty() {
                true => String::new(),
                false => format!("; releases {}", counted(releases, 4, 0)),
            };
            writeln!(p, "seen again since {}: {}{of}", seen(first_seen), plural(*count, "dump"))?;
        }
        p.paint(p.styles.remark, format!("group {}", name(&group.id)))?;
        writeln!(p)
    })
}

fn whole<W: Write>(p: &mut Printer<W>, whole: &GroupHistory) -> io::Result<()> {
    heading(p, &whole.group)?;
    p.indented("    ", |p| {
        if !whole.summary.is_empty() {
            writeln!(p, "{}", name(&whole.summary))?;
        }
        for (what, values) in [
            ("Python", &whole.versions),
            ("on", &whole.hosts),
            ("releases", &whole.releases),
            ("fingerprints", &whole.fingerprints),
        ] {
            if !values.is_empty() {
                writeln!(p, "{what} {}", counted(values, 6, 0))?;
            }
        }
        if !whole.joined.is_empty() {
            let joined: Vec<String> = whole.joined.iter().take(6).map(|id| clip(id, SHORT)).collect();
            writeln!(p, "also known as {}", joined.join(", "))?;
        }
        for earlier in whole.marks.iter().skip(1) {
            writeln!(p, "before: {}", mark(earlier))?;
        }
        let most = whole.days.iter().map(|day| day.count).max().unwrap_or_default();
        for day in whole.days.iter().rev().take(14).rev() {
            writeln!(p, "{}  {:>6}  {}", clip(&day.value, SHORT), day.count, bar(day.count, most))?;
        }
        for dump in whole.dumps.iter().take(DUMPS) {
            let of = |text: &Option<String>| text.as_deref().map(|text| format!(", {}", clip(text, SHORT)));
            let (host, python) = (of(&dump.host).unwrap_or_default(), of(&dump.python).unwrap_or_default());
            write!(p, "dump ")?;
            p.paint(p.styles.place, name(&dump.path))?;
            writeln!(p, " ({}{host}{python})", seen(&dump.seen))?;
        }
        let further = whole.dumps.len().saturating_sub(DUMPS).saturating_add(whole.more);
        if further > 0 {
            writeln!(p, "... and {}", plural(further, "further dump"))?;
        }
        Ok(())
    })?;
    if !whole.text.is_empty() {
        writeln!(p)?;
        p.indented("    ", |p| writeln!(p, "{}", whole.text.trim_end()))?;
    }
    Ok(())
}

fn days<W: Write>(p: &mut Printer<W>, trend: &Trend) -> io::Result<()> {
    let total: usize = trend.days.iter().map(|day| day.dumps).sum();
    let before: usize = trend.groups.iter().map(|group| group.before).sum();
    let more = if trend.more > 0 { "at least " } else { "" };
    let summary = format!(
        "{} in {}, {more}{before} in as many before: {}",
        plural(total, "dump"),
        plural(trend.days.len(), "day"),
        name(&trend.store)
    );
    p.paint(p.styles.summary, summary)?;
    writeln!(p, "\n")?;
    let most = trend.days.iter().map(|day| day.dumps).max().unwrap_or_default();
    let mut table = Table::new(vec!["Day", "Dumps", "Groups", "New", ""]);
    for day in &trend.days {
        table.add(vec![
            day.date.clone(),
            day.dumps.to_string(),
            day.groups.to_string(),
            day.new_groups.to_string(),
            bar(day.dumps, most),
        ]);
    }
    table.print(p)?;
    if trend.groups.is_empty() {
        return Ok(());
    }
    writeln!(p)?;
    let mut table = Table::new(vec!["Dumps", "Before", "", "Days", "Group", "Title"]);
    for group in &trend.groups {
        let change = match (group.new, group.count.cmp(&group.before)) {
            (true, _) => "new",
            (_, std::cmp::Ordering::Greater) => "more",
            (_, std::cmp::Ordering::Less) if group.count == 0 => "gone",
            (_, std::cmp::Ordering::Less) => "fewer",
            (_, std::cmp::Ordering::Equal) => "same",
        };
        table.add(vec![
            group.count.to_string(),
            group.before.to_string(),
            change.to_owned(),
            sparks(&group.days),
            clip(&group.id, SHORT),
            clip(&group.title, TITLE),
        ]);
    }
    table.print(p)?;
    if trend.more > 0 {
        writeln!(p, "... and {}", plural(trend.more, "further group"))?;
    }
    Ok(())
}

fn state(state: GroupState) -> &'static str {
    match state {
        GroupState::Open => "open",
        GroupState::Fixed => "fixed",
        GroupState::Regressed => "regressed",
    }
}

fn seen(time: &Option<String>) -> String {
    clip(time.as_deref().unwrap_or("-"), SHORT)
}

fn mark(mark: &Mark) -> String {
    let release = mark.release.as_deref().map(|release| format!(" in {}", clip(release, SHORT)));
    let note = mark.note.as_deref().map(|note| format!(": {}", name(note)));
    let (release, note) = (release.unwrap_or_default(), note.unwrap_or_default());
    let what = if mark.fixed { "marked as fixed" } else { "opened again" };
    format!("{what}{release}, {}{note}", clip(&mark.made, SHORT))
}

/// A bar for `count`, where the longest stands for `most`.
fn bar(count: usize, most: usize) -> String {
    let full = |count: usize| (count.saturating_mul(BAR)).div_ceil(most.max(1)).min(BAR);
    "#".repeat(full(count))
}

/// A character for each of the last days, as high as there are many.
fn sparks(days: &[usize]) -> String {
    const HEIGHTS: [char; 8] =
        ['\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];
    let shown = days.get(days.len().saturating_sub(SPARKS)..).unwrap_or_default();
    let most = shown.iter().copied().max().unwrap_or_default().max(1);
    let height = |count: usize| {
        let at = count.saturating_mul(HEIGHTS.len()).div_ceil(most).saturating_sub(1);
        HEIGHTS.get(at).copied().unwrap_or(' ')
    };
    shown.iter().map(|&count| if count == 0 { '\u{b7}' } else { height(count) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Counted, GroupTrend, HISTORY_SCHEMA, RecordedDump, TrendDay};

    fn shown(answer: &HistoryAnswer) -> String {
        let mut out = Vec::new();
        history(answer, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn group(title: &str) -> RecordedGroup {
        RecordedGroup {
            id: "v1:aa".into(),
            title: title.into(),
            state: GroupState::Regressed,
            count: 3,
            runs: 2,
            first_seen: Some("2026-11-16T10:00:00Z".into()),
            last_seen: Some("2026-11-22T10:00:00Z".into()),
            mark: Some(Mark {
                made: "2026-11-17T10:00:00Z".into(),
                fixed: true,
                release: Some("1.10".into()),
                note: Some("#12".into()),
            }),
            regression: Some(Regression {
                count: 1,
                first_seen: Some("2026-11-22T10:00:00Z".into()),
                releases: vec![Counted { value: "1.11".into(), count: 1 }],
            }),
        }
    }

    fn whole(string: &str) -> GroupHistory {
        let counted = || vec![Counted { value: string.into(), count: 3 }];
        GroupHistory {
            schema: HISTORY_SCHEMA.into(),
            store: string.into(),
            group: group(string),
            summary: string.into(),
            fingerprints: counted(),
            parts: Vec::new(),
            joined: vec![string.into()],
            versions: counted(),
            hosts: counted(),
            releases: counted(),
            days: counted(),
            marks: Vec::new(),
            dumps: vec![RecordedDump {
                path: string.into(),
                seen: None,
                host: Some(string.into()),
                python: Some(string.into()),
                fingerprint: string.into(),
            }],
            more: 2,
            text: string.into(),
        }
    }

    #[test]
    fn a_group_says_what_was_seen_of_it() {
        assert_eq!(
            shown(&HistoryAnswer::Group(Box::new(whole("x")))),
            "regressed  x\n    3 dumps in 2 runs, 2026-11-16T10:00:00Z to 2026-11-22T10:00:00Z\n    \
             marked as fixed in 1.10, 2026-11-17T10:00:00Z: #12\n    \
             seen again since 2026-11-22T10:00:00Z: 1 dump; releases 1.11 (1)\n    group v1:aa\n    x\n    \
             Python x (3)\n    on x (3)\n    releases x (3)\n    fingerprints x (3)\n    also known as x\n    \
             x       3  ########################################\n    dump x (-, x, x)\n    ... and 2 further dumps\n\
             \n    x\n"
        );
    }

    #[test]
    fn groups_and_days_are_tables() {
        let groups = History {
            schema: HISTORY_SCHEMA.into(),
            store: "crashes.db".into(),
            runs: 2,
            groups: vec![group("ValueError in app.run")],
            more: 1,
        };
        assert_eq!(
            shown(&HistoryAnswer::Groups(groups)),
            "2 groups in 2 runs: crashes.db\n\n\
             Dumps  Runs  State      First seen            Last seen             Group  Title\n\
             3      2     regressed  2026-11-16T10:00:00Z  2026-11-22T10:00:00Z  v1:aa  ValueError in app.run\n\
             ... and 1 further group\n"
        );
        let day = |date: &str, dumps| TrendDay { date: date.into(), dumps, groups: 1, new_groups: 0 };
        let trend = Trend {
            schema: HISTORY_SCHEMA.into(),
            store: "crashes.db".into(),
            days: vec![day("2026-11-21", 0), day("2026-11-22", 4)],
            groups: vec![GroupTrend {
                id: "v1:aa".into(),
                title: "ValueError in app.run".into(),
                count: 4,
                before: 1,
                days: vec![0, 4, 1, 2],
                new: false,
            }],
            more: 0,
        };
        assert_eq!(
            shown(&HistoryAnswer::Trend(trend)),
            "4 dumps in 2 days, 1 in as many before: crashes.db\n\n\
             Day         Dumps  Groups  New\n2026-11-21  0      1       0\n\
             2026-11-22  4      1       0    ########################################\n\n\
             Dumps  Before        Days  Group  Title\n4      1       more  \u{b7}\u{2588}\u{2582}\u{2584}  v1:aa  \
             ValueError in app.run\n"
        );
    }

    #[test]
    fn hostile_strings_stay_on_their_line() {
        let text = shown(&HistoryAnswer::Group(Box::new(whole("\x1b[31m\u{202e}\n::error::\0"))));
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\0']), "{text}");
        assert!(text.lines().all(|line| !line.starts_with("::")), "{text}");
    }
}
