//! The surface that a plot is drawn on, in pixels.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) const PAPER: RGBColor = RGBColor(0xfd, 0xfc, 0xf9);

/// An SVG with its own background, so that it is readable on light and on dark pages.
pub(crate) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl<'a> Canvas<'a> {
    pub(crate) fn new(svg: &'a mut String, width: i32, height: i32) -> anyhow::Result<Self> {
        let size = (width.unsigned_abs(), height.unsigned_abs());
        let area = SVGBackend::with_string(svg, size).into_drawing_area();
        area.fill(&PAPER)?;
        Ok(Self(area))
    }

    /// Writes a text with its start, centre or end at `at`, centred vertically.
    pub(crate) fn text(
        &self,
        text: &str,
        at: (i32, i32),
        anchor: HPos,
        size: i32,
        color: RGBColor,
    ) -> anyhow::Result<()> {
        let style = ("sans-serif", size).into_font().color(&color);
        let style = style.pos(Pos::new(anchor, VPos::Center));
        Ok(self.0.draw(&Text::new(text, at, style))?)
    }

    pub(crate) fn block(&self, corners: [(i32, i32); 2], color: RGBColor) -> anyhow::Result<()> {
        Ok(self.0.draw(&Rectangle::new(corners, color.filled()))?)
    }

    pub(crate) fn line(
        &self,
        ends: [(i32, i32); 2],
        color: RGBColor,
        width: u32,
    ) -> anyhow::Result<()> {
        let style = color.stroke_width(width);
        Ok(self.0.draw(&PathElement::new(ends, style))?)
    }

    pub(crate) fn finish(self) -> anyhow::Result<()> {
        Ok(self.0.present()?)
    }
}
