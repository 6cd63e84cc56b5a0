//! Where an array's elements go: brackets, columns, lines of limited width (`_formatArray`, numpy/core/arrayprint.py).

const SEPARATOR: &str = ", ";
const SUMMARY: &str = "...";

/// Elements to be laid out: all of an array, or with `edge` only the first and last `edge` of each axis.
pub(super) struct Lines<'a, I> {
    /// The texts of the elements that are shown, in C order.
    pub(super) words: I,
    /// The whole array's shape.
    pub(super) shape: &'a [u64],
    /// How many elements of an axis are shown at each end where some are left out; `None` where none is.
    pub(super) edge: Option<u64>,
    /// Whether elements of several lines are laid out as boxes.
    pub(super) boxes: bool,
}

impl<I: Iterator<Item = String>> Lines<'_, I> {
    /// The text, whose lines but the first begin with `indent` spaces, and end before column `width`.
    pub(super) fn text(mut self, indent: usize, width: usize) -> String {
        self.block(self.shape, indent + 1, width as i64)
    }

    fn block(&mut self, shape: &[u64], indent: usize, width: i64) -> String {
        let Some((&length, inner)) = shape.split_first() else {
            return self.words.next().unwrap_or_default();
        };
        let hanging = " ".repeat(indent);
        let edge = self.edge.filter(|edge| edge.saturating_mul(2) < length);
        let leading = edge.unwrap_or(0);
        let trailing = edge.unwrap_or(length);
        let text = if inner.is_empty() {
            let mut row = Row {
                done: String::new(),
                line: hanging.clone(),
                hanging: &hanging,
                width: width - 1,
                boxes: self.boxes,
            };
            for _ in 0..leading {
                row.push(&self.words.next().unwrap_or_default());
                row.line.push_str(SEPARATOR);
            }
            if edge.is_some() {
                row.push(SUMMARY);
                row.line.push_str(SEPARATOR);
            }
            for index in 0..trailing {
                if index > 0 {
                    row.line.push_str(SEPARATOR);
                }
                row.push(&self.words.next().unwrap_or_default());
            }
            row.done + &row.line
        } else {
            let line_end = format!(",{}", "\n".repeat(inner.len()));
            let mut rows = Vec::new();
            for _ in 0..leading {
                rows.push(self.block(inner, indent + 1, width - 1));
            }
            if edge.is_some() {
                rows.push(SUMMARY.to_owned());
            }
            for _ in 0..trailing {
                rows.push(self.block(inner, indent + 1, width - 1));
            }
            format!("{hanging}{}", rows.join(&format!("{line_end}{hanging}")))
        };
        format!("[{}]", text.strip_prefix(&hanging).unwrap_or(&text))
    }
}

/// The elements of the last axis.
struct Row<'a> {
    done: String,
    line: String,
    hanging: &'a str,
    width: i64,
    boxes: bool,
}

impl Row<'_> {
    /// Adds a word that may have several lines: `_extendLine_pretty`.
    fn push(&mut self, word: &str) {
        let is_box = self.boxes && word.contains('\n');
        let widest = if is_box { word.split('\n').map(width_of).max().unwrap_or(0) } else { width_of(word) };
        let must_wrap = width_of(&self.line) + widest > self.width && self.line.len() > self.hanging.len();
        if must_wrap {
            self.end_line();
            self.line = self.hanging.to_owned();
        }
        if !is_box {
            self.line.push_str(word);
            return;
        }
        let indent = if must_wrap { self.hanging.to_owned() } else { " ".repeat(self.line.chars().count()) };
        let mut last = 0;
        for (index, part) in word.split('\n').enumerate() {
            if index > 0 {
                self.end_line();
                self.line.clone_from(&indent);
            }
            self.line.push_str(part);
            last = width_of(part);
        }
        self.line.push_str(&" ".repeat((widest - last).max(0) as usize));
    }

    fn end_line(&mut self) {
        self.done.push_str(self.line.trim_end());
        self.done.push('\n');
    }
}

fn width_of(text: &str) -> i64 {
    text.chars().count() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(shape: &[u64], edge: Option<u64>, width: usize, words: impl Iterator<Item = u64>) -> String {
        Lines { words: words.map(|word| word.to_string()), shape, edge, boxes: true }.text(6, width)
    }

    #[test]
    fn rows_are_folded_and_nested() {
        assert_eq!(lay(&[], None, 75, 5..6), "5");
        assert_eq!(lay(&[3], None, 75, 0..3), "[0, 1, 2]");
        assert_eq!(lay(&[2, 2], None, 75, 0..4), "[[0, 1],\n       [2, 3]]");
        assert_eq!(lay(&[2, 1, 2], None, 75, 0..4), "[[[0, 1]],\n\n       [[2, 3]]]");
        assert_eq!(lay(&[6], None, 17, 0..6), "[0, 1, 2,\n       3, 4, 5]");
        assert_eq!(lay(&[2], None, 1, 100..102), "[100,\n       101]");
    }

    #[test]
    fn the_middle_is_left_out() {
        assert_eq!(lay(&[2000], Some(2), 75, 0..4), "[0, 1, ..., 2, 3]");
        assert_eq!(lay(&[2000, 2], Some(1), 75, 0..4), "[[0, 1],\n       ...,\n       [2, 3]]");
    }

    #[test]
    fn words_of_several_lines_are_boxes() {
        let words = ["a\nbbb", "c"].map(str::to_owned).into_iter();
        let text = Lines { words, shape: &[2], edge: None, boxes: true }.text(6, 75);
        assert_eq!(text, "[a\n       bbb, c]");
    }
}
