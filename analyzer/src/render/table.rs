//! Text in columns.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use std::io::{self, Write};

/// The widest that a column is padded to, in characters; what is longer pushes the rest of its row.
const WIDEST: usize = 40;

/// Rows of cells under a heading.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(head: Vec<&'static str>) -> Self {
        Table { head, rows: Vec::new() }
    }

    /// Adds a row, which has a cell for each heading.
    pub(crate) fn add(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| line(cell).to_string()).collect());
    }

    /// Prints it, two spaces between columns.
    pub(crate) fn print<W: Write>(&self, p: &mut Printer<W>) -> io::Result<()> {
        let mut widths: Vec<usize> = self.head.iter().map(|name| name.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().min(WIDEST).max(*width);
            }
        }
        let joined = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        p.paint(p.styles.heading, joined(&mut self.head.iter().copied()))?;
        writeln!(p)?;
        for row in &self.rows {
            writeln!(p, "{}", joined(&mut row.iter().map(String::as_str)))?;
        }
        Ok(())
    }
}
