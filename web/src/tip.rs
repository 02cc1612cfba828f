//! The one tooltip: shows the `data-tip` of whatever the pointer is over or the keyboard's focus is on. Knows no words.

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::terms;

#[derive(Clone, PartialEq)]
struct Tip {
    text: String,
    left_px: f64,
    // Distance from the window's upper edge; below the element, or above it where there is no room.
    top_px: f64,
    above: bool,
}

/// The tooltip's place in the page. Any key closes it: who types does not want it in the way.
#[component]
pub(crate) fn Tooltip() -> impl IntoView {
    let tip = RwSignal::new(None::<Tip>);
    let show = move |target: Option<web_sys::EventTarget>| tip.set(target.and_then(tip_of));
    window_event_listener(ev::mouseover, move |event| show(event.target()));
    // Focus that came by the keyboard: a click has shown its tip already, and hidden it.
    window_event_listener(ev::focusin, move |event| show(event.target().filter(is_focus_visible)));
    window_event_listener(ev::focusout, move |_| tip.set(None));
    window_event_listener(ev::pointerdown, move |_| tip.set(None));
    window_event_listener(ev::keydown, move |_| tip.set(None));
    view! {
        <Show when=move || tip.with(Option::is_some)>
            <div
                class="tip"
                role="tooltip"
                class:above=move || tip.get().is_some_and(|tip| tip.above)
                style:left=move || tip.get().map(|tip| format!("{}px", tip.left_px))
                style:top=move || tip.get().map(|tip| format!("{}px", tip.top_px))
            >
                {move || tip.get().map(|tip| tip.text)}
            </div>
        </Show>
    }
}

fn is_focus_visible(target: &web_sys::EventTarget) -> bool {
    let element = target.dyn_ref::<web_sys::Element>();
    element.is_some_and(|element| element.matches(":focus-visible").unwrap_or(false))
}

/// Half the tooltip's width and its room below, as the style sheet has them.
const HALF_PX: f64 = 140.0;
const ROOM_PX: f64 = 90.0;

fn tip_of(target: web_sys::EventTarget) -> Option<Tip> {
    let element = target.dyn_into::<web_sys::Element>().ok()?.closest("[data-tip]").ok()??;
    let text = element.get_attribute("data-tip").filter(|text| !text.is_empty())?;
    let place = element.get_bounding_client_rect();
    let number = |value: Result<wasm_bindgen::JsValue, _>| value.ok().and_then(|value| value.as_f64());
    let (width, height) = (number(window().inner_width())?, number(window().inner_height())?);
    let middle = place.left() + place.width() / 2.0;
    let above = place.bottom() + ROOM_PX > height && place.top() > ROOM_PX;
    Some(Tip {
        text,
        left_px: middle.clamp(HALF_PX + 6.0, (width - HALF_PX - 6.0).max(HALF_PX + 6.0)),
        top_px: if above { place.top() - 6.0 } else { place.bottom() + 6.0 },
        above,
    })
}

/// A word of the field's, with its sentence on hover and focus.
#[component]
pub(crate) fn Term(
    /// The term, as [`terms`] has it.
    term: &'static str,
    /// What is shown, if not the term itself.
    #[prop(optional)]
    shown: Option<&'static str>,
) -> impl IntoView {
    let sentence = terms::explain(term).unwrap_or_default();
    view! {
        <span class="term" tabindex="0" data-tip=sentence aria-description=sentence>
            {shown.unwrap_or(term)}
        </span>
    }
}
