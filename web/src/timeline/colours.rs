//! The colours of the timeline, read from the style sheet so that they are said once. Knows their names, not their use.

use leptos::prelude::{document, window};

/// Red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// All colours a picture needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Colours {
    pub(crate) ground: Rgb,
    pub(crate) lane: Rgb,
    pub(crate) chosen_lane: Rgb,
    /// Lines and strips beneath the bars: the colour of `line`.
    pub(crate) grid: Rgb,
    pub(crate) running: Rgb,
    pub(crate) scheduled: Rgb,
    pub(crate) idle: Rgb,
    pub(crate) sleep: Rgb,
    pub(crate) lock: Rgb,
    pub(crate) message: Rgb,
    pub(crate) text: String,
    pub(crate) muted: String,
    pub(crate) on_running: String,
    pub(crate) line: String,
    pub(crate) wake: String,
    pub(crate) accent: String,
    pub(crate) missing: String,
    pub(crate) font: String,
}

impl Colours {
    /// As the page now looks.
    pub(crate) fn read() -> Self {
        let root = document().document_element();
        let style = root.and_then(|root| window().get_computed_style(&root).ok().flatten());
        let text = |name: &str| {
            let value = style.as_ref().and_then(|style| style.get_property_value(&format!("--{name}")).ok());
            value.unwrap_or_default().trim().to_owned()
        };
        let rgb = |name: &str| parse(&text(name)).unwrap_or([128; 3]);
        Self {
            ground: rgb("ground"),
            lane: rgb("lane"),
            chosen_lane: rgb("chosen-lane"),
            grid: rgb("line"),
            running: rgb("running"),
            scheduled: rgb("scheduled"),
            idle: rgb("idle"),
            sleep: rgb("sleep"),
            lock: rgb("lock"),
            message: rgb("message"),
            text: text("text"),
            muted: text("muted"),
            on_running: text("on-running"),
            line: text("line"),
            wake: text("wake"),
            accent: text("accent"),
            missing: text("missing"),
            font: text("font"),
        }
    }
}

/// `#rrggbb`, the only form the style sheet uses for these.
fn parse(text: &str) -> Option<Rgb> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

/// `share` of `over` upon `under`.
pub(crate) fn mix(under: Rgb, over: Rgb, share: f32) -> Rgb {
    let channel = |index: usize| {
        let (under, over) = (f32::from(under[index]), f32::from(over[index]));
        (under + (over - under) * share + 0.5) as u8
    };
    [channel(0), channel(1), channel(2)]
}

/// The colour as a style.
pub(crate) fn css([red, green, blue]: Rgb) -> String {
    format!("rgb({red},{green},{blue})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_mixed() {
        assert_eq!(parse("#0a80ff"), Some([10, 128, 255]));
        assert_eq!(parse("red"), None);
        assert_eq!(parse("#fff"), None);
        assert_eq!(mix([0, 0, 0], [200, 100, 50], 0.5), [100, 50, 25]);
        assert_eq!(mix([7, 7, 7], [200, 100, 50], 1.0), [200, 100, 50]);
    }
}
